"""The script export.py: a graph that the card's own lines of Python run, or nothing new."""

import json
import re

import numpy as np
import pytest
from toy_exports import need_packages, run_export, write_facts
from toy_stages import refuse

import export
from sasrec.exporting import check
from sasrec.recommending.recommender import Recommender


def test_the_cards_lines_recommend_what_the_recommender_does(folder, monkeypatch, capsys):
    need_packages(pytest)
    write_facts(folder)
    run_export(monkeypatch)
    assert "the same 10 best for 29\n" in capsys.readouterr().out
    card = (folder / "data/export/model_card.md").read_text("utf-8")
    assert "Checked with onnxruntime on 29 histories" in card
    (lines,) = [code for code in re.findall(r"```python\n(.*?)```", card, re.S) if "onnx" in code]
    monkeypatch.chdir(folder / "data/export")
    exec(lines, {})
    printed = json.loads(capsys.readouterr().out.replace("'", '"'))
    monkeypatch.chdir(folder)
    assert printed == Recommender.load().recommend(["i1", "i2"])["item"].tolist()

    # A graph that differs leaves what was there.
    def spoilt(scores, found):
        return check.Agreement(len(scores), np.inf, 1.0, 0)

    monkeypatch.setattr(check, "_compare", spoilt)
    refuse(export.main, folder, r"model\.onnx differs from PyTorch")
