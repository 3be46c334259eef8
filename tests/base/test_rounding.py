"""Rounding of what is reported."""

import math

from hypothesis import given
from hypothesis import strategies as st

from sasrec.base.rounding import rounded


def test_by_hand():
    nested = {"a": 211.4745493107105, "b": [0.1823966065747614, 1e-5 / 3], "c": {"d": 943}}
    assert rounded(nested) == {"a": 211.474549, "b": [0.182397, 3.33333e-6], "c": {"d": 943}}
    assert rounded({"text": "0.1234567", "none": None, "flag": True, "zero": -0.0}) == {
        "text": "0.1234567",
        "none": None,
        "flag": True,
        "zero": 0.0,
    }
    assert type(rounded(943)) is int
    assert math.isnan(rounded(math.nan))


@given(st.floats(-1000, 1000))
def test_a_rounded_number_is_near_and_stays_as_it_is(value):
    assert abs(rounded(value) - value) <= 0.5000001e-6
    assert rounded(rounded(value)) == rounded(value)


@given(st.integers(1, 999_999))
def test_what_differs_in_the_last_digits_alone_is_the_same(millionths):
    value = millionths / 1_000_000
    assert rounded(value) == rounded(math.nextafter(value, 2)) == value
