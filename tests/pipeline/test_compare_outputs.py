"""Comparing two experiments: the report as JSON, the picture, and the command."""

import json
import subprocess
import sys

import numpy as np
from matplotlib import image
from places import STAGES
from toy_results import (
    LIFT,
    USERS,
    compare,
    random_ranks,
    seeded,
    write_results,
    write_seeds,
)

from sasrec.comparing.runs.comparison import report
from sasrec.comparing.runs.figure import draw_differences

SCRIPT = STAGES / "compare.py"


def test_report_is_json_with_everything_in_it(here):
    a, b = write_seeds(here, "plain", (1, 2)), write_seeds(here, "lifted", (1, 2), LIFT)
    found = report(compare(a, b))
    assert json.loads(json.dumps(found, allow_nan=False))["users"] == USERS
    assert [one["name"] for one in found["B"]] == ["lifted-1", "lifted-2"]
    assert found["A"][1]["params"] == {"model.variant": "paper", "train.seed": 2}
    assert found["A"][0]["training"]["epochs"] == 9
    last = found["verdicts"][-1]
    assert (last["protocol"], last["metric"]) == ("full", "NDCG@10")
    assert len(last["difference"]["run_differences"]) == 2
    assert found["bootstrap"] == {"samples": 1000, "seed": 1}


def test_values_that_json_lacks_become_text(here):
    write_results(here / "one", random_ranks(1), seeded(1))
    write_results(here / "two", random_ranks(2), seeded(1))
    (here / "one" / "params.yaml").write_text("a: 2024-03-01\nb: {c: .nan}\n")
    (here / "one" / "metrics" / "train_details.json").write_text('{"train_loss": NaN}')
    found = report(compare("one", "two"))
    assert found["A"][0]["params"] == {"a": "2024-03-01", "b.c": "NaN"}
    assert "NaN" in json.dumps(found, allow_nan=False)


def test_picture_shows_each_difference_and_its_seeds(here):
    a, b = write_seeds(here, "plain", (1, 2)), write_seeds(here, "lifted", (1, 2), LIFT)
    write_results(here / "cost$x_$^", random_ranks(5))
    draw_differences(compare("plain-1", "cost$x_$^"), here / "again.png")
    for name, runs in (("single", ("plain-1", "lifted-1")), ("seeds", (a, b))):
        found = compare(*runs)
        draw_differences(found, here / f"{name}.png")
        draw_differences(found, here / "again.png")
        assert (here / "again.png").read_bytes() == (here / f"{name}.png").read_bytes()
    pictures = [image.imread(here / f"{name}.png")[..., :3] for name in ("single", "seeds")]
    blue = [np.isclose(picture, [31 / 255, 119 / 255, 180 / 255]).all(-1) for picture in pictures]
    assert blue[0].sum() > 1000  # intervals of the differences that are shown
    assert (pictures[0].shape[1], pictures[0].shape[2]) == (960, 3)
    assert not np.array_equal(*pictures)


def test_command_prints_and_writes_what_is_asked_for(tmp_path):
    write_results(tmp_path / "one", random_ranks(1))
    write_results(tmp_path / "two", random_ranks(2, LIFT))
    options = ("-k", "5,10", "--samples", "1000", "--json", "out/x.json", "--plot", "out/x.png")
    command = [sys.executable, str(SCRIPT), "one", "two", *options]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "NDCG@5 (full): B is higher by" in result.stdout
    assert json.loads((tmp_path / "out" / "x.json").read_text())["level"] == 0.95
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x.json", "x.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "out", "two"]
