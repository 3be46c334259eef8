"""docs/guides/own-data.md: the export is read as the page says, step by step."""

import runpy
import sys

import pytest
import yaml
from pages import blocks
from places import ROOT

import download
import preprocess
from sasrec.base.errors import UserError

PAGE = ROOT / "docs/guides/own-data.md"
TEXT = PAGE.read_text("utf-8")


def merge(old, new):
    for name, value in new.items():
        old[name] = merge(old[name], value) if isinstance(value, dict) else value
    return old


@pytest.fixture
def export(tmp_path, monkeypatch, capsys):
    """Makes the export of the guides in a new working directory; gives what it printed."""
    monkeypatch.chdir(tmp_path)

    def export(*options):
        monkeypatch.setattr(sys, "argv", ["bookshop.py", "shop", *options])
        runpy.run_path(str(ROOT / "examples/bookshop.py"), run_name="__main__")
        return capsys.readouterr().out

    return export


def test_the_reader_says_what_the_guide_shows(export, tmp_path, capsys):
    assert export() in TEXT
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    merge(params, yaml.safe_load(blocks(PAGE, "yaml")[0]))

    def read(**answers):
        """What preprocess says once these settings of `data` are made too."""
        merge(params["data"], answers)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        download.main()
        capsys.readouterr()
        try:
            preprocess.main()
        except UserError as error:
            return [f"`preprocess.py: error: {error}`"]
        printed = capsys.readouterr()
        return printed.err.splitlines() + printed.out.splitlines()

    (customer,) = read()
    assert customer in TEXT
    (date,) = read(missing_id="drop")
    assert date in TEXT
    *warnings, _, _, _ = read(time_format="day_first")
    assert len(warnings) == 2
    assert all(f"`{warning}`" in TEXT for warning in warnings)
    lines = read(columns={"order": "line"}, items={"encoding": "latin-1"})
    assert len(lines) == 3
    assert "\n".join(lines) in TEXT


def test_a_later_export_has_the_rows_of_the_earlier_one(export, tmp_path):
    def rows(name):
        return set((tmp_path / "shop" / name).read_text("latin-1").splitlines())

    export()
    earlier = {name: rows(name) for name in ("orders.csv", "books.csv")}
    export("--later")
    assert all(earlier[name] < rows(name) for name in earlier)
