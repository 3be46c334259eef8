"""Raw ids in sentences."""

from pathlib import Path

import pytest

from sasrec.recommending.names import not_among


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        (["7", "08", "b", "more"], "(7, 08, b, …)"),
        (["Reader, 7", "8", "b", "more"], "('Reader, 7', '8', 'b', …)"),
    ],
)
def test_examples_of_ids_are_told_apart(known, shown):
    sentence = not_among(["9"], dict.fromkeys(known, 1), Path("users.csv"))
    assert sentence == f"'9' is not among the raw ids of users.csv {shown}"
