"""Comparing two experiments whose results lie in folders: what is said of them."""

import json
import re
import unicodedata

import numpy as np
import pytest
from toy_results import (
    LIFT,
    USERS,
    compare,
    random_ranks,
    ranks_csv,
    seeded,
    write_lock,
    write_results,
    write_seeds,
)

from sasrec.base.errors import UserError
from sasrec.comparing.runs.comparison import report
from sasrec.comparing.runs.experiments import load_side
from sasrec.comparing.runs.paired import holm
from sasrec.comparing.runs.text import describe, sentence
from sasrec.ranking.metrics import summarise
from sasrec.training.timings import keep_timing


def test_the_better_side_is_named_and_its_means_are_those_of_evaluate(here):
    write_results(here / "plain", random_ranks(1), seeded(1))
    write_results(here / "lifted", random_ranks(2, LIFT), seeded(1, variant="official"))
    found = compare("plain", "lifted", ks=(5, 10), mrr=True)
    assert [(one.protocol, one.metric) for one in found.verdicts] == [
        (protocol, metric)
        for protocol in ("sampled_100", "full")
        for metric in ("HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR")
    ]
    for verdict in found.verdicts[5:]:
        plain = summarise(random_ranks(1), (5, 10))[verdict.metric]
        lifted = summarise(random_ranks(2, LIFT), (5, 10))[verdict.metric]
        assert verdict.difference.first == pytest.approx(plain)
        assert verdict.difference.second == pytest.approx(lifted)
        assert verdict.difference.difference == pytest.approx(lifted - plain)
        assert verdict.better == "B"
    assert found.params == {"model.variant": {"A": ["paper"], "B": ["official"]}}
    text = describe(found)
    assert text.startswith("A  plain  seed 1, epoch 5 of 9 kept, 0.25 s an epoch\nB  lifted  seed")
    assert "model.variant: A paper; B official" in text
    assert "a positive B - A speaks for B (lifted)" in text
    assert "One run a side: the intervals cover the choice of users, not that of the seed" in text


def test_exchanged_sides_name_the_other_letter_and_flip_every_number(here):
    names = write_seeds(here, "plain", (1, 2)), write_seeds(here, "lifted", (1, 2), LIFT)
    one, other = compare(*names), compare(*names[::-1])
    for forth, back in zip(one.verdicts, other.verdicts, strict=True):
        assert forth.difference.difference == -back.difference.difference
        assert forth.difference.low == -back.difference.high
        assert forth.adjusted_p == back.adjusted_p
    single = compare("plain-1", "lifted-1"), compare("lifted-1", "plain-1")
    for forth, back in zip(*(found.verdicts for found in single), strict=True):
        assert (forth.better, back.better) == ("B", "A")
        assert sentence(forth).replace("B is higher", "A is higher") == sentence(back)


def test_sentences_say_what_was_shown(here):
    write_results(here / "plain", random_ranks(1))
    write_results(here / "again", random_ranks(2))
    write_results(here / "lifted", random_ranks(3, LIFT))
    shown = compare("plain", "lifted").verdicts[3]
    found = shown.difference
    assert sentence(shown) == (
        f"NDCG@10 (full): B is higher by {found.difference:.4f} "
        f"({found.low:.4f} to {found.high:.4f}): real for these two runs"
    )
    not_shown = compare("plain", "again").verdicts[3]
    found = not_shown.difference
    assert found.low < 0 < found.high
    assert sentence(not_shown) == (
        "NDCG@10 (full): no difference shown: "
        f"B - A = {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
    )


def test_as_many_resamples_are_needed_as_holms_least_level_takes(here):
    """32 tests: the least p value, 2 / samples, times 32 must come under 0.05."""
    write_results(here / "one", random_ranks(1))
    write_results(here / "two", random_ranks(2))
    with pytest.raises(UserError, match="1279 resamples are too few for 32 tests: take 1280"):
        compare("one", "two", ks=range(1, 9), samples=1279)
    assert len(compare("one", "two", ks=range(1, 9), samples=1280).verdicts) == 32


def test_a_verdict_is_by_the_p_value_among_all_tests(here):
    """Four of 60 users come within 10 and none falls out: p is about 2 exp(-4) in each test."""
    ranks = np.arange(1.0, 61.0)
    write_results(here / "one", ranks)
    write_results(here / "two", np.where((ranks > 10) & (ranks <= 14), 10, ranks))
    found = compare("one", "two", samples=2000)
    alone = [verdict.difference.p_value for verdict in found.verdicts]
    assert all(0.02 < p_value < 0.05 for p_value in alone)
    assert [verdict.adjusted_p for verdict in found.verdicts] == holm(alone)
    assert min(holm(alone)) > 0.1
    for verdict in found.verdicts:
        assert verdict.better is None
        p_values = f"p {verdict.difference.p_value:.4f} alone, {verdict.adjusted_p:.4f} among"
        assert sentence(verdict).endswith(f"; {p_values} these tests")


def test_users_without_candidates_count_in_the_full_protocol_alone(here):
    texts = [ranks_csv(random_ranks(1)), ranks_csv(random_ranks(2, LIFT))]
    for name, text in zip(("one", "two"), texts, strict=True):
        (here / name).mkdir()
        for user in (3, 60):
            text = re.sub(rf"\n{user},{user + 500},7,[^,]*,", f"\n{user},{user + 500},7,,", text)
        (here / name / "ranks.csv").write_text(text)
    found = compare("one", "two")
    kept = np.delete(np.arange(USERS), [2, 59])
    for verdict, users in zip(found.verdicts, (kept, kept, slice(None), slice(None)), strict=True):
        ranks = random_ranks(2, LIFT)[users]
        if verdict.protocol != "full":
            ranks = np.minimum(ranks, 101)
        assert verdict.difference.second == pytest.approx(summarise(ranks, (10,))[verdict.metric])
    assert report(found)["users_ranked"] == {"sampled_100": USERS - 2, "full": USERS}
    assert report(found)["users"] == USERS
    assert "Mind: sampled_100 leaves out 2 user(s) without candidates." in describe(found)
    assert compare("two", "one").verdicts[0].difference.low == -found.verdicts[0].difference.high


def test_the_time_of_an_epoch_is_told_where_it_is_known(here, monkeypatch):
    for name, seed in (("one", 1), ("two", 2)):
        write_results(here / name, random_ranks(seed), seeded(seed))
        metrics = {"best_epoch": seed, "epochs": 9}
        (here / name / "metrics" / "train_details.json").write_text(json.dumps(metrics))
    assert "s an epoch" not in describe(compare("one", "two"))
    monkeypatch.setenv("DVC_ROOT", str(here / "two"))
    keep_timing(metrics, {"seconds_per_epoch": 0.75})
    text = describe(compare("one", "two"))
    assert "A  one  seed 1, epoch 1 of 9 kept\n" in text
    assert "B  two  seed 2, epoch 2 of 9 kept, 0.75 s an epoch\n" in text


def test_names_and_values_do_nothing_to_a_terminal(here):
    for name, seed in (("one", 1), ("t\x1b[31mo", 2)):
        write_results(here / name, random_ranks(seed), seeded(1, variant=f"a{seed}\x1b]0;x\x07"))
    text = describe(compare("one", "t\x1b[31mo"))
    assert not any(unicodedata.category(character) == "Cc" for character in text.replace("\n", ""))
    assert "B  t\\x1b[31mo  seed 1" in text


def test_equal_ranks_are_said_to_be_identical(here):
    write_results(here / "one", random_ranks(1), seeded(1))
    write_results(here / "two", random_ranks(1), seeded(2))
    found = compare("one", "two")
    assert "one and two are identical: every user has the same ranks in both" in describe(found)
    assert all(one.difference.high == 0 and one.adjusted_p == 1 for one in found.verdicts)


def test_what_dvc_lock_knows_counts_and_a_changed_params_file_is_told(here):
    write_results(here / "one", random_ranks(1), seeded(7))
    write_lock(here / "one", {"train.seed": 1, "model": {"variant": "paper"}})
    write_results(here / "two", random_ranks(2), seeded(1))
    found = compare("one", "two")
    assert found.params == {}
    assert "one: params.yaml has other values of train.seed than its results" in describe(found)


def test_runs_that_differ_in_more_than_the_seed_are_told(here):
    write_seeds(here, "plain", (1,))
    write_seeds(here, "other", (2,), variant="official")
    write_seeds(here, "lifted", (1, 2), LIFT)
    text = describe(compare("plain-1,other-2", "lifted-1,lifted-2"))
    assert "A mixes runs that differ in model.variant" in text


def test_few_users_are_told(here):
    for name, seed in (("one", 1), ("two", 2)):
        write_results(here / name, random_ranks(seed, users=7))
    assert "7 users are too few" in describe(compare("one", "two"))
    assert "no parameters are known of one, two" in describe(compare("one", "two"))


@pytest.mark.parametrize(("a", "b"), [("known", "unknown"), ("unknown", "known")])
def test_parameters_that_one_side_alone_knows_are_no_difference(here, a, b):
    write_results(here / "known", random_ranks(1), seeded(1))
    write_results(here / "unknown", random_ranks(2))
    found = compare(a, b)
    assert found.params == {}
    assert "no parameters are known of unknown" in describe(found)


@pytest.mark.parametrize("place", ["run", "run/data/evaluation", "run/data/evaluation/ranks.csv"])
def test_a_folder_or_its_file_name_the_same_ranks(here, place):
    ranks = random_ranks(1)
    write_results(here / "run", ranks)
    side = load_side("A", place)
    assert side.ranks("full").tolist() == [ranks.tolist()]
    assert side.ranks("sampled_100").max() <= 101


def test_rows_in_another_order_are_the_same_users(here):
    write_results(here / "one", random_ranks(1))
    header, *rows = ranks_csv(random_ranks(2)).splitlines()
    (here / "ranks.csv").write_text("\n".join([header, *rows[::-1]]))
    assert load_side("B", "ranks.csv").ranks("full").tolist() == [random_ranks(2).tolist()]
    assert len(compare("one", "ranks.csv").verdicts) == 4
