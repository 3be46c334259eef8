"""What every gradient written by hand must be: that of the plain formula, wherever it goes."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sasrec.model.dropout import Dropout

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
Formula = Callable[..., Tensor]


class RecordedDropout(Dropout):
    """Dropout that remembers the factors it gave, float64 and flat."""

    def __init__(self, rate: float, *seed: int) -> None:
        super().__init__(rate, *seed)
        self.factors: list[Tensor] = []

    def units(self, count: int) -> np.ndarray:
        units = super().units(count)
        self.factors.append(torch.from_numpy((units >= self.threshold) * self.scale))
        return units


def randoms(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Normal numbers of these shapes that want a gradient."""
    generator = torch.Generator().manual_seed(17)
    return [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


def assert_same_with_gradients(one: Tensor, other: Tensor, leaves: Sequence[Tensor]) -> None:
    """Both have the same values and, by `torch.autograd.grad`, the same gradients."""
    torch.testing.assert_close(one, other, **CLOSE)
    toward = torch.randn(one.shape, generator=torch.Generator().manual_seed(3), dtype=one.dtype)
    for mine, theirs in zip(
        torch.autograd.grad(one, leaves, toward),
        torch.autograd.grad(other, leaves, toward),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, **CLOSE)
        assert mine.abs().max() > 1e-6 or theirs.abs().max() < 1e-12
    assert all(leaf.grad is None for leaf in leaves)


def assert_adds_to_gradients(mine: Formula, plain: Formula, leaves: Sequence[Tensor]) -> None:
    """`backward` makes the plain formula's gradients, and adds to those that are there, in place.

    Args:
        mine, plain: functions of the leaves.
    """
    copies = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    places = []
    for factor in (1.0, 3.0, 0.5):
        for formula, tensors in ((mine, leaves), (plain, copies)):
            (formula(*tensors).sin().sum() * factor).backward()
        places.append([leaf.grad.data_ptr() for leaf in leaves])
    assert places[0] == places[1] == places[2]
    for leaf, copy in zip(leaves, copies, strict=True):
        torch.testing.assert_close(leaf.grad, copy.grad, **CLOSE)


def assert_same_in_inference(formula: Formula, leaves: Sequence[Tensor]) -> None:
    with torch.inference_mode():
        result = formula(*leaves)
    assert result.is_inference()
    torch.testing.assert_close(result.clone(), formula(*leaves).detach(), rtol=0, atol=0)


def nodes_behind(result: Tensor) -> set[str]:
    """Names of the steps of autograd that `result` has behind it."""
    left, seen = [result.grad_fn], set()
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [before for before, _ in node.next_functions]
    return {node.name() for node in seen}
