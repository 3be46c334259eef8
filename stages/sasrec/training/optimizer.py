"""Adam over all weights: by one call, but for embeddings whose rows wait (deferred_adam.py)."""

import torch
from torch import Tensor, nn

from sasrec.model.sasrec import SASRec
from sasrec.training.deferred_adam import DeferredAdam
from sasrec.training.flat_parameters import check_flat, flatten_parameters

# Rows of the item embeddings wait in catalogues this many times the items that a step reads: about
# there it takes the same time as Adam over every row, beyond it less.
DEFERRED_FROM = 4
BETAS = (0.9, 0.98)  # Adam's; the authors' (model.py)


class Optimizer:
    """Of a step: `read` if it `asks`, the backward pass, `step`.

    Args:
        waiting: the embeddings whose rows wait until a step reads them.
        objective: whose parameters are learnt too, if it has some.
    """

    def __init__(
        self,
        model: SASRec,
        learning_rate: float,
        *,
        waiting: list[nn.Parameter],
        objective: nn.Module | None = None,
    ) -> None:
        those = {id(weight) for weight in waiting}
        named = dict(model.named_parameters())
        if objective is not None:
            named |= dict(objective.named_parameters(prefix="objective"))
        self._deferred = [
            DeferredAdam(weight, learning_rate=learning_rate, betas=BETAS, name=name)
            for name, weight in named.items()
            if id(weight) in those
        ]
        self._named = {name: weight for name, weight in named.items() if id(weight) not in those}
        self._weights = flatten_parameters(self._named.values())
        self._adam = torch.optim.Adam([self._weights], lr=learning_rate, betas=BETAS, fused=True)

    @property
    def asks(self) -> bool:
        """Whether it wants to know which items a step reads."""
        return bool(self._deferred)

    @property
    def gradient(self) -> Tensor:
        """Of all weights but those that wait, to be added up over processes."""
        return self._weights.grad

    def read(self, items: Tensor) -> None:
        """The coming step reads these items (int64 [M])."""
        for adam in self._deferred:
            adam.read(items)

    def step(self) -> None:
        """Move the weights by their gradients, which become zero."""
        self._adam.step()
        self._weights.grad.zero_()
        for adam in self._deferred:
            adam.step()

    def end_epoch(self) -> None:
        """Bring all weights up to date, to be read by others.

        Raises:
            UserError: a weight or a gradient was put elsewhere.
        """
        for adam in self._deferred:
            adam.catch_up()
        check_flat(self._weights, self._named.items())
