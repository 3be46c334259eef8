"""What attention must do beside its formula, which test_model.py holds."""

import math

import numpy as np
import pytest
import torch
from toys import LAYOUTS, ROWS, toy_config

from sasrec.batching.layout import lay_out_packed
from sasrec.model.attention import SoftmaxAttention, attend
from sasrec.model.dropout import Dropout
from sasrec.model.positions import PositionInAttention

LENGTHS = np.array([len(row) for row in ROWS])


def attention(dropout: float = 0.0, **changes: object) -> SoftmaxAttention:
    config = toy_config(**changes)
    position = PositionInAttention(config)
    return SoftmaxAttention(config, position, Dropout(dropout, 7), projects=False)


def test_dropout_at_the_first_position_is_all_or_nothing():
    # A first position attends to itself with weight 1: it is dropped, or doubled at rate 1/2.
    same, layout = attention(0.5, hidden_size=2), lay_out_packed(np.ones(1009, np.int64))
    torch.nn.init.eye_(same.value.weight)
    torch.nn.init.zeros_(same.value.bias)
    first = same(torch.ones(1009, 2), torch.ones(1009, 2), layout)[:, 0]
    assert set(first.tolist()) == {0.0, 2.0}
    assert abs((first == 0).sum().item() - 504.5) < 5 * math.sqrt(1009 / 4)


def test_the_layout_must_cover_the_slots():
    layout = lay_out_packed(np.array([3, 2]))
    with pytest.raises(AssertionError, match=r"tensor\(\[3, 2\]\)"):
        attention()(torch.ones(7, 6), torch.ones(7, 6), layout)


@pytest.mark.parametrize("num_heads", [1, 2, 3])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_torchs_own_call_gives_the_same(num_heads, biased, layout, monkeypatch):
    """The way that other devices and compiled code take."""
    draw, places = torch.Generator().manual_seed(3), LAYOUTS[layout](LENGTHS)
    parts = [
        torch.randn(len(places.real), num_heads, 6, generator=draw, dtype=torch.float64)
        for _ in range(3)
    ]
    rows = list(zip(*(places.to_rows(part) for part in parts), strict=True))
    results = []
    for compiling in (False, True):
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda answer=compiling: answer)
        found = []
        for row in rows:
            width = row[0].shape[1]
            bias = torch.ones(num_heads, width, width).cumsum(1).double() if biased else None
            found.append(attend(*row, bias, Dropout(0.0, 1)))
        results.append(places.from_rows(found)[places.real])
    torch.testing.assert_close(*results)
