"""benchmarks/costs.py: each row is timed once, on its own data, and the file keeps other rows."""

import costs
import pandas as pd
import pytest
from costs import Row, by_data, measure, timed_tables
from places import ROOT
from result_tables import Table, load_tables
from timing import Timing

from sasrec.base.errors import UserError

SMALL = {
    "data.name": "synthetic",
    "data.synthetic.num_users": 40,
    "data.synthetic.num_items": 30,
    "data.synthetic.num_interactions": 500,
    "split.num_candidates": 5,
    "model.hidden_size": 6,
    "model.max_length": 7,
    "train.kernels": "plain",
    "train.device": "cpu",
}


def toy_table(name: str, dataset: str, *rows: str, **settings: object) -> Table:
    """Rows that differ in the loss."""
    losses = {"binary": "binary_cross_entropy", "full": "cross_entropy", "gbce": "gbce"}
    own = {row: SMALL | {"objective.loss": losses[row]} | settings for row in rows}
    return Table(name, dataset, dict.fromkeys(rows, (1,)), rows[0], own, {})


TWO_TABLES = [
    toy_table("first", "tiny", "binary", "full"),
    toy_table("second", "tiny", "gbce", "binary"),
]


def test_rows_of_several_tables_are_timed_once():
    (rows,) = by_data(TWO_TABLES)
    assert list(rows) == [("tiny", "binary"), ("tiny", "full"), ("tiny", "gbce")]
    assert rows["tiny", "full"]["objective"]["loss"] == "cross_entropy"
    assert rows["tiny", "full"]["data"]["synthetic"]["num_items"] == 30


def test_rows_on_other_data_are_timed_apart():
    other = toy_table("third", "tiny", "full", **{"split.num_candidates": 7})
    assert [list(rows) for rows in by_data([TWO_TABLES[1], other])] == [
        [("tiny", "gbce"), ("tiny", "binary")],
        [("tiny", "full")],
    ]


def test_every_row_whose_seconds_the_page_shows_is_timed():
    tables = load_tables(ROOT / "benchmarks/results.yaml").values()
    timed = {row for rows in by_data(timed_tables([])) for row in rows}
    shown = [table for table in tables if table.kind == "ranking"]
    assert timed == {(table.dataset, row) for table in shown for row in table.settings}
    others = [table.name for table in tables if table.kind == "new_items"]
    with pytest.raises(UserError, match="name one or more of the tables"):
        timed_tables(others)


class Stub:
    """A trainer whose epochs take as long as told."""

    def __init__(self, seconds, order):
        self.seconds, self.order = iter(seconds), order

    def run_epoch(self, epoch):
        self.order.append((epoch, self))
        return type("Stats", (), {"seconds": next(self.seconds)})


def test_rows_take_turns_and_the_first_is_not_counted():
    order: list = []
    one, two = Stub([9, 2, 1, 6], order), Stub([8, 3, 3, 4], order)
    names = Row("tiny", "one"), Row("tiny", "two")
    found = costs.take_turns(dict(zip(names, (one, two), strict=True)), 3)
    assert order == [(epoch, stub) for epoch in (1, 2, 3, 4) for stub in (one, two)]
    assert found == {names[0]: Timing([2, 1, 6]), names[1]: Timing([3, 3, 4])}
    assert [found[name].median for name in names] == [2, 3]


def test_costs_are_measured_and_merged(here):
    # The row `full` is measured anew, the row `kept` is of no table here.
    path = here / "costs.csv"
    old = {"dataset": "tiny", "row": "full", "seconds_per_epoch": 1e9, "threads": 3}
    old |= {"machine": "Abacus", "date": "1999-12-31"}
    pd.DataFrame([old, old | {"row": "kept"}]).to_csv(path, index=False)
    measure([TWO_TABLES[0]], 1, path)
    found = pd.read_csv(path)
    assert list(found) == ["dataset", "row", "seconds_per_epoch", "threads", "machine", "date"]
    assert found["row"].tolist() == ["binary", "full", "kept"]
    assert (found["seconds_per_epoch"][:2] > 0).all()
    assert (found["seconds_per_epoch"][:2] < 60).all()
    assert found["seconds_per_epoch"].tolist()[2] == 1e9
    assert found["threads"].tolist() == [1, 1, 3]
    assert sorted(here.iterdir()) == [path]  # the workspace stays as it is


def test_a_stage_that_fails_ends_it(here, monkeypatch, capfd):
    monkeypatch.setenv("SASREC_MIRROR", str(here / "none"))
    table = toy_table("first", "tiny", "binary", **{"data.name": "ml-1m-sasrec"})
    with pytest.raises(UserError, match=r"^stages/download.py failed, see above$"):
        measure([table], 1, here / "costs.csv")
    assert "SASREC_MIRROR" in capfd.readouterr().err
    assert not (here / "costs.csv").exists()
