"""Comparing two experiments of several seeds: which runs are paired, and what the seeds change."""

import pytest
from toy_results import LIFT, compare, random_ranks, seeded, write_results, write_seeds

from sasrec.comparing.runs.text import describe


def test_runs_of_the_same_seeds_are_compared_seed_by_seed(here):
    a = write_seeds(here, "plain", (3, 1, 2))
    b = write_seeds(here, "lifted", (2, 3, 1), LIFT)
    found = compare(a, b)
    assert found.paired
    assert [run.name for run in found.b.runs] == ["lifted-1", "lifted-2", "lifted-3"]
    for seed, difference in enumerate(found.verdicts[3].difference.run_differences, 1):
        single = compare(f"plain-{seed}", f"lifted-{seed}").verdicts[3].difference
        assert difference == pytest.approx(single.difference)
    text = describe(found)
    assert "runs are compared seed by seed" in text
    assert "train.seed" not in text
    assert "real for these two runs" not in text


def test_runs_of_other_seeds_are_not_paired(here):
    a, b = write_seeds(here, "plain", (1, 2)), write_seeds(here, "lifted", (1, 2, 3), LIFT)
    found = compare(a, b)
    assert not found.paired
    assert found.params == {"train.seed": {"A": [1, 2], "B": [1, 2, 3]}}
    assert "runs are not paired by seed" in describe(found)
    assert not compare(a, "lifted-2,lifted-3").paired
    lone = describe(compare("plain-1", b))
    assert "A has one run: its seeds are taken to vary as those of the other do." in lone


def test_runs_that_share_a_seed_are_not_paired(here):
    """Each of A's would be paired with the same one of B's."""
    for name, seed in (("a-1", 1), ("a-2", 2), ("b-1", 3), ("b-2", 4)):
        write_results(here / name, random_ranks(seed), seeded(1))
    found = compare("a-1,a-2", "b-1,b-2")
    assert not found.paired
    assert found.verdicts[0].difference.run_differences == ()


def test_no_run_is_left_out_of_pairs(here):
    """Of seeds 1 and 2 against 1, 2 and 2 again one run would not count."""
    a = write_seeds(here, "plain", (1, 2))
    b = write_seeds(here, "lifted", (1, 2), LIFT)
    write_results(here / "more", random_ranks(9, LIFT), seeded(2))
    found = compare(a, f"{b},more")
    assert not found.paired
    assert len(found.b.runs) == 3


def test_a_single_run_a_side_is_no_pair_of_seeds(here):
    write_seeds(here, "plain", (1,))
    write_seeds(here, "lifted", (1,), LIFT)
    found = compare("plain-1", "lifted-1")
    assert not found.paired
    assert found.verdicts[0].difference.run_differences == ()


def test_the_seed_of_the_resamples_counts(here):
    write_results(here / "one", random_ranks(1))
    write_results(here / "two", random_ranks(2))
    first, again, other = (compare("one", "two", seed=seed).verdicts[3] for seed in (1, 1, 2))
    assert first == again
    assert first.difference.low != other.difference.low
    assert first.difference.difference == other.difference.difference


def test_seeds_that_are_no_numbers_pair_nothing(here):
    for name, seed in (("a-1", [1]), ("a-2", "two"), ("b-1", [1]), ("b-2", "two")):
        write_results(here / name, random_ranks(ord(name[0]) + len(seed)), seeded(1))
        (here / name / "params.yaml").write_text(f"train: {{seed: {seed}}}\n")
    assert not compare("a-1,a-2", "b-1,b-2").paired
