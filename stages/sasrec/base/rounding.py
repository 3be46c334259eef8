"""Reported numbers, rounded: the last digits of a sum depend on the order in which it is made."""

import math
from typing import Any

DIGITS = 6


def rounded(values: Any) -> Any:
    """Nested dicts and lists with every float rounded to six digits after the point.

    Under 1, six digits from the first that is not zero: 0.000123456. Whole numbers, texts and
    the like stay as they are.
    """
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, list):
        return [rounded(value) for value in values]
    if not isinstance(values, float) or not math.isfinite(values):
        return values
    return float(f"{values:.{DIGITS}g}") if abs(values) < 1 else round(values, DIGITS)
