"""Adam over all weights: by one call, but for embeddings whose rows wait (deferred_adam.py).

With weight decay it is AdamW (Loshchilov & Hutter, ICLR 2019, algorithm 2): before Adam's step the
weights are multiplied by 1 - learning rate * decay. Only matrices are: embeddings, those of
positions among them, and the weights of linear layers. Biases and norms stay, as is common.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sasrec.model.sasrec import SASRec
from sasrec.training.averaging import Average
from sasrec.training.deferred_adam import DeferredAdam
from sasrec.training.flat_parameters import check_flat, flatten_parameters

# Rows of the item embeddings wait in catalogues this many times the items that a step reads: about
# there it takes the same time as Adam over every row, beyond it less.
DEFERRED_FROM = 4
BETAS = (0.9, 0.98)  # Adam's; the authors' (model.py)


class Optimizer:
    """Of a step: `read` if it `asks`, the backward pass, `step`.

    Args:
        waiting: the embeddings whose rows wait until a step reads them. They catch up by one
            learning rate and without decay, and an average would not see them: with them, no
            decay, no average, and no `set_rate`.
        objective: whose parameters are learnt too, if it has some.
        decay: of AdamW.
        share: of an average of the weights (averaging.py); None without one.

    Attributes:
        average: of all weights, or None.
    """

    def __init__(
        self,
        model: SASRec,
        learning_rate: float,
        *,
        waiting: list[nn.Parameter],
        objective: nn.Module | None = None,
        decay: float = 0.0,
        share: Callable[[int], float] | None = None,
    ) -> None:
        assert not waiting or not (decay or share)
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
        if decay:  # matrices first, so that they are one piece
            self._named = dict(sorted(self._named.items(), key=lambda item: item[1].ndim < 2))
        self._weights = flatten_parameters(self._named.values())
        matrices = sum(weight.numel() for weight in self._named.values() if weight.ndim >= 2)
        self._decay, self._decayed = decay, self._weights.detach()[:matrices]
        self.average = Average(self._weights, share) if share else None
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

    def set_rate(self, learning_rate: float) -> None:
        """The learning rate of the coming steps."""
        assert not self._deferred
        self._adam.param_groups[0]["lr"] = learning_rate

    def step(self) -> None:
        """Move the weights by their gradients, which become zero."""
        if self._decay:
            self._decayed.mul_(1 - self._adam.param_groups[0]["lr"] * self._decay)
        self._adam.step()
        self._weights.grad.zero_()
        for adam in self._deferred:
            adam.step()
        if self.average:
            self.average.add()

    def end_epoch(self) -> None:
        """Bring all weights up to date, to be read by others.

        Raises:
            UserError: a weight or a gradient was put elsewhere.
        """
        for adam in self._deferred:
            adam.catch_up()
        check_flat(self._weights, self._named.items())

    def state(self) -> dict[str, Tensor]:
        """After `end_epoch`, all that the coming steps go by, weights too: no copies."""
        state = {"weights": self._weights.detach()}
        state |= {f"adam.{name}": tensor for name, tensor in self._moments().items()}
        for name, part in self._parts().items():
            state |= {f"{name}.{key}": tensor for key, tensor in part.state().items()}
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another optimizer of such a model gave its `state`."""
        self._weights.detach().copy_(state["weights"])
        for name, tensor in self._moments().items():
            tensor.copy_(state[f"adam.{name}"])
        for name, part in self._parts().items():
            part.load_state({key: state[f"{name}.{key}"] for key in part.state()})

    def _moments(self) -> dict[str, Tensor]:
        """What torch's Adam keeps of the weights; before its first step, as that step makes it."""
        moments = self._adam.state[self._weights]
        if not moments:
            weights = self._weights.detach()
            moments["step"] = torch.zeros((), device=weights.device)
            moments |= {name: torch.zeros_like(weights) for name in ("exp_avg", "exp_avg_sq")}
        return moments

    def _parts(self) -> dict[str, DeferredAdam | Average]:
        """What keeps a state of its own, by name."""
        parts: dict[str, DeferredAdam | Average] = {
            f"waiting.{adam.name}": adam for adam in self._deferred
        }
        return parts | ({"average": self.average} if self.average else {})
