"""model.onnx against PyTorch: all inputs, open sizes, and what is refused."""

import numpy as np
import pytest
import torch
import toy_exports
from toys import INPUT_ROWS, NUM_ITEMS, ROWS, toy_config, toy_model, toy_rated, toy_sequences

from sasrec.base.errors import UserError
from sasrec.exporting import check, onnx_file
from sasrec.exporting.check import check_onnx
from sasrec.exporting.graph import NextItemScores
from sasrec.exporting.onnx_file import check_packages, write_onnx


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model with every input and the parts that torch exports least easily, and its file."""
    toy_exports.need_packages(pytest)
    parts = {"position": "relative", "attention": "decoupled", "variant": "ligr"}
    model = toy_model(toy_config(**INPUT_ROWS["inputs: all"], **parts)).float()
    graph = NextItemScores(model).eval()
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(graph, path, {"dataset": "toy"})
    return graph, path


def sequences():
    """Of eleven users, one without a history, one with more than the model reads."""
    return toy_rated(toy_sequences([*ROWS, [], [*ROWS[0], *ROWS[1]], *ROWS[:4]]))


def test_it_agrees_in_batches_of_any_size(exported):
    graph, path = exported
    agreement = check_onnx(path, graph, sequences())
    assert agreement.histories == agreement.same_top == 10
    assert agreement.difference < 1e-5 < agreement.largest


def test_what_the_file_tells_of_itself(exported):
    import onnx

    model = onnx.load(exported[1])
    inputs = {each.name: each.type.tensor_type for each in model.graph.input}
    assert set(inputs) == {"items", "rating", "timestamp"}
    for kind in inputs.values():
        assert [size.dim_param for size in kind.shape.dim] == ["batch", "length"]
    assert [(each.key, each.value) for each in model.metadata_props] == [("dataset", "toy")]
    assert [node.name for node in model.graph.node if node.metadata_props] == []
    assert exported[1].parent.as_posix().encode() not in exported[1].read_bytes()


def test_another_model_is_refused(exported):
    graph, path = exported
    other = toy_model(graph.model.config, seed=2).float()
    with pytest.raises(UserError, match=r"model\.onnx differs from PyTorch by .*: it was not kept"):
        check_onnx(path, NextItemScores(other).eval(), sequences())


def test_a_fixed_size_is_refused(tmp_path):
    toy_exports.need_packages(pytest)
    import onnx

    kind = onnx.helper.make_tensor_value_info
    items = kind("items", onnx.TensorProto.INT64, ["batch", 3])
    node = onnx.helper.make_node("Identity", ["items"], ["scores"])
    scores = kind("scores", onnx.TensorProto.INT64, ["batch", 3])
    graph = onnx.helper.make_graph([node], "toy", [items], [scores])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "model.onnx")
    with pytest.raises(UserError, match="one length, alone"):
        onnx_file._check_open(tmp_path / "model.onnx")


def test_nan_is_a_difference():
    scores = np.ones((2, NUM_ITEMS), np.float32)
    spoilt = scores.copy()
    spoilt[1, 3] = np.nan
    found = [check._compare(scores, scores), check._compare(scores, spoilt)]
    assert not check._joined(found).difference <= 1


def test_missing_packages_are_a_sentence(monkeypatch):
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None if name == "onnx" else torch)
    with pytest.raises(UserError) as caught:
        check_packages()
    assert str(caught.value) == (
        "model.onnx needs the package onnx: run `pip install -r requirements-export.txt` first, "
        "or leave it out by --no-onnx"
    )
