"""The plots of dvc.yaml: their columns are there, and protocols of unlike size are kept apart."""

import json

import pandas as pd
import pytest
import yaml
from places import ROOT

PLOTS = [
    (title, plot)
    for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    for title, plot in entry.items()
]
OWN = {path.stem: path for path in (ROOT / ".dvc/plots").glob("*.json")}


@pytest.mark.parametrize(("title", "plot"), PLOTS, ids=[title for title, _ in PLOTS])
def test_a_plot_draws_what_the_stages_write(pipeline, title, plot):
    folder, _ = pipeline
    for path, column in plot["y"].items():
        table = pd.read_csv(folder / path)
        assert {plot["x"], column} <= set(table)
        if plot.get("template") == "intervals":
            assert {f"{column}_low", f"{column}_high", "range", "users"} <= set(table)
    protocols = {column.split("_")[0] for column in plot["y"].values()}
    assert not protocols >= {"sampled", "full"}
    if protocols & {"sampled", "full"}:
        meaning = {"sampled": "sampled candidates", "full": "all items"}[protocols.pop()]
        assert title.endswith(meaning)


def test_every_template_is_used_and_fits_dvc():
    assert set(OWN) == {plot["template"] for _, plot in PLOTS if "template" in plot}
    for path in OWN.values():
        text = json.dumps(json.loads(path.read_text()))
        for anchor in ("DATA", "TITLE", "X", "Y", "PLOT_WIDTH", "PLOT_HEIGHT", "COLOR"):
            assert f"<DVC_METRIC_{anchor}>" in text
