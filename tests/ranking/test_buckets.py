"""Groups of users: small ones merge, and each mean has its interval."""

import numpy as np
import pytest

from sasrec.ranking.buckets import bucket_table, merge_small
from sasrec.ranking.metrics import bootstrap_intervals

EDGES = (0, 1, 5, 10)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 3, 3, 3], [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ([1, 1, 1, 9], [(0, 3), (3, 4)]),
        ([9, 1, 0, 1], [(0, 4)]),
        ([0, 9, 0, 9], [(1, 2), (3, 4)]),
        ([0, 1, 0, 0], [(1, 2)]),
    ],
)
def test_small_groups_join_their_neighbours(counts, expected):
    assert merge_small(np.array(counts), 3) == expected


def test_a_table_by_hand():
    values = np.array([0] * 30 + [1] * 29 + [7] + [10, 1000] * 20)
    ranks = np.arange(1.0, 101.0)
    sampled = np.where(values == 0, np.nan, 2.0)
    table = bucket_table(
        values, "popularity", EDGES, {"sampled": sampled, "full": ranks}, samples=50, seed=3
    )
    assert table["range"].tolist() == ["0", "1-9", "10+"]
    assert table["users"].tolist() == [30, 30, 40]
    assert table["popularity"].tolist() == [0, 1.2, 505]
    assert table["full_HR@10"].tolist() == [0.333333, 0, 0]
    assert table["sampled_HR@10"].isna().tolist() == [True, False, False]
    assert table["sampled_HR@10_high"].isna().tolist() == [True, False, False]
    expected = bootstrap_intervals(
        ranks[:30], (10,), samples=50, generator=np.random.default_rng(3)
    )["NDCG@10"]
    found = [table[f"full_NDCG@10_{end}"][0] for end in ("low", "high")]
    assert found == pytest.approx(list(expected.values()), abs=1e-6)
