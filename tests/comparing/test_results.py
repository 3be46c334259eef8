"""The tables of docs/results.md: their experiments are legal, and the page is what the data say."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT
from result_pages import fill_page
from result_tables import METRICS, Table, collect, load_tables
from toy_results import random_ranks, seeded, write_results

from sasrec.base.params import Section
from sasrec.model.params import ModelParams
from sasrec.ranking.metrics import summarise
from sasrec.sources.params import DataParams
from sasrec.training.trainer import TrainParams

TABLES = load_tables(ROOT / "benchmarks/results.yaml")
SECTIONS: dict[str, type[Section]] = {
    "data": DataParams,
    "model": ModelParams,
    "train": TrainParams,
}

CSV_FILES = ("runs", "rows", "differences")

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@every_table
def test_every_experiment_sets_legal_parameters(table):
    for experiment in table.experiments():
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for key, value in experiment.settings.items():
            section, name = key.split(".")
            assert name in params[section], key
            params[section][name] = value
        for section, kind in SECTIONS.items():
            kind.model_validate(params[section])


def test_equal_names_are_equal_experiments():
    # Tables share runs by name, so a name must not stand for two trainings.
    settings: dict[str, dict] = {}
    for table in TABLES.values():
        assert table.baseline in table.settings
        for experiment in table.experiments():
            assert settings.setdefault(experiment.name, experiment.settings) == experiment.settings


@every_table
def test_every_row_of_a_paper_table_has_its_number(table):
    assert not table.paper or list(table.paper) == list(table.settings)


def test_the_page_is_what_the_data_say(tmp_path):
    page = tmp_path / "results.md"
    shutil.copy(ROOT / "docs/results.md", page)
    fill_page(TABLES, page, ROOT / "docs/results")
    assert page.read_text("utf-8") == (ROOT / "docs/results.md").read_text("utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_short_tables_show_the_same_numbers(page):
    rows = pd.read_csv(ROOT / "docs/results/rows.csv").set_index("table").loc["variants-ml-1m"]
    lines = (ROOT / page).read_text("utf-8").splitlines()
    shown = [
        line for line in lines if re.match(r"\| (here, )?`\w+`.* \| 0\.\d{4} ± 0\.\d{4} \|", line)
    ]
    assert len(shown) >= 2
    for line in shown:
        name = re.search(r"`(\w+)`", line)[1]
        found = rows[rows["row"] == name].set_index(["protocol", "metric"])
        cells = [f"{found.loc[key, 'mean']:.4f} ± {found.loc[key, 'sd']:.4f}" for key in METRICS]
        assert [cell.strip() for cell in line.split("|")[2:6]] == cells


@pytest.fixture
def folder(tmp_path) -> Path:
    """CSV files of one table with two rows, of which the second has not run."""
    keys = {"table": "small", "row": "one"}
    rows = [
        keys | {"protocol": protocol, "metric": metric}
        | {"runs": 2, "mean": 0.5, "sd": 0.0125, "low": 0.25, "high": 0.75}
        for protocol, metric in METRICS
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    runs = [
        {"experiment": f"tiny-one-{seed}", "best_epoch": seed * 10, "epochs": seed * 20}
        | {"seconds_per_epoch": seconds}
        for seed, seconds in ((7, 1.25), (8, None))
    ]
    pd.DataFrame(runs).to_csv(tmp_path / "runs.csv", index=False)
    columns = ["table", "row", "protocol", "metric", "difference", "low", "high", "shown"]
    pd.DataFrame(columns=columns).to_csv(tmp_path / "differences.csv", index=False)
    return tmp_path


SMALL = Table(
    name="small",
    dataset="tiny",
    seeds={"one": (7, 8), "two": (7, 8), "three": (7, 8)},
    baseline="one",
    settings={"one": {}, "two": {"model.variant": "official"}, "three": {"model.num_blocks": 1}},
    paper={},
)


@pytest.fixture
def experiments(here):
    """Runs of the rows one and two, and one of the two that row three needs."""
    for row, seed, lift in (
        ("one", 7, 1),
        ("one", 8, 1),
        ("two", 7, 3),
        ("two", 8, 3),
        ("three", 7, 1),
    ):
        folder = here / f"tiny-{row}-{seed}"
        ranks = random_ranks(len(row) * seed, lift)
        write_results(folder, ranks, seeded(seed))
        metrics = {"HR@10": seed / 100, "NDCG@10": 0.5}
        test = {"sampled_100": metrics, "full": metrics}
        (folder / "metrics" / "test.json").write_text(json.dumps(test))
        training = {"best_epoch": seed, "epochs": 9, "valid": {"sampled_100": {"NDCG@10": 0.25}}}
        training |= {"seconds_per_epoch": 0.5} if seed == 7 else {}
        (folder / "metrics" / "train_details.json").write_text(json.dumps(training))
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "ran"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, *command], check=True)
    (here / "csv").mkdir()
    return here / "csv"


def test_finished_rows_are_collected(experiments):
    old = {"experiment": "tiny-one-7", "row": "one", "seed": 7, "epochs": 3}
    pd.DataFrame([old, old | {"experiment": "kept"}]).to_csv(experiments / "runs.csv", index=False)
    collect({"small": SMALL}, experiments, "a machine")
    runs, rows, tests = (pd.read_csv(experiments / f"{name}.csv") for name in CSV_FILES)
    assert runs["experiment"].tolist() == ["kept", *(f"tiny-{row}-{seed}" for row in ("one", "two")
                                                    for seed in (7, 8))]  # fmt: skip
    assert runs["epochs"].tolist() == [3, 9, 9, 9, 9]
    assert runs["sampled_HR@10"].tolist()[1:] == [0.07, 0.08, 0.07, 0.08]
    assert runs["seconds_per_epoch"].tolist()[1::2] == [0.5, 0.5]
    assert runs["seconds_per_epoch"].isna().tolist() == [True, False, True, False, True]
    assert set(rows["row"]) == {"one", "two"}
    for row, lift in (("one", 1), ("two", 3)):
        of_runs = [summarise(random_ranks(3 * seed, lift), (10,))["HR@10"] for seed in (7, 8)]
        found = rows[(rows["row"] == row) & (rows["protocol"] == "full")].set_index("metric")
        assert found.loc["HR@10", "mean"] == pytest.approx(np.mean(of_runs), abs=1e-6)
        spread = abs(of_runs[0] - of_runs[1]) / 2**0.5
        assert found.loc["HR@10", "sd"] == pytest.approx(spread, abs=1e-6)
        assert found.loc["HR@10", "low"] < np.mean(of_runs) < found.loc["HR@10", "high"]
        sampled = rows[(rows["row"] == row) & (rows["protocol"] == "sampled")].set_index("metric")
        at = [np.minimum(random_ranks(3 * seed, lift), 101) for seed in (7, 8)]
        expected = np.mean([summarise(ranks, (10,))["NDCG@10"] for ranks in at])
        assert sampled.loc["NDCG@10", "mean"] == pytest.approx(expected, abs=1e-6)
    assert set(tests["row"]) == {"two"}
    assert (tests["difference"] > 0).all()
    assert tests["shown"].all()


def test_differences_of_one_run_a_side_are_not_shown(experiments):
    alone = replace(SMALL, seeds={"one": (7,), "two": (7,)}, settings={"one": {}, "two": {}})
    collect({"small": alone}, experiments, "a machine")
    tests = pd.read_csv(experiments / "differences.csv")
    assert (tests["p_holm"] < 0.05).any()
    assert not tests["shown"].any()


def test_a_table_by_hand(folder):
    settings = {"one": {"model.variant": "paper"}, "two": {"model.num_blocks": 0}}
    table = Table(
        "small",
        "tiny",
        {"one": (7, 8), "two": (7,)},
        "one",
        settings,
        {"one": 0.5905, "two": 0.483},
    )
    page = folder / "page.md"
    page.write_text("before\n<!-- small -->\nold\n<!-- end -->\nafter\n")
    fill_page({"small": table}, page, folder)
    cell = "0.5000 ± 0.0125 (0.250 to 0.750)"
    assert page.read_text().splitlines()[1:] == [
        "<!-- small -->",
        "| row | paper's NDCG@10 | HR@10 sampled | NDCG@10 sampled | HR@10 full | NDCG@10 full "
        "| best epoch | epochs | s an epoch |",
        "|" + " --- |" * 9,
        f"| `one` | 0.5905 |{f' {cell} |' * 4} 70, 80 | 140, 160 | 1.2 |",
        f"| `two` | 0.4830 |{' not run yet |' * 4}  |  |  |",
        "",
        "```bash",
        "dvc exp run --queue -S model.variant=paper -S train.seed=7,8",
        "dvc exp run --queue -S model.num_blocks=0 -S train.seed=7",
        "```",
        "<!-- end -->",
        "after",
    ]
