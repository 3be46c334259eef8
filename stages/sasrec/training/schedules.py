"""The learning rate of each step: one row, one function, one name in params.yaml.

It depends on the number of the step alone, so that it is the same in all processes, and an epoch
does not depend on what ran before. With W steps of warm-up of T in all, step n from 1 on has the
rate

    learning rate * n / W                                 n <= W
    learning rate * share((n - W - 1) / (T - W))          n > W

so that the first step after the warm-up has the whole rate, and no step has none.
"""

import math
from collections.abc import Callable, Iterator

from sasrec.base.errors import UserError


def constant(progress: float) -> float:
    """The whole rate at every step."""
    return 1.0


def cosine(progress: float) -> float:
    """Half a wave down to 0, at the end of `train.epochs` (Loshchilov & Hutter, ICLR 2017)."""
    return (1 + math.cos(math.pi * progress)) / 2


# Of how far training has come since the warm-up, from 0 to 1: the share of the learning rate.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,  # the paper's
    "cosine": cosine,
}


class Schedule:
    """The learning rates of a training of so many `epochs`, with `steps` (at least 1) each.

    Args:
        name: a row of `SCHEDULES`.
        rate: the whole learning rate.
        warmup: the steps of the warm-up.

    Raises:
        UserError: the warm-up is longer than training.
    """

    def __init__(self, name: str, rate: float, warmup: int = 0, *, steps: int, epochs: int) -> None:
        self._share, self._rate, self._warmup = SCHEDULES[name], rate, warmup
        self._steps, self._all = steps, epochs * steps
        if warmup > self._all:
            raise UserError(
                f"train.warmup_steps = {warmup} is more than the {self._all:,} steps of training "
                f"(train.epochs = {epochs}, of {steps:,} steps each)"
            )

    @property
    def changes(self) -> bool:
        """Whether steps may have rates that differ."""
        return self._warmup > 1 or self._share is not constant

    def of_epoch(self, epoch: int) -> Iterator[float]:
        """The rate of each step of an epoch, which counts from 1."""
        first = (epoch - 1) * self._steps + 1
        return map(self.at, range(first, first + self._steps))

    def at(self, step: int) -> float:
        """The rate of a step, which counts from 1; after the last one that of the end."""
        if step <= self._warmup:
            return self._rate * step / self._warmup
        if step > self._all:
            return self._rate * self._share(1.0)
        return self._rate * self._share((step - self._warmup - 1) / (self._all - self._warmup))
