"""The tables of docs/results.md: their experiments are legal, and the page is what the data say."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT
from result_collecting import collect
from result_pages import fill_page
from result_tables import METRICS, SEED_KEYS, Table, load_tables, named_tables
from toy_results import random_ranks, seeded, write_results
from workloads import params_with

from sasrec.base.errors import UserError
from sasrec.base.params import Section
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.ranking.baselines.tables import BASELINES
from sasrec.ranking.metrics import summarise
from sasrec.ranking.params import EvaluateParams
from sasrec.sources.params import DataParams
from sasrec.splitting.cutting import SplitParams
from sasrec.training.params import TrainParams

RESULTS = ROOT / "benchmarks/results.yaml"
TABLES = load_tables(RESULTS)
SECTIONS: dict[str, type[Section]] = {
    "data": DataParams,
    "split": SplitParams,
    "model": ModelParams,
    "objective": ObjectiveParams,
    "train": TrainParams,
    "evaluate": EvaluateParams,
}

CSV_FILES = ("runs", "rows", "differences")

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@every_table
def test_every_experiment_sets_legal_parameters(table):
    for experiment in table.experiments():
        params = params_with(experiment.settings)
        assert list(params) == list(SECTIONS)
        for section, kind in SECTIONS.items():
            kind.model_validate(params[section])


def test_settings_stand_on_top_of_the_parameters():
    before = params_with({})
    changed = {"train.seed": 7, "objective.augmentation_shares.crop": 0.5}
    after = params_with(changed)
    assert after["train"] == before["train"] | {"seed": 7}
    shares = before["objective"]["augmentation_shares"]
    assert after["objective"]["augmentation_shares"] == shares | {"crop": 0.5}
    assert params_with({}) == before


@pytest.mark.parametrize(
    "key", ["seed", "train.sead", "trein.seed", "train.seed.more", "data.synthetic.users"]
)
def test_settings_have_keys_of_the_parameters(key):
    with pytest.raises(UserError, match=rf"params.yaml has no key {key}$"):
        params_with({key: 7})


def test_tables_say_nothing_that_is_not_read():
    known = {"dataset", "seeds", "more_seeds", "baseline", "rows", "paper", "kind"}
    for name, table in yaml.safe_load(RESULTS.read_text("utf-8"))["tables"].items():
        assert set(table) <= known, name
        assert set(table.get("more_seeds", ())) <= set(table["rows"]), name
        assert table.get("kind", "ranking") in SEED_KEYS, name


def test_more_seeds_of_a_row(tmp_path):
    content = {
        "datasets": {"tiny": {}},
        "rows": {"one": {}, "two": {}},
        "tables": {
            "small": {"dataset": "tiny", "baseline": "one", "rows": ["one", "two"]}
            | {"seeds": [7], "more_seeds": {"one": [7, 8]}}
        },
    }
    (tmp_path / "results.yaml").write_text(yaml.safe_dump(content))
    table = load_tables(tmp_path / "results.yaml")["small"]
    names = ["tiny-one-7", "tiny-one-8", "tiny-two-7"]
    assert [experiment.name for experiment in table.experiments()] == names


@pytest.mark.parametrize("names", [[], ["small"], ["variants-ml-1m", "small"]])
def test_tables_are_named(names):
    with pytest.raises(UserError, match="name one or more of the tables variants-ml-1m, "):
        named_tables(TABLES, names)


@every_table
def test_the_commands_on_the_page_are_the_experiments(table):
    page = (ROOT / "docs/results.md").read_text("utf-8")
    own = page.split(f"<!-- {table.name} -->\n")[1].split("<!-- end -->")[0]
    commands = [line for line in own.splitlines() if line.startswith("dvc ")]
    found = []
    for command in commands:
        words = shlex.split(command)
        assert words[:4] == ["dvc", "exp", "run", "--queue"]
        assert words[4::2] == ["-S"] * len(words[5::2])
        settings = dict(word.split("=", 1) for word in words[5::2])
        seeds = [int(seed) for seed in settings.pop("train.seed").split(",")]
        values = {key: yaml.safe_load(value) for key, value in settings.items()}
        found += [values | {"train.seed": seed} for seed in seeds]
    assert [experiment.settings for experiment in table.experiments()] == found


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
        for seed in (7, 8)
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


ON_PAGE = replace(
    SMALL,
    seeds={"one": (7, 8), "two": (7,)},
    settings={"one": {"model.variant": "paper"}, "two": {"model.num_blocks": 0}},
)
CELL = "0.5000 ± 0.0125 (0.250 to 0.750)"


def filled(table: Table, folder: Path) -> list[str]:
    """Lines of a page with the places of the costs, of `table` and of the baselines."""
    page = folder / "page.md"
    places = (
        f"<!-- {name} -->\nold\n<!-- end -->\n" for name in ("costs", table.name, "baselines")
    )
    page.write_text(f"before\n{''.join(places)}after\n")
    fill_page({table.name: table}, page, folder)
    return page.read_text().splitlines()


def write_costs(folder: Path, rows: dict[tuple[str, str], float]) -> None:
    lines = [
        {"dataset": dataset, "row": row, "seconds_per_epoch": seconds}
        | {"threads": 2, "machine": "Abacus"}
        for (dataset, row), seconds in rows.items()
    ]
    pd.DataFrame(lines).to_csv(folder / "costs.csv", index=False)


def test_a_table_by_hand(folder):
    table = replace(ON_PAGE, paper={"one": 0.5905, "two": 0.483})
    assert filled(table, folder) == [
        "before",
        "<!-- costs -->",
        "<!-- end -->",
        "<!-- small -->",
        "| row | paper's NDCG@10 | HR@10 sampled | NDCG@10 sampled | HR@10 full | NDCG@10 full "
        "| best epoch | epochs |",
        "|" + " --- |" * 8,
        f"| `one` | 0.5905 |{f' {CELL} |' * 4} 70, 80 | 140, 160 |",
        f"| `two` | 0.4830 |{' not run yet |' * 4}  |  |",
        "",
        "<details><summary>Commands</summary>",
        "",
        "```bash",
        "dvc exp run --queue -S model.variant=paper -S train.seed=7,8",
        "dvc exp run --queue -S model.num_blocks=0 -S train.seed=7",
        "```",
        "",
        "</details>",
        "<!-- end -->",
        "<!-- baselines -->",
        "`tiny`:",
        "",
        f"| baseline | {' | '.join(f'{metric} {protocol}' for protocol, metric in METRICS)} |",
        "|" + " --- |" * 5,
        *(f"| *{name}* |{' not run yet |' * 4}" for name in BASELINES),
        "<!-- end -->",
        "after",
    ]


def test_costs_by_hand(folder):
    # 75 epochs of 12 s to the best one, in the mean of two seeds.
    write_costs(folder, {("tiny", "one"): 12, ("tiny", "two"): 0.346, ("other", "one"): 99})
    lines = filled(ON_PAGE, folder)
    assert "(Abacus, 2 threads)" in lines[2]
    assert "[costs.csv](results/costs.csv)" in lines[2]
    table = lines.index("<!-- small -->")
    assert lines[table + 1].endswith("| best epoch | epochs | s an epoch | min to the best epoch |")
    assert lines[table + 3].endswith("| 70, 80 | 140, 160 | 12.00 | 15.0 |")
    assert lines[table + 4].endswith("|  |  | 0.35 |  |")


def test_rows_without_a_cost_have_empty_cells(folder):
    write_costs(folder, {("tiny", "two"): 2, ("other", "one"): 99})
    lines = filled(ON_PAGE, folder)
    table = lines.index("<!-- small -->")
    assert lines[table + 3].endswith("| 70, 80 | 140, 160 |  |  |")
    assert lines[table + 4].endswith("|  |  | 2.00 |  |")


def test_costs_of_other_rows_leave_no_columns(folder):
    without = filled(ON_PAGE, folder)
    write_costs(folder, {("other", "one"): 99, ("tiny", "three"): 1})
    lines = filled(ON_PAGE, folder)
    assert lines[lines.index("<!-- small -->") :] == without[without.index("<!-- small -->") :]


def test_baselines_stand_at_the_end_of_a_table(folder):
    means = [0.25, 0.125, 0.0625, 0.03125]
    lines = [
        {"dataset": dataset, "baseline": "markov", "protocol": protocol, "metric": metric}
        | {"mean": mean + shift}
        for dataset, shift in (("tiny", 0), ("other", 0.5))
        for (protocol, metric), mean in zip(METRICS, means, strict=True)
    ]
    pd.DataFrame(lines).to_csv(folder / "baselines.csv", index=False)
    write_costs(folder, {("tiny", "one"): 12})
    lines = filled(replace(ON_PAGE, paper={"one": 0.5905, "two": 0.483}), folder)
    place = lines.index("<!-- small -->")
    cells = "0.2500 | 0.1250 | 0.0625 | 0.0312"
    assert lines[place + 5] == f"| *markov* |  | {cells} |  |  |  |  |"
    assert lines[place + 6] == ""
    own = lines[lines.index("<!-- baselines -->") :]
    assert f"| *markov* | {cells} |" in own
    assert f"| *popularity* |{' not run yet |' * 4}" in own


def test_a_table_without_any_run(folder):
    table = replace(ON_PAGE, name="new", dataset="empty", settings={"none": {}, "yet": {}},
                    seeds={"none": (7,), "yet": (7,)}, baseline="none")  # fmt: skip
    lines = filled(table, folder)
    place = lines.index("<!-- new -->")
    for number, row in enumerate(table.settings, place + 3):
        assert lines[number] == f"| `{row}` |{' not run yet |' * 4}  |  |"
    assert lines[place + 6] == "<details><summary>Commands</summary>"


def test_a_page_without_a_place(folder):
    places = (f"<!-- {name} -->\n<!-- end -->\n" for name in ("costs", "baselines"))
    (folder / "page.md").write_text("".join(places))
    with pytest.raises(UserError, match=r"page.md: no place <!-- small -->"):
        fill_page({"small": ON_PAGE}, folder / "page.md", folder)
