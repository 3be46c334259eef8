"""Adam for the embedding of a large catalogue, at the cost of the rows that a step reads.

Shapes: N rows, D hidden size, U rows that a step reads.

Adam (Kingma & Ba, ICLR 2015, algorithm 1) moves every row at every step, also those without a
gradient, by what is left of their momentum. With a million items that costs many times the rest
of a step. But without a gradient the way is known: a row whose moments are m and v after step a
goes up to step b

    learning rate * sum over s = a + 1 .. b of  r^(s - a) c(s) m / (sqrt(v) + e(s))
    r = beta1 / sqrt(beta2)
    c(s) = sqrt(1 - beta2^s) / (1 - beta1^s)
    e(s) = epsilon sqrt(1 - beta2^s) / sqrt(beta2)^(s - a)

so it is moved when it is next read. With e(s) at its weighted mean the sum needs two numbers for
each pair (a, b), and they are differences of what two tables have at a and b. That mean is exact
but for terms of the order (epsilon / sqrt(v))^2. Gradients as small as epsilon = 1e-8, which
hardly move a weight, move it by a hundredth less or more (in the first steps by up to a fifth).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sasrec.kernels import even_parts, run_parts, specialised

ROW_COST = 60  # nanoseconds, roughly


class DeferredAdam:
    """Adam over the rows [N, D] of one embedding; its gradient must be zero where it is not read.

    A step is `read`, then the forward and backward passes, then `step`. Rows that were not read
    are behind until they are, or until `catch_up`.

    Args:
        weight: the embedding; it gets a gradient of zeros, which has to stay where it is.
        betas: the decays of mean and square, the former below the latter.
    """

    def __init__(
        self,
        weight: nn.Parameter,
        *,
        learning_rate: float,
        betas: tuple[float, float],
        epsilon: float = 1e-8,
    ) -> None:
        beta1, beta2 = betas
        assert 0 < beta1 < beta2 < 1, betas
        weight.grad = torch.zeros_like(weight)
        self.weight = weight
        self.learning_rate = learning_rate
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0
        self._kernels = specialised("adam_kernels", SIZE=weight.shape[1])
        self._arrays = tuple(
            part.numpy() for part in (weight.data, *map(torch.zeros_like, [weight.data] * 2))
        )
        self._step_of = np.zeros(len(weight), np.int64)
        self._met_in = np.zeros(len(weight), np.int64)
        settled = math.ceil(math.log(1e-12) / math.log(beta2))  # beta1 decays sooner
        self._bases = np.array([beta1 / beta2**0.5, beta1 / beta2, beta1, beta2])
        self._powers = self._bases[:, None] ** np.arange(settled + 1)
        self._sums = np.array(
            [
                _endless_sums(
                    self._bases[0], lambda s: (1 - beta2**s) ** 0.5 / (1 - beta1**s), settled
                ),
                _endless_sums(self._bases[1], lambda s: (1 - beta2**s) / (1 - beta1**s), settled),
            ]
        )
        self._read: np.ndarray | None = None

    def read(self, ids: Tensor) -> None:
        """Bring rows `ids` (int64 [M], repeats allowed) up to date: the coming step reads them."""
        found = np.empty(len(ids), np.int64)
        count = self._kernels.distinct(ids.numpy(), self._met_in, self.steps + 1, found)
        self._read = found[:count]
        self._move(self._read)

    def step(self) -> None:
        """Adam's step for the rows that were read, by their gradients, which become zero."""
        assert self._read is not None, "step without read"
        ids, self._read = self._read, None
        self.steps += 1
        run_parts(
            self._kernels.step,
            *(ids, self._step_of, self.steps, self.learning_rate, *self.betas, self.epsilon),
            *(*self._arrays, self.weight.grad.numpy()),
            edges=even_parts(len(ids), ROW_COST),
        )

    def catch_up(self) -> None:
        """Bring all rows up to date, to be read by others."""
        self._move(np.arange(len(self._step_of)))

    def _move(self, ids: np.ndarray) -> None:
        """Move rows from the steps that they are at to the present one."""
        run_parts(
            self._kernels.move,
            *(ids, self._step_of, self.steps, self._sums, self._powers, self._bases),
            *(self.learning_rate, self.epsilon, *self._arrays),
            edges=even_parts(len(ids), ROW_COST),
        )


def _endless_sums(ratio: float, factor: Callable[[int], float], settled: int) -> list[float]:
    """For a = 0 .. settled the sum over s > a, without an end, of ratio^(s - a) factor(s).

    From step `settled` on, factor(s) is taken to be 1. That of a up to b alone is the sum at a less
    ratio^(b - a) times the sum at b.
    """
    sums = [ratio / (1 - ratio)]
    for step in range(settled, 0, -1):
        sums.append(ratio * (factor(step) + sums[-1]))
    return sums[::-1]
