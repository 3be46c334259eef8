"""What test ranks amount to, against loops over users; and the pictures."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml

from sasrec.base.errors import UserError
from sasrec.base.params import load_params
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.ranking import buckets
from sasrec.ranking.evaluation import evaluate
from sasrec.ranking.figures import draw_by_length, draw_by_rank, draw_training
from sasrec.ranking.metrics import bootstrap_intervals
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import Ranks

PARAMS = {
    "ks": [1, 3],
    "filter_seen": True,
    "bootstrap_samples": 100,
    "seed": 1,
    "baselines": [],
    "device": "cpu",
}
# By user from 1: the length of the history, and the target's ranks. User 4 has no target.
LENGTHS = (1, 4, 5, 2, 9, 10, 600)
USERS = (1, 2, 3, 5, 6, 7)
SAMPLED = (1.0, 3.0, 2.5, 4.0, 3.0, 1.0)
FULL = (1.0, 7.0, 2.0, 15.0, 31.0, 3.0)
NUM_ITEMS = 37


@pytest.fixture(scope="module")
def histories():
    # Item 1 occurs 7 times more than the others, which take turns.
    total = sum(LENGTHS)
    items = np.concatenate([np.ones(7, int), np.arange(total - 7) % 29 + 2])
    users = np.repeat(np.arange(1, 8), LENGTHS)
    return Sequences.from_interactions(users, items, 7)


@pytest.fixture(autouse=True)
def groups_of_one(monkeypatch):
    """A group needs no more than a user."""
    monkeypatch.setattr(buckets, "FEWEST", 1)


def evaluate_toy(histories, top=None, sampled=SAMPLED, full=FULL, **params):
    top = np.tile(np.arange(1, 11), (6, 1)) if top is None else np.array(top)
    ranks = Ranks(np.array(sampled), np.array(full), np.zeros(6), top)
    targets = Targets(np.array(USERS), np.array([5, 4, 3, 2, 1, 6]), np.ones((6, 3), np.int32))
    return evaluate(ranks, targets, histories, NUM_ITEMS, EvaluateParams(**PARAMS | params))


def test_metrics_by_hand(histories):
    result = evaluate_toy(histories)
    assert list(result.metrics) == ["sampled_3", "full"]
    assert result.metrics["sampled_3"] == pytest.approx(
        {
            "users": 6,
            "HR@1": 2 / 6,
            "HR@3": 5 / 6,
            "NDCG@1": 2 / 6,
            "NDCG@3": (1 + 1 / 2 + 1 / math.log2(3.5) + 1 / 2 + 1) / 6,
            "MRR": (1 + 1 / 3 + 2 / 5 + 1 / 4 + 1 / 3 + 1) / 6,
        }
    )
    full = result.metrics["full"]
    assert list(full)[-5:] == [
        *(f"{name}@10" for name in ("coverage", "popularity", "novelty", "popularity_lift")),
        "target_in_history",
    ]
    assert full["users"] == 6
    assert full["HR@3"] == pytest.approx(3 / 6)
    assert full["NDCG@3"] == pytest.approx((1 + 1 / math.log2(3) + 1 / 2) / 6)


def test_coverage_and_popularity_by_hand(histories):
    # Five users share a list of ten; the sixth has ten others but for item 1.
    top = [list(range(1, 11))] * 5 + [[1, *range(29, 38)]]
    full = evaluate_toy(histories, top=top).metrics["full"]
    assert full["coverage@10"] == pytest.approx(19 / 37)
    # 631 interactions: 7 of item 1, 624 in turns over the 29 items from 2 to 30: the first 15 of
    # them (2 to 16) have 22, the others 21, and items over 30 have none.
    shared, other = 7 + 9 * 22, 7 + 2 * 21
    assert full["popularity@10"] == pytest.approx((5 * shared + other) / 60)


def test_a_list_that_a_user_cannot_fill_counts_what_is_there(histories):
    # 0 stands where nothing is left to list.
    top = [[1, 2, 3, *[0] * 7]] * 6
    full = evaluate_toy(histories, top=top).metrics["full"]
    assert full["coverage@10"] == pytest.approx(3 / 37)
    assert full["popularity@10"] == pytest.approx((7 + 22 + 22) / 3)


def test_intervals_contain_the_metrics_and_follow_the_seed(histories):
    result = evaluate_toy(histories)
    assert result.intervals.keys() == result.metrics.keys()
    for protocol, intervals in result.intervals.items():
        for name, interval in intervals.items():
            assert interval["low"] <= result.metrics[protocol][name] <= interval["high"]
    assert evaluate_toy(histories).intervals == result.intervals
    assert evaluate_toy(histories, seed=2).intervals != result.intervals


def test_intervals_of_a_protocol_are_the_bootstrap_of_its_own_ranks(histories):
    result = evaluate_toy(histories, bootstrap_samples=137, seed=5)
    for protocol, ranks in (("sampled_3", SAMPLED), ("full", FULL)):
        generator = np.random.default_rng(5)
        expected = bootstrap_intervals(np.array(ranks), (1, 3), samples=137, generator=generator)
        for name, interval in expected.items():
            assert result.intervals[protocol][name] == pytest.approx(interval, abs=1e-6)


def test_what_is_reported_has_six_digits(histories):
    result = evaluate_toy(histories)
    assert result.metrics["full"]["HR@1"] == 0.166667
    assert result.metrics["full"]["coverage@10"] == 0.27027  # 10 / 37
    numbers = [list(interval.values()) for interval in result.intervals["full"].values()]
    assert all(number == round(number, 6) for pair in numbers for number in pair)


def test_users_without_candidates_are_left_out_of_the_sampled_protocol_alone(histories):
    sampled = (math.nan, 3.0, 2.5, 4.0, math.nan, 1.0)
    result = evaluate_toy(histories, sampled=sampled)
    alone = evaluate_toy(histories)
    assert {name: metrics["users"] for name, metrics in result.metrics.items()} == {
        "sampled_3": 4,
        "full": 6,
    }
    assert isinstance(result.metrics["sampled_3"]["users"], int)
    assert result.metrics["sampled_3"]["HR@3"] == 3 / 4
    assert result.metrics["full"] == alone.metrics["full"]
    assert result.intervals["full"] == alone.intervals["full"]
    assert 0 < result.intervals["sampled_3"]["MRR"]["low"] < result.metrics["sampled_3"]["MRR"]
    assert result.ranks.to_csv(index=False).splitlines()[1] == "1,5,1,,1.0"
    # The ranges 1-4 and 5-9 have two users each, 10-19 has the one without candidates.
    assert result.by_length["users"].tolist() == [2, 2, 1, 1]
    hits = result.by_length["sampled_MRR"].tolist()
    assert hits[:2] == [round(1 / 3, 6), round((1 / 2.5 + 1 / 4) / 2, 6)]
    assert math.isnan(hits[2])
    assert result.by_length["full_MRR"].tolist() == alone.by_length["full_MRR"].tolist()
    assert result.by_rank["sampled_share"].tolist() == [1 / 4, 1 / 4, 1 / 4, 1 / 4]
    assert result.by_rank["sampled_HR"].tolist() == [1 / 4, 1 / 4, 3 / 4, 1]


def test_pictures_take_a_range_in_which_nobody_has_candidates(histories, tmp_path):
    result = evaluate_toy(histories, sampled=(1.0, 3.0, 2.5, 4.0, math.nan, 1.0))
    draw_by_length(result.by_length, tmp_path / "by_length.png")
    draw_by_rank(result.by_rank, tmp_path / "by_rank.png")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_missing_rank_among_all_items_or_no_sampled_rank_at_all_is_an_error(histories):
    with pytest.raises(ValueError, match="ranks start from 1, found nan"):
        evaluate_toy(histories, full=(math.nan, *FULL[1:]))
    with pytest.raises(ValueError, match="no user is ranked"):
        evaluate_toy(histories, sampled=(math.nan,) * 6)


def test_ranks_of_every_user_are_kept(histories):
    table = evaluate_toy(histories).ranks
    assert table.to_dict("list") == {
        "user": list(USERS),
        "item": [5, 4, 3, 2, 1, 6],
        "history_length": [1, 4, 5, 9, 10, 600],
        "sampled_3": list(SAMPLED),
        "full": list(FULL),
    }


def test_by_length_equals_a_loop(histories):
    table = evaluate_toy(histories).by_length
    groups = {"1-4": [0, 1], "5-9": [2, 3], "10-19": [4], "500+": [5]}
    assert table["range"].tolist() == list(groups)
    assert table["users"].tolist() == [2, 2, 1, 1]
    assert table["history_length"].tolist() == [2.5, 7.0, 10.0, 600.0]
    for row, members in zip(table.to_dict("records"), groups.values(), strict=True):
        for protocol, ranks in (("sampled", SAMPLED), ("full", FULL)):
            own = [ranks[member] for member in members]
            hits = [rank for rank in own if rank <= 10]
            ndcg = sum(1 / math.log2(rank + 1) for rank in hits) / len(own)
            assert row[f"{protocol}_HR@10"] == len(hits) / len(own)
            assert row[f"{protocol}_NDCG@10"] == pytest.approx(ndcg, abs=1e-6)
            mrr = sum(1 / rank for rank in own) / len(own)
            assert row[f"{protocol}_MRR"] == pytest.approx(mrr, abs=1e-6)


def test_by_rank_by_hand(histories):
    table = evaluate_toy(histories).by_rank
    # Three candidates: ranks 1 to 4; a half rank (2.5) counts as the better one.
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["sampled_share"].tolist() == pytest.approx([2 / 6, 1 / 6, 2 / 6, 1 / 6], abs=1e-6)
    assert table["full_share"].tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 0], abs=1e-6)
    # A half rank is within the cut-off from the next whole number on.
    assert table["sampled_HR"].tolist() == pytest.approx([2 / 6, 2 / 6, 5 / 6, 1], abs=1e-6)
    assert table["full_HR"].tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 3 / 6], abs=1e-6)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ks", [], "evaluate.ks = "),
        ("ks", [5, 1], "rising cut-offs"),
        ("ks", [1, 1], "rising cut-offs"),
        ("ks", [0, 1], "evaluate.ks.0 = 0"),
        ("bootstrap_samples", 99, "evaluate.bootstrap_samples = 99"),
        ("baselines", ["random"], "evaluate.baselines.0 = 'random'.*'neighbours'"),
        ("baselines", ["markov", "markov"], "expected distinct names"),
        ("baselines", "popularity", "evaluate.baselines = 'popularity'"),
        ("filter_seen", "yes please", "evaluate.filter_seen = 'yes please'"),
    ],
)
def test_params_out_of_range_are_refused(tmp_path, key, value, message):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"evaluate": PARAMS | {key: value}}))
    with pytest.raises(UserError, match=message):
        load_params("evaluate", EvaluateParams, tmp_path / "params.yaml")


def draw_all(folder, histories):
    result = evaluate_toy(histories)
    training = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [1.3, 0.9, 0.8]})
    validation = pd.DataFrame({"epoch": [2, 3], "valid_loss": [1.1, 1.0]})
    for protocol in ("sampled", "full"):
        validation[f"{protocol}_HR@10"] = [0.25, 0.5]
        validation[f"{protocol}_NDCG@10"] = [0.125, 0.25]
    draw_training(training, validation, 3, folder / "training.png")
    draw_by_length(result.by_length, folder / "by_length.png")
    draw_by_rank(result.by_rank, folder / "by_rank.png")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pictures_are_png_and_the_same_twice(tmp_path, histories):
    first = draw_all(tmp_path / "first", histories)
    assert sorted(first) == ["by_length.png", "by_rank.png", "training.png"]
    for content in first.values():
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert content.endswith(b"IEND\xaeB`\x82")
        width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
        assert width > height > 300
    assert draw_all(tmp_path / "again", histories) == first


def test_the_few_numbers_of_tables_whatever_the_ks(histories):
    found = evaluate_toy(histories, ks=[1]).headline
    at_ten = evaluate_toy(histories, ks=[10]).metrics
    assert found == {
        protocol: {name: at_ten[protocol][name] for name in ("HR@10", "NDCG@10")}
        for protocol in ("sampled_3", "full")
    }
