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

All of it holds only if a row that a step does not name gets no gradient in that step. That is
checked, whoever adds gradients and however, at under a hundredth of the cost of a step: what is
left in a row stays there until a step names it, so every step looks at one component of its rows'
gradients before they are added to, a component in turn. And after the first step all rows are
looked at, after an epoch (`catch_up`) twice as many as it read, in turn: all, but in a catalogue
that is far larger than the data.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from sasrec.base.errors import UserError
from sasrec.kernels.loops import adam
from sasrec.kernels.parts import even_parts, run_parts

ROW_COST = 250  # nanoseconds, roughly, with a large catalogue
CHECKED_AT_LEAST = 1 << 16  # rows after an epoch: a millisecond


class DeferredAdam:
    """Adam over the rows [N, D] of one embedding, of which a step reads few.

    A step is `read`, then the forward and backward passes, then `step`. Rows that were not read
    are behind until they are, or until `catch_up`; they must get no gradient.

    Args:
        weight: the embedding; it gets a gradient of zeros, which has to stay where it is.
        betas: the decays of mean and square, the former below the latter.
        name: of the embedding, for messages.

    Raises (`read`, `step` and `catch_up`):
        UserError: a row has a gradient of a step that did not read it, or the gradient was
            replaced.
    """

    def __init__(
        self,
        weight: nn.Parameter,
        *,
        learning_rate: float,
        betas: tuple[float, float],
        epsilon: float = 1e-8,
        name: str = "an embedding",
    ) -> None:
        beta1, beta2 = betas
        assert 0 < beta1 < beta2 < 1, betas
        self._gradient = weight.grad = torch.zeros_like(weight)
        self.weight = weight
        self.name = name
        self.learning_rate = learning_rate
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0
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
        self._rows_read = self._checked_to = 0

    def read(self, ids: Tensor) -> None:
        """Bring rows `ids` (int64 [M], repeats allowed) up to date: the coming step reads them."""
        found = np.empty(len(ids), np.int64)
        count = adam.distinct(ids.numpy(), self._met_in, self.steps + 1, found)
        self._read = found[:count]
        self._rows_read += count
        component = self.steps % self._gradient.shape[1]
        if self._gradient.numpy()[self._read, component].any():
            self._refuse_gradients()
        self._move(self._read)

    def step(self) -> None:
        """Adam's step for the rows that were read, by their gradients, which become zero."""
        assert self._read is not None, "step without read"
        self._refuse_others_in_place()
        ids, self._read = self._read, None
        self.steps += 1
        run_parts(
            adam.step,
            *(ids, self._step_of, self.steps, self.learning_rate, *self.betas, self.epsilon),
            *(*self._arrays, self._gradient.numpy()),
            edges=even_parts(len(ids), ROW_COST),
        )
        if self.steps == 1:
            self._check_rows(0, len(self._gradient))

    def catch_up(self) -> None:
        """Bring all rows up to date, to be read by others."""
        self._check_next_rows(max(2 * self._rows_read, CHECKED_AT_LEAST))
        self._rows_read = 0
        self._move(np.arange(len(self._step_of)))

    def state(self) -> dict[str, Tensor]:
        """After `catch_up`, all that the coming steps go by: the arrays themselves, no copies."""
        assert (self._step_of == self.steps).all(), "rows are behind"
        weights, means, squares = map(torch.from_numpy, self._arrays)
        steps = torch.tensor(self.steps)
        return {"weights": weights, "means": means, "squares": squares, "steps": steps}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another one gave its `state`; before the first step."""
        for name, array in self.state().items():
            array.copy_(state[name])
        self.steps = int(state["steps"])
        self._step_of[:] = self.steps

    def _move(self, ids: np.ndarray) -> None:
        """Move rows from the steps that they are at to the present one."""
        run_parts(
            adam.move,
            *(ids, self._step_of, self.steps, self._sums, self._powers, self._bases),
            *(self.learning_rate, self.epsilon, *self._arrays),
            edges=even_parts(len(ids), ROW_COST),
        )

    def _refuse_others_in_place(self) -> None:
        """Raise UserError if the weights or the gradient are no longer those that we hold."""
        there = self.weight.data_ptr() == self._arrays[0].ctypes.data
        if not there or self.weight.grad is not self._gradient:
            raise UserError(
                f"the {'gradients' if there else 'weights'} of {self.name} were put elsewhere, "
                "where the optimizer does not see them: change them in place, as zero_() does"
            )

    def _check_next_rows(self, count: int) -> None:
        """Check so many rows, from where the last check ended."""
        if count >= len(self._gradient):
            self._check_rows(0, len(self._gradient))
            return
        stop = self._checked_to + count
        self._check_rows(self._checked_to, stop)
        self._checked_to = stop % len(self._gradient)
        if stop > len(self._gradient):
            self._check_rows(0, self._checked_to)

    def _check_rows(self, start: int, stop: int) -> None:
        """Raise UserError if a row from `start` to `stop` has a gradient, between steps."""
        low, high = self._gradient[start:stop].aminmax()
        if not low == 0 == high:  # so that NaN counts
            self._refuse_gradients()

    def _refuse_gradients(self) -> None:
        row = np.flatnonzero(self._gradient.numpy().any(1))[0]
        raise UserError(
            f"row {row} of {self.name} got a gradient in a step that did not say that it reads "
            "it, and rows wait for the steps that do: let `items_read` of the objective's term "
            "name every item that it looks up, or its `reads` be None"
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
