"""The table of experiments, from what `dvc exp show --json` gives (DVC 3.67)."""

import csv
import subprocess

import pytest

import experiments
from sasrec.base.errors import UserError
from sasrec.comparing.overview import rows
from sasrec.comparing.overview.rows import Row, rows_of
from sasrec.comparing.overview.text import as_csv, as_table, differing

COMMIT = "8c5722f2dd7af02d9a56fe41d7a1ada48a904891"
OTHER = "79ffb0621c6447f1f7897b3764d45647e6953c7b"


def data_of(time, hits=0.5, **params):
    """What DVC tells of one revision; `hits` is its HR@10."""
    test = {"HR@10": hits, "NDCG@10": hits / 2, "HR@5": 0.1, "MRR": 0.2}
    content = {"data": {"name": "toy"}, "train": {"seed": 1, "ks": [1, 2]} | params}
    return {
        "timestamp": time,
        "params": {"params.yaml": {"data": content}},
        "metrics": {
            "metrics/test.json": {"data": {"sampled_5": test, "full": test}},
            "metrics/train.json": {"data": {"best_epoch": 3, "valid": {"full": {"NDCG@10": 0.3}}}},
        },
    }


def experiment(name, data, state=None):
    executor = {"state": state, "name": "dvc-task", "local": None} if state else None
    error = {"msg": "Experiment run failed", "type": ""} if state == "failed" else None
    revision = {"rev": "1af3682de20014eb539f", "name": name, "data": data, "error": error}
    return {"revs": [revision], "executor": executor, "name": name}


def entry(revision, name, data, experiments=None, error=None):
    return {"rev": revision, "name": name, "data": data, "error": error, "experiments": experiments}


SHOWN = [
    entry("workspace", None, data_of(None)),
    entry(
        COMMIT,
        "main",
        data_of("2026-11-25T11:00:10"),
        [
            experiment("later", data_of("2026-11-25T12:00:00", 0.75, seed=2)),
            experiment("early", data_of("2026-11-25T11:30:00", 0.625, lr=0.01), "success"),
            experiment("bad", data_of("2026-11-25T13:00:00", seed=9), "failed"),
            experiment("waits", data_of("2026-11-25T13:00:00", seed=4), "queued"),
            experiment(None, data_of("2026-11-25T14:00:00", seed=5), "running"),
        ],
    ),
    entry(OTHER, None, None, error={"msg": "no dvc.yaml", "type": "X"}),
]


def test_rows_stand_by_commit_and_time():
    found = rows_of(SHOWN)
    assert [(row.name, row.commit, row.state) for row in found] == [
        ("workspace", None, ""),
        ("main", None, ""),
        ("early", "main", ""),
        ("later", "main", ""),
        ("bad", "main", "failed"),
        ("waits", "main", "queued"),
        ("1af3682", "main", "running"),
        ("79ffb06", None, "unreadable"),
    ]
    assert found[2].metrics == {
        "sampled_5.HR@10": 0.625,
        "sampled_5.NDCG@10": 0.3125,
        "full.HR@10": 0.625,
        "full.NDCG@10": 0.3125,
        "best_epoch": 3,
    }
    assert all(row.metrics == {} for row in found if row.state), "not what they began with"
    assert found[4].params == {"data.name": "toy", "train.seed": 9, "train.ks": [1, 2]}


def test_only_what_differs_is_shown():
    found = rows_of(SHOWN)
    # The learning rate stands in one row alone, so nothing is known to differ from it.
    assert differing(found) == ["train.seed"]
    again = Row("again", params={"train.ks": [1, 3], "data.name": "toy"})
    assert differing([*found, again]) == ["train.seed", "train.ks"]


def test_the_table_by_hand():
    assert as_table(rows_of(SHOWN), 120).splitlines() == [
        "                        train  sampled_5  sampled_5    full     full   best",
        "experiment  state        seed      HR@10    NDCG@10   HR@10  NDCG@10  epoch",
        "---------------------------------------------------------------------------",
        "workspace                   1     0.5000     0.2500  0.5000   0.2500      3",
        "main                        1     0.5000     0.2500  0.5000   0.2500      3",
        "  early                     1     0.6250     0.3125  0.6250   0.3125      3",
        "  later                     2     0.7500     0.3750  0.7500   0.3750      3",
        "  bad       failed          9",
        "  waits     queued          4",
        "  1af3682   running         5",
        "79ffb06     unreadable",
    ]


@pytest.mark.parametrize("width", [1, 20, 40, 60, 74, 75, 300])
def test_no_line_is_wider_than_the_terminal(width):
    text = as_table(rows_of(SHOWN), width)
    widest = max(map(len, text.splitlines()))
    names_and_a_column = len("experiment  unreadable")
    assert widest <= max(width, names_and_a_column)
    assert text.count("workspace") == text.count("experiment  ") == text.count("\n\n") + 1
    assert text.count("0.6250") == 2


def test_a_table_without_anything_but_names():
    assert as_table([Row("workspace")], 80) == "experiment\n----------\nworkspace"


def test_csv_has_all_of_it():
    lines = list(csv.DictReader(as_csv(rows_of(SHOWN)).splitlines()))
    assert [line["name"] for line in lines][1:4] == ["main", "early", "later"]
    assert lines[2] == {
        "name": "early",
        "commit": "main",
        "state": "",
        "created": "2026-11-25T11:30:00",
        "train.seed": "1",
        "sampled_5.HR@10": "0.625",
        "sampled_5.NDCG@10": "0.3125",
        "full.HR@10": "0.625",
        "full.NDCG@10": "0.3125",
        "best_epoch": "3",
    }
    assert lines[4]["state"] == "failed"
    assert lines[4]["best_epoch"] == ""


def test_what_dvc_says_is_one_sentence(monkeypatch):
    said = "ERROR: you are not inside of a DVC repository\n"
    answer = subprocess.CompletedProcess([], 255, "", said)
    monkeypatch.setattr(rows.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(UserError, match="`dvc exp show` failed: you are not inside of a DVC"):
        rows.read_rows([])


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [([], ["--num", "1"]), (["-n", "3"], ["--num", "3"]), (["-A"], ["--all-commits"])],
)
def test_the_script_asks_dvc_and_prints(monkeypatch, capsys, arguments, asked):
    def read(options):
        assert options == asked
        return rows_of(SHOWN)

    monkeypatch.setattr(experiments, "read_rows", read)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.argv", ["experiments.py", *arguments])
    experiments.main()
    assert capsys.readouterr().out == as_table(rows_of(SHOWN), 100) + "\n"
    monkeypatch.setattr("sys.argv", ["experiments.py", *arguments, "--csv"])
    experiments.main()
    assert capsys.readouterr().out == as_csv(rows_of(SHOWN))


def test_no_commits_are_none(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["experiments.py", "-n", "0"])
    with pytest.raises(SystemExit):
        experiments.main()
    assert "--num 0: expected 1 or more" in capsys.readouterr().err
