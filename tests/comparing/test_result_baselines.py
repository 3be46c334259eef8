"""benchmarks/result_baselines.py: what needs no training, from one run of each dataset."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from places import ROOT
from result_baselines import collect_baselines, read_baselines, shared_data, tables_of_baselines
from result_tables import METRICS, Table, load_tables, of_kind

from sasrec.base.errors import UserError

TABLES = of_kind(load_tables(ROOT / "benchmarks/results.yaml"), "ranking")
SECTIONS = ("data", "split", "evaluate")  # of params.yaml, what baselines depend on


def toy_table(name: str, dataset: str, settings: dict, seeds=(7, 8)) -> Table:
    return Table(name, dataset, {"one": seeds}, "one", {"one": settings}, {})


LONG = toy_table("long", "tiny", {"data.name": "tiny", "model.max_length": 5})
SHORT = toy_table("short", "tiny-3", {"data.name": "tiny", "model.max_length": 3})
OTHER = toy_table("other", "large", {"data.name": "large"})
TOYS = {table.name: table for table in (LONG, SHORT, OTHER)}


def write_run(folder: Path, name: str, content: str | None) -> None:
    (folder / name / "metrics").mkdir(parents=True)
    if content is not None:
        (folder / name / "metrics/baselines.json").write_text(content)


def measured(value: float) -> str:
    metrics = {"users": 3, "HR@10": value, "NDCG@10": value / 2, "MRR": 1}
    return json.dumps({"markov": {"sampled_7": metrics, "full": metrics}})


def test_lengths_share_data_and_splits_do_not():
    held_out = replace(LONG, dataset="cold", settings={"one": {"split.cold_items": 0.1}})
    found = shared_data(TOYS | {"cold": held_out})
    assert found == {"long": "tiny", "short": "tiny", "other": "large", "cold": "cold"}
    assert shared_data(TABLES)["contrasts-ml-1m"] == "ml-1m"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_of_a_table_rank_the_same_candidates(table):
    chosen = [
        {key: value for key, value in settings.items() if key.split(".")[0] in SECTIONS}
        for settings in table.settings.values()
    ]
    assert all(own == chosen[0] for own in chosen)


def test_the_first_finished_run_that_has_them_tells(here):
    write_run(here, "tiny-one-7", None)  # older than the baselines
    write_run(here, "tiny-one-8", "{}")  # evaluate.baselines: []
    write_run(here, "tiny-3-one-7", measured(0.5))
    write_run(here, "tiny-3-one-8", measured(0.75))
    write_run(here, "large-one-8", measured(0.25))
    old = {"dataset": "kept", "baseline": "markov", "protocol": "full", "metric": "HR@10"}
    pd.DataFrame([old | {"mean": 0.125}]).to_csv(here / "baselines.csv", index=False)
    finished = {"tiny-one-7", "tiny-one-8", "tiny-3-one-7", "large-one-8"}
    collect_baselines(TOYS, finished, here)
    lines = read_baselines(here).set_index(["dataset", "baseline", "protocol", "metric"])["mean"]
    assert lines.to_dict() == {
        ("kept", "markov", "full", "HR@10"): 0.125,
        **{("tiny", "markov", *key): 0.5 if key[1] == "HR@10" else 0.25 for key in METRICS},
        **{("large", "markov", *key): 0.25 if key[1] == "HR@10" else 0.125 for key in METRICS},
    }


def test_runs_without_baselines_leave_no_file(here):
    write_run(here, "tiny-one-7", None)
    collect_baselines(TOYS, {"tiny-one-7"}, here)
    assert not (here / "baselines.csv").exists()
    assert read_baselines(here).empty


@pytest.mark.parametrize("content", ["{", "[]", '{"markov": 7}'])
def test_other_content_is_refused(here, content):
    write_run(here, "large-one-7", content)
    with pytest.raises(UserError, match=r"large-one-7: metrics/baselines.json is not as evaluate"):
        collect_baselines(TOYS, {"large-one-7"}, here)


def test_the_papers_numbers_stand_beside():
    names = {"ml-1m": "ml-1m-sasrec"}
    lines = tables_of_baselines(read_baselines(Path("nowhere")), names).splitlines()
    assert len(lines) == 7
    assert lines[0] == "`ml-1m` (`data.name: ml-1m-sasrec`):"
    assert lines[2].endswith("| paper's HR@10 | paper's NDCG@10 |")
    assert lines[4] == f"| *popularity* |{' not run yet |' * 4} 0.4329 (PopRec) | 0.2377 |"
    assert lines[6] == f"| *neighbours* |{' not run yet |' * 4}  |  |"
