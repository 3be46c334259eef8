"""benchmarks/result_new_items.py: how items that training never saw are ranked, over seeds."""

import json
from pathlib import Path

import pandas as pd
import pytest
from result_markdown import commands
from result_new_items import collect_new_items, read_new_items, table_of_new_items
from result_tables import Table
from toy_results import random_ranks, seeded, write_results

from sasrec.base.errors import UserError

TABLE = Table(
    name="new",
    dataset="tiny",
    seeds={"cold-none": (7, 8), "cold-content": (7, 8)},
    baseline="cold-none",
    settings={"cold-none": {"train.new_items": "none"}, "cold-content": {"model.num_blocks": 1}},
    paper={},
    kind="new_items",
)


def write_run(folder: Path, row: str, seed: int, cold: dict | None) -> None:
    run = write_results(folder / f"tiny-{row}-{seed}", random_ranks(seed), seeded(seed))
    details = {"full": {}} if cold is None else {"full": {}, "cold": cold}
    (run / "metrics/test_details.json").write_text(json.dumps(details))


def measured(model: float) -> dict:
    """As evaluate describes new items: other numbers for each of what ranks, among and metric."""
    values = {"model": model, "popularity": 0.0, "chance": 0.125}
    return {"items": 5, "targets": 3} | {
        among: {
            name: {"HR@10": {"mean": value / share}, "NDCG@10": {"mean": value / share / 2}}
            for name, value in values.items()
        }
        for among, share in (("among_cold", 1), ("among_all", 10))
    }


def test_a_seed_is_that_of_the_split_too():
    experiment = TABLE.experiments("cold-none")[1]
    assert experiment.name == "tiny-cold-none-8"
    assert experiment.settings == {"train.new_items": "none", "split.seed": 8, "train.seed": 8}
    lines = [line for line in commands(TABLE).splitlines() if line.startswith("dvc ")]
    # A command a seed: of two lists, DVC would run every pair.
    assert [line.split("--queue ")[1] for line in lines] == [
        f"-S {own} -S split.seed={seed} -S train.seed={seed}"
        for own in ("train.new_items=none", "model.num_blocks=1")
        for seed in (7, 8)
    ]


def test_by_hand(here):
    # Mean of .25 and .75; their standard deviation is .5 / sqrt(2).
    write_run(here, "cold-none", 7, measured(0.25))
    write_run(here, "cold-none", 8, measured(0.75))
    write_run(here, "cold-content", 7, measured(0.5))
    collect_new_items({"new": TABLE}, here)
    lines = read_new_items(here)
    assert len(lines) == 3 * 2 * 2
    assert set(lines["runs"]) == {2}
    assert table_of_new_items(TABLE, lines).splitlines() == [
        "| row | HR@10 among the new | NDCG@10 among the new | HR@10 among all |",
        "| --- | --- | --- | --- |",
        "| `cold-none` | 0.5000 ± 0.3536 | 0.2500 ± 0.1768 | 0.0500 ± 0.0354 |",
        "| `cold-content` | not run yet | not run yet | not run yet |",
        "| *popularity* | 0.0000 ± 0.0000 | 0.0000 ± 0.0000 | 0.0000 ± 0.0000 |",
        "| *chance* | 0.1250 ± 0.0000 | 0.0625 ± 0.0000 | 0.0125 ± 0.0000 |",
    ]


def test_without_any_run(here):
    collect_new_items({"new": TABLE}, here)
    assert not (here / "new_items.csv").exists()
    _, _, *rows = table_of_new_items(TABLE, read_new_items(here)).splitlines()
    assert rows == [f"| `{row}` |{' not run yet |' * 3}" for row in TABLE.settings]


def test_other_tables_and_older_runs_stay(here):
    write_run(here, "cold-none", 7, measured(0.25))
    write_run(here, "cold-none", 8, measured(0.75))
    keys = {"row": "cold-none", "among": "among_all", "metric": "HR@10"}
    old = [{"table": name, **keys, "runs": 9, "mean": 0.5, "sd": None} for name in ("new", "kept")]
    pd.DataFrame(old).to_csv(here / "new_items.csv", index=False)
    collect_new_items({"new": TABLE}, here)
    found = read_new_items(here).set_index(["table", *keys])["mean"]
    assert found["kept", "cold-none", "among_all", "HR@10"] == 0.5
    assert found["new", "cold-none", "among_all", "HR@10"] == 0.05


def test_a_run_that_held_no_items_out(here):
    write_run(here, "cold-none", 7, measured(0.25))
    write_run(here, "cold-none", 8, None)
    with pytest.raises(UserError, match=r"cold-none-8: metrics/test_details.json says nothing"):
        collect_new_items({"new": TABLE}, here)
