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
from typing import NamedTuple

import torch
from torch import Tensor, nn

ROWS_AT_ONCE = 1 << 14  # in `catch_up`, to bound its memory


class _Rows(NamedTuple):
    """Some rows with their moments, each [U, D]: weights, means, squares."""

    weights: Tensor
    means: Tensor
    squares: Tensor


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
        assert 0 < betas[0] < betas[1] < 1, betas
        weight.grad = torch.zeros_like(weight)
        self.weight = weight
        self.learning_rate = learning_rate
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0
        self._all = _Rows(weight.data, torch.zeros_like(weight), torch.zeros_like(weight))
        self._step_of = torch.zeros(len(weight), dtype=torch.int64)
        beta1, beta2 = betas
        settled = math.ceil(math.log(1e-12) / math.log(beta2))  # beta1 decays sooner
        self._ways = _GeometricSums(
            beta1 / beta2**0.5, lambda s: (1 - beta2**s) ** 0.5 / (1 - beta1**s), settled
        )
        self._epsilon_ways = _GeometricSums(
            beta1 / beta2, lambda s: (1 - beta2**s) / (1 - beta1**s), settled
        )
        self._read: tuple[Tensor, _Rows] | None = None

    def read(self, ids: Tensor) -> None:
        """Bring the rows `ids` (int64 [U], each once) up to date: the coming step reads them."""
        rows = _Rows(*(part.index_select(0, ids) for part in self._all))
        self._move(rows, self._step_of[ids])
        self._all.weights.index_copy_(0, ids, rows.weights)
        self._read = ids, rows

    def step(self) -> None:
        """Adam's step for the rows that were read, by their gradients, which become zero."""
        assert self._read is not None, "step without read"
        (ids, rows), self._read = self._read, None
        self.steps += 1
        beta1, beta2 = self.betas
        gradients = self.weight.grad.index_select(0, ids)
        self.weight.grad.index_fill_(0, ids, 0)
        rows.means.lerp_(gradients, 1 - beta1)
        rows.squares.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
        size = rows.squares.sqrt().div_((1 - beta2**self.steps) ** 0.5).add_(self.epsilon)
        rate = self.learning_rate / (1 - beta1**self.steps)
        rows.weights.addcdiv_(rows.means, size, value=-rate)
        for whole, part in zip(self._all, rows, strict=True):
            whole.index_copy_(0, ids, part)
        self._step_of[ids] = self.steps

    def catch_up(self) -> None:
        """Bring all rows up to date, to be read by others."""
        for start in range(0, len(self.weight), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            self._move(_Rows(*(whole[part] for whole in self._all)), self._step_of[part])
        self._step_of.fill_(self.steps)

    def _move(self, rows: _Rows, step_of: Tensor) -> None:
        """Move `rows` in place from the steps `step_of` (int64 [U]) to the present one."""
        beta1, beta2 = self.betas
        step_of = step_of[:, None]
        missed = (self.steps - step_of).double()
        way = self._ways.between(step_of, self.steps)
        mean_epsilon = self.epsilon * self._epsilon_ways.between(step_of, self.steps) / way
        kind = rows.weights.dtype
        size = rows.squares.sqrt().add_(mean_epsilon.nan_to_num(1).to(kind))  # 0 / 0: no way to go
        rows.weights.addcdiv_(rows.means * way.to(kind), size, value=-self.learning_rate)
        rows.means.mul_((beta1**missed).to(kind))
        rows.squares.mul_((beta2**missed).to(kind))


class _GeometricSums:
    """Sums over s = a + 1 .. b of ratio^(s - a) factor(s), for a factor that tends to 1.

    Such a sum is F(a) - ratio^(b - a) F(b), where F(a) is the sum without an end.

    Args:
        settled: from this step on, factor(s) is taken to be 1.
    """

    def __init__(self, ratio: float, factor: Callable[[int], float], settled: int) -> None:
        sums = [ratio / (1 - ratio)]
        for step in range(settled, 0, -1):
            sums.append(ratio * (factor(step) + sums[-1]))
        self.ratio = ratio
        self._endless = torch.tensor(sums[::-1], dtype=torch.float64)

    def between(self, first: Tensor, last: int) -> Tensor:
        """float64, of the shape of `first` (int64): each a, against one b = `last`."""
        settled = len(self._endless) - 1
        rest = self.ratio ** (last - first).double() * self._endless[min(last, settled)]
        return self._endless[first.clamp(max=settled)] - rest
