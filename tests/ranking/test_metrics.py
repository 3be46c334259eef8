"""Metrics against fractions worked out by hand; the bootstrap against plain resampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.ranking.metrics import bootstrap_intervals, metric_values, ranked, summarise

KS = (1, 2, 3, 10)
half_ranks = st.lists(st.integers(2, 60).map(lambda twice: twice / 2), min_size=1, max_size=20)


def intervals(ranks, ks=(10,), samples=2000, seed=7, **options):
    generator = np.random.default_rng(seed)
    return bootstrap_intervals(np.array(ranks), ks, samples=samples, generator=generator, **options)


def test_metrics_by_hand():
    # log2(rank + 1) of the ranks 1, 3, 7, 15 is 1, 2, 3, 4.
    result = summarise(np.array([1.0, 3.0, 7.0, 15.0]), (1, 5, 10))
    assert result == pytest.approx(
        {
            "HR@1": 1 / 4,
            "HR@5": 2 / 4,
            "HR@10": 3 / 4,
            "NDCG@1": 1 / 4,
            "NDCG@5": (1 + 1 / 2) / 4,
            "NDCG@10": (1 + 1 / 2 + 1 / 3) / 4,
            "MRR": 27 / 70,  # (1 + 1/3 + 1/7 + 1/15) / 4
        }
    )


def test_a_rank_of_exactly_k_counts_and_a_tie_across_k_does_not():
    values = metric_values(np.array([2.0, 2.5, 3.0]), (2, 3))
    assert values["HR@2"].tolist() == [1, 0, 0]
    assert values["HR@3"].tolist() == [1, 1, 1]
    assert values["NDCG@2"] == pytest.approx([1 / math.log2(3), 0, 0])
    assert values["MRR"] == pytest.approx([1 / 2, 2 / 5, 1 / 3])


@given(half_ranks)
def test_metrics_are_shares_that_rise_with_k(ranks):
    result = summarise(np.array(ranks), KS)
    assert all(0 <= value <= 1 for value in result.values())
    for name in ("HR", "NDCG"):
        by_k = [result[f"{name}@{k}"] for k in KS]
        assert by_k == sorted(by_k)
    assert all(result[f"NDCG@{k}"] <= result[f"HR@{k}"] for k in KS)
    assert result["NDCG@1"] == result["HR@1"]
    assert result["HR@1"] <= result["MRR"]
    assert result["MRR"] == pytest.approx(sum(1 / rank for rank in ranks) / len(ranks))


@given(half_ranks)
def test_metrics_of_users_do_not_depend_on_the_other_users(ranks):
    together = metric_values(np.array(ranks), KS)
    alone = [metric_values(np.array([rank]), KS) for rank in ranks]
    for name, values in together.items():
        assert values.tolist() == [single[name][0] for single in alone]


@pytest.mark.parametrize("wrong", [0.5, 0.0, -3.0, math.nan])
def test_a_rank_below_one_or_nan_is_refused(wrong):
    with pytest.raises(ValueError, match=f"ranks start from 1, found {wrong}"):
        summarise(np.array([1.0, wrong, 2.0]), (10,))


def test_bootstrap_is_that_of_resampling_users():
    generator = np.random.default_rng(3)
    ranks = np.floor(generator.gamma(1.5, 8, size=89)) + 1
    found = intervals(ranks, (10,), samples=20_000)
    shares = metric_values(ranks, (10,))
    drawn = generator.integers(0, 89, (20_000, 89))  # users, one by one
    for name, values in shares.items():
        low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
        width = high - low
        assert found[name]["low"] == pytest.approx(low, abs=0.03 * width)
        assert found[name]["high"] == pytest.approx(high, abs=0.03 * width)


def test_bootstrap_of_a_share_is_near_the_binomial_interval():
    ranks = [1.0] * 300 + [99.0] * 700
    deviation = math.sqrt(0.3 * 0.7 / 1000)
    found = intervals(ranks, (1,))["HR@1"]
    assert found["low"] == pytest.approx(0.3 - 1.96 * deviation, abs=0.004)
    assert found["high"] == pytest.approx(0.3 + 1.96 * deviation, abs=0.004)


def test_bootstrap_shrinks_with_users_and_grows_with_the_level():
    ranks = [1.0, 2.0, 5.0, 20.0] * 5
    few, many = intervals(ranks)["NDCG@10"], intervals(ranks * 16)["NDCG@10"]
    certain = intervals(ranks, level=0.99)["NDCG@10"]
    # Sixteen times the users: a fourth of the width.
    assert many["high"] - many["low"] == pytest.approx((few["high"] - few["low"]) / 4, rel=0.1)
    assert certain["low"] < few["low"] < few["high"] < certain["high"]


def test_bootstrap_follows_its_seed_alone():
    ranks = [1.0, 2.0, 5.0, 20.0] * 5
    assert intervals(ranks, seed=5) == intervals(ranks, seed=5)
    assert intervals(ranks, seed=5) != intervals(ranks, seed=6)


def test_bootstrap_of_equal_ranks_has_no_width():
    assert intervals([3.0] * 13, (1, 5)) == {
        "HR@1": {"low": 0, "high": 0},
        "HR@5": {"low": 1, "high": 1},
        "NDCG@1": {"low": 0, "high": 0},
        "NDCG@5": {"low": 1 / 2, "high": 1 / 2},
        "MRR": {"low": pytest.approx(1 / 3), "high": pytest.approx(1 / 3)},
    }


@given(half_ranks)
def test_bootstrap_contains_the_mean_and_only_values_that_occur(ranks):
    means = summarise(np.array(ranks), KS)
    shares = metric_values(np.array(ranks), KS)
    for name, interval in intervals(ranks, KS, samples=400).items():
        assert shares[name].min() - 1e-9 <= interval["low"] <= means[name] + 1e-9
        assert means[name] - 1e-9 <= interval["high"] <= shares[name].max() + 1e-9


def test_bootstrap_in_several_blocks_still_holds_every_sample():
    ranks = np.arange(1.0, 9974.0)  # as many distinct ranks as users: 1002 resamples a block
    found = intervals(ranks, (4987,), samples=1100)["HR@4987"]
    drawn = np.random.default_rng(7).multinomial(9973, np.full(9973, 1 / 9973), size=1100)
    low, high = np.percentile(drawn[:, :4987].sum(1) / 9973, [2.5, 97.5])
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("ranks", [[], [math.nan, math.nan]])
def test_somebody_must_be_ranked(ranks):
    with pytest.raises(ValueError, match="no user is ranked"):
        ranked(np.array(ranks, float))


def test_users_without_a_rank_are_left_out():
    assert ranked(np.array([2.0, math.nan, 1.5])).tolist() == [2.0, 1.5]
