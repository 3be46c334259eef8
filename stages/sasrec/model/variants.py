"""Where a block normalises, and what it adds its sublayers to."""

from typing import NamedTuple

RAW, NORMED = 0, 1


class Variant(NamedTuple):
    """A row of the table `VARIANTS`; query, key_value and residual are RAW or NORMED.

    With n = LN(x) and `after` False (pre-norm):
        attention     y = residual + attend(query, key_value), each of them x or n
        feed-forward  m = LN(y);  y or m (as the residual says) + g(m)
    With `after` True (post-norm) nothing is normed before, but each sum is: LN(x + ...).
    With `gated`, what is added to r (x or n; y or m) is multiplied by sigmoid(r W + b) before.
    """

    query: int
    key_value: int
    residual: int
    after: bool
    gated: bool = False
