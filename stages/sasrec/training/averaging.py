"""Averages of the weights that training went through: one row, one function, one name.

Training goes on from the raw weights; whatever looks at the model between epochs, and whatever is
kept, has the averaged ones. They lie less far out than those of any one step, which are off by the
noise of the last batches (Polyak & Juditsky 1992; Izmailov et al., UAI 2018).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


def ema(step: int, decay: float) -> float:
    """The weights of k steps ago count decay^k; as a share of all steps that there were.

    So the first weights, which nothing was learnt for, never count, and no matter how few steps
    there were: of fewer than 1 / (1 - decay) it is about their mean.
    """
    return (1 - decay) / (1 - decay**step)


# Of the number of a step, from 1, and `train.ema_decay`: how much the step's weights count, from 0
# to 1; those before count the rest.
AVERAGES: dict[str, Callable[[int, float], float] | None] = {
    "none": None,  # the paper's
    "ema": ema,
}


class Average:
    """A mean over steps of `weights`, which optimizers change in place.

    Args:
        share: of the number of a step, from 1: how much its weights count.
    """

    def __init__(self, weights: Tensor, share: Callable[[int], float]) -> None:
        self._weights, self._share = weights.detach(), share
        self._mean = self._weights.clone()
        self._steps = 0

    def add(self) -> None:
        """Count the weights as they are now, after one more step."""
        self._steps += 1
        self._mean.lerp_(self._weights, self._share(self._steps))

    def state(self) -> dict[str, Tensor]:
        """All that the coming steps go by; `mean` is the array itself, no copy."""
        return {"mean": self._mean, "steps": torch.tensor(self._steps, device=self._mean.device)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another one gave its `state`."""
        self._mean.copy_(state["mean"])
        self._steps = int(state["steps"])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The weights are their mean for as long as this lasts, in the same memory."""
        raw = self._weights.clone()
        self._weights.copy_(self._mean)
        try:
            yield
        finally:
            self._weights.copy_(raw)
