"""Differences between runs: against closed forms, plain resampling, and in repeated experiments."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sasrec.comparing.runs.paired import MAX_GROUPS, compare_runs, holm

# The 97.5% points of Student's t from a printed table, by degrees of freedom.
T = {2: 4.303, 4: 2.776}


def compare(first, second, pair_runs=False, samples=2000, seed=7, **options):
    return compare_runs(
        np.array(first, float),
        np.array(second, float),
        pair_runs=pair_runs,
        samples=samples,
        generator=np.random.default_rng(seed),
        **options,
    )


def half_width(found):
    return (found.high - found.low) / 2


def shifted_runs(shifts, users):
    """Runs that differ in nothing but a shift of all users."""
    return np.array(shifts)[:, None] + np.array(users)


def test_means_and_differences_by_hand():
    first, second = [[1, 0, 0, 1], [1, 1, 0, 1]], [[0, 0, 0, 0], [1, 0, 0, 1]]
    found = compare(first, second, pair_runs=True)
    assert (found.first, found.second) == (5 / 8, 2 / 8)
    assert found.difference == -3 / 8
    assert found.run_differences == (-2 / 4, -1 / 4)
    assert found.covers_seeds
    alone = compare(first[:1], second[:1])
    assert (alone.difference, alone.run_differences) == (-2 / 4, ())
    assert not alone.covers_seeds


def test_one_run_a_side_is_the_bootstrap_of_users():
    generator = np.random.default_rng(3)
    first, second = generator.gamma(1, 1, (2, 89))
    found = compare([first], [second], samples=20_000)
    drawn = generator.integers(0, 89, (20_000, 89))  # users, one by one
    low, high = np.percentile((second - first)[drawn].mean(1), [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.03 * (high - low))
    assert found.high == pytest.approx(high, abs=0.03 * (high - low))


@pytest.mark.parametrize("won", [90, 110, 150])
def test_interval_and_p_value_of_hits_won_and_lost(won):
    # 2,000 users: B hits `won` that A misses, A hits 90 that B misses.
    first = np.repeat([0.0, 1.0, 1.0], [won, 90, 2000 - won - 90])
    second = np.repeat([1.0, 0.0, 1.0], [won, 90, 2000 - won - 90])
    found = compare([first], [second], samples=20_000)
    difference = (won - 90) / 2000
    deviation = math.sqrt(((won + 90) / 2000 - difference**2) / 2000)
    assert found.difference == pytest.approx(difference)
    assert half_width(found) == pytest.approx(1.96 * deviation, rel=0.05)
    assert found.p_value == pytest.approx(math.erfc(difference / deviation / 2**0.5), abs=0.03)


@pytest.mark.parametrize("pair_runs", [True, False])
def test_runs_without_a_shift_are_the_bootstrap_of_their_average(pair_runs):
    generator = np.random.default_rng(5)
    first, second = generator.normal(size=(2, 3, 97))
    first -= first.mean(1, keepdims=True)
    second -= second.mean(1, keepdims=True) - 0.1
    found = compare(first, second, pair_runs)
    averages = compare([first.mean(0)], [second.mean(0)])
    assert (found.low, found.high) == pytest.approx((averages.low, averages.high))


def test_shifts_of_whole_runs_give_students_interval():
    users = np.random.default_rng(2).normal(size=53)
    first, second = shifted_runs([0, 1, 5], users), shifted_runs([2, 7, 9], users)
    paired = compare(first, second, pair_runs=True, samples=40_000)
    # By seed the differences are 2, 6 and 4: mean 4, standard deviation 2.
    assert paired.difference == pytest.approx(4)
    assert half_width(paired) == pytest.approx(T[2] * 2 / math.sqrt(3), rel=0.05)
    # The variances are 7 and 13, so Welch's degrees of freedom 20^2 / (7^2 / 2 + 13^2 / 2) = 3.7.
    free = compare(first, second, samples=40_000)
    assert T[4] < half_width(free) / math.sqrt(20 / 3) < T[2]
    # A side with the same spread has four degrees of freedom.
    alike = compare(first, first + 3, samples=40_000)
    assert half_width(alike) == pytest.approx(T[4] * math.sqrt(14 / 3), rel=0.05)


def test_a_single_run_is_taken_to_vary_as_the_other_side_does():
    users = np.random.default_rng(2).normal(size=53)
    first, second = shifted_runs([0], users), shifted_runs([2, 7, 9], users)
    found = compare(first, second, samples=40_000)
    assert half_width(found) == pytest.approx(T[2] * math.sqrt(13 * (1 + 1 / 3)), rel=0.05)
    assert found.covers_seeds


@pytest.mark.parametrize("pair_runs", [True, False])
def test_noise_of_single_users_is_not_counted_again_as_a_shift(pair_runs):
    """Runs differ by their users' noise alone: the bootstrap of users holds it already."""
    wider = []
    for repeat in range(20):
        first, second = np.random.default_rng(repeat).normal(size=(2, 40, 50))
        found = compare(first, second, pair_runs, samples=400)
        alone = compare([first.mean(0)], [second.mean(0)], samples=400)
        wider.append(half_width(found) / half_width(alone))
    # With the noise counted twice, it would be sqrt(2) times as wide.
    assert np.median(wider) < 1.25


def test_p_value_of_shifts_is_students():
    # Differences of 4.303 standard errors with two degrees of freedom: p is 0.05.
    second = shifted_runs(np.array([-1, 0, 1]) + T[2] / math.sqrt(3), np.zeros(7))
    found = compare(np.zeros((3, 7)), second, pair_runs=True, samples=40_000)
    assert found.p_value == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("pair_runs", [True, False])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_runs_of_the_same_model_seldom_differ(pair_runs, shift):
    misses, repeats = 0, 200
    for repeat in range(repeats):
        generator = np.random.default_rng(repeat)
        noise = generator.normal(size=(2, 3, 41))
        shifts = shift * generator.normal(size=(2, 3, 1))
        first, second = generator.normal(size=41) + noise + shifts
        found = compare(first, second, pair_runs, samples=500, seed=repeat)
        misses += not found.low <= 0 <= found.high
    assert misses <= 0.07 * repeats


def test_one_run_a_side_mistakes_a_shift_for_a_difference():
    # What `covers_seeds` warns of.
    users = np.random.default_rng(1).normal(size=41)
    generator = np.random.default_rng(2)
    noise = generator.normal(size=(100, 2, 1, 41))
    shifts = 0.4 * generator.normal(size=(100, 2, 1, 1))
    found = [compare(users + a, users + b, samples=500) for a, b in noise + shifts]
    assert np.mean([not one.low <= 0 <= one.high for one in found]) > 0.2


values = st.integers(0, 4).map(lambda fourths: fourths / 4)


@given(st.data(), st.integers(1, 3), st.integers(1, 3), st.integers(2, 6), st.booleans())
@settings(max_examples=100)
def test_exchanged_sides_give_exactly_the_opposite(data, ours, theirs, users, pair_runs):
    theirs = ours if pair_runs else theirs
    first = data.draw(arrays.arrays(float, (ours, users), elements=values))
    second = data.draw(arrays.arrays(float, (theirs, users), elements=values))
    one = compare(first, second, pair_runs, samples=100)
    other = compare(second, first, pair_runs, samples=100)
    assert (one.first, one.second) == (other.second, other.first)
    assert one.difference == -other.difference
    assert (one.low, one.high) == (-other.high, -other.low)
    assert one.p_value == other.p_value
    assert one.run_differences == tuple(-value for value in other.run_differences)


def test_runs_that_cancel_in_every_user_have_a_symmetric_interval():
    first, second = [[0, 0, 0], [1, 1, 1]], [[1, 1, 1], [0, 0, 0]]
    found = compare(first, second, pair_runs=True, samples=100)
    assert found.difference == 0
    assert found.p_value > 0.8
    assert found.low == -found.high < -1
    assert compare(second, first, pair_runs=True, samples=100).low == found.low


def test_no_difference_in_any_user_is_certain():
    found = compare([[1, 0, 1]], [[1, 0, 1]])
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_difference_in_every_user_has_the_least_p_value():
    found = compare([[0, 0, 0]], [[0.5, 0.25, 1]], samples=999)
    assert found.p_value == 2 / 1000
    assert found.low >= 0.25


def test_many_distinct_differences_are_grouped_without_loss():
    second = np.random.default_rng(4).gamma(0.5, 1, 7 * MAX_GROUPS)
    found = compare([np.zeros_like(second)], [second], samples=5000)
    assert (found.low + found.high) / 2 == pytest.approx(second.mean(), rel=0.005)
    deviation = second.std() / math.sqrt(len(second))
    assert half_width(found) == pytest.approx(1.96 * deviation, rel=0.05)


def test_level_and_seed_count():
    first, second = np.random.default_rng(4).normal(size=(2, 1, 50))
    found = compare(first, second)
    assert compare(first, second) == found
    assert compare(first, second, seed=8) != found
    wider = compare(first, second, level=0.99)
    assert wider.low < found.low < found.high < wider.high


@pytest.mark.parametrize(
    ("first", "second", "pair_runs"),
    [((1, 3), (1, 4), False), ((1, 1), (1, 1), False), ((2, 3), (1, 3), True)],
)
def test_shapes_that_do_not_fit_are_refused(first, second, pair_runs):
    with pytest.raises(ValueError, match=r"expected the same users|cannot be paired"):
        compare(np.zeros(first), np.zeros(second), pair_runs)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.3, 0.9, 0.5]) == pytest.approx([0.9, 1, 1])
    assert holm([0.04]) == [0.04]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_under_bonferroni(p_values):
    adjusted = holm(p_values)
    bonferroni = [min(1, len(p_values) * p_value) for p_value in p_values]
    assert all(p <= a <= b for p, a, b in zip(p_values, adjusted, bonferroni, strict=True))
    assert adjusted[np.argmin(p_values)] == min(bonferroni)
    order = np.argsort(p_values)
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
