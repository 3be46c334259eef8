"""Timings stand beside the repository, and are found by the metrics of their training."""

import pytest

from sasrec.training.timings import find_timing, keep_timing

METRICS = {"epochs": 7, "valid": {"loss": 0.125}}
TIMING = {"seconds_per_epoch": 0.25, "interactions_per_second": 1100}


@pytest.fixture
def root(here, monkeypatch):
    """The main checkout, which is not the working folder of an experiment."""
    monkeypatch.setenv("DVC_ROOT", str(here / "main"))
    return here / "main"


def test_a_timing_is_found_by_the_metrics_in_any_order(root, here):
    keep_timing(METRICS, TIMING)
    assert find_timing(root, dict(reversed(METRICS.items()))) == TIMING
    assert find_timing(root, METRICS | {"epochs": 8}) == {}
    assert find_timing(here, METRICS) == {}
    assert [path.name for path in here.iterdir()] == ["main"]


def test_without_dvc_it_is_the_working_folder(here, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    keep_timing(METRICS, TIMING)
    assert find_timing(here, METRICS) == TIMING


def test_the_latest_of_equal_trainings_counts(root):
    keep_timing(METRICS, TIMING)
    keep_timing(METRICS, {"seconds_per_epoch": 0.5})
    assert find_timing(root, METRICS) == {"seconds_per_epoch": 0.5}


def test_a_folder_that_takes_no_timing_fails_nothing(root, capsys):
    root.write_text("a file where the folder should be")
    keep_timing(METRICS, TIMING)
    assert capsys.readouterr().out.startswith("the timing is not kept: ")
    assert find_timing(root, METRICS) == {}


@pytest.mark.parametrize("content", ["", "{", "[1]", "\xff"])
def test_a_damaged_timing_is_none(root, content):
    keep_timing(METRICS, TIMING)
    (path,) = root.glob(".cache/timings/*.json")
    path.write_text(content, encoding="latin-1")
    assert find_timing(root, METRICS) == {}
