"""The sequences of a layout as compiled loops want them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import LAYOUTS

from sasrec.batching.layout import lay_out_packed
from sasrec.kernels.spans import spans_of


@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=20),
    kind=st.sampled_from(list(LAYOUTS)),
)
def test_spans(lengths, kind):
    lengths = sorted(lengths, reverse=True)
    layout = LAYOUTS[kind](np.array(lengths))
    spans = spans_of(layout)
    assert spans.starts.tolist() == [
        last + 1 - length for last, length in zip(layout.last_slots.tolist(), lengths, strict=True)
    ]
    assert spans.lengths.tolist() == lengths
    pairs = [sum(range(length + 1)) for length in lengths]
    assert spans.triangles.tolist() == [sum(pairs[:number]) for number in range(len(lengths))]
    assert spans.pairs == sum(pairs)
    assert (spans.edges[0], spans.edges[-1]) == (0, len(lengths))
    assert spans_of(layout) is spans, "found once"


def test_many_long_sequences_are_shared_out_evenly(two_threads):
    spans = spans_of(lay_out_packed(np.array([40] * 50 + [10] * 40)))
    assert len(spans.edges) == 3
    assert spans.edges[1] == pytest.approx(29, abs=2)  # each of the long ones costs 5.6 short ones
