"""params.yaml: every mistake is one sentence that names the key and what is allowed."""

from pathlib import Path

import pytest
import yaml
from places import ROOT
from pydantic import Field

from sasrec.base.errors import UserError
from sasrec.base.params import Section, load_params
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.sources.params import DataParams
from sasrec.training.params import TrainParams

REPOSITORY = ROOT
KINDS = {
    "data": DataParams,
    "model": ModelParams,
    "objective": ObjectiveParams,
    "train": TrainParams,
}


class Toy(Section):
    """A section of three keys."""

    epochs: int = Field(ge=1)
    learning_rate: float
    compile: bool


GOOD = "train:\n  epochs: 3\n  learning_rate: 0.01\n  compile: false\n"


def load_toy(folder: Path, text: str) -> Toy:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load_params("train", Toy, path)


def message(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_toy(folder, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/params.yaml: ")


def test_a_section_becomes_an_object(tmp_path):
    params = load_toy(tmp_path, GOOD)
    assert params == Toy(epochs=3, learning_rate=0.01, compile=False)
    with pytest.raises(ValueError, match="frozen"):
        params.epochs = 5


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "0.001", "1.0e-3", "+1e-3"])
def test_numbers_as_people_write_them(tmp_path, text):
    params = load_toy(tmp_path, GOOD.replace("0.01", text))
    assert params.learning_rate == 0.001
    assert load_toy(tmp_path, GOOD.replace("0.01", "2")).learning_rate == 2.0


MISTAKES = {
    "misspelt": (
        GOOD.replace("epochs", "epoch"),
        "train.epoch: unknown key (allowed: epochs, learning_rate, compile); did you mean epochs?",
    ),
    "unlike any": (
        GOOD + "  xyz: 1\n",
        "train.xyz: unknown key (allowed: epochs, learning_rate, compile)",
    ),
    "missing": (GOOD.replace("  epochs: 3\n", ""), "train.epochs is missing"),
    "text for int": (
        GOOD.replace("epochs: 3", "epochs: '50'"),
        "train.epochs = '50': should be a valid integer",
    ),
    "bool for int": (
        GOOD.replace("epochs: 3", "epochs: true"),
        "train.epochs = True: should be a valid integer",
    ),
    "float for int": (
        GOOD.replace("epochs: 3", "epochs: 3.0"),
        "train.epochs = 3.0: should be a valid integer",
    ),
    "null": (
        GOOD.replace("epochs: 3", "epochs:"),
        "train.epochs = None: should be a valid integer",
    ),
    "out of range": (
        GOOD.replace("epochs: 3", "epochs: 0"),
        "train.epochs = 0: should be greater than or equal to 1",
    ),
    "int for bool": (
        GOOD.replace("false", "0"),
        "train.compile = 0: should be a valid boolean",
    ),
    "not a number": (
        GOOD.replace("0.01", ".nan"),
        "train.learning_rate = nan: should be a finite number",
    ),
    "unknown section": (
        GOOD.replace("train", "trian"),
        "unknown section 'trian' (allowed: data, split, model, objective, train, evaluate); "
        "did you mean train?",
    ),
    "no section": ("model:\n  a: 1\n", "section 'train' is missing or is not a mapping"),
    "section is a list": ("train: [1, 2]\n", "section 'train' is missing or is not a mapping"),
    "empty file": ("", "expected sections data, split, model, objective, train, evaluate"),
    "a list": ("- 1\n", "expected sections data, split, model, objective, train, evaluate"),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(tmp_path, text, expected):
    assert message(tmp_path, text) == expected


@pytest.mark.parametrize("key", ["train", "epochs"])
def test_a_key_stated_twice(tmp_path, key):
    text = GOOD + (GOOD if key == "train" else "  epochs: 5\n")
    assert f"the key '{key}' is stated twice" in message(tmp_path, text)


@pytest.mark.parametrize("content", [b"train: [1", b"train:\n\t- x", b"train: \xff\xfe"])
def test_not_yaml(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML: .+") as caught:
        load_params("train", Toy, path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"params\.yaml not found in .*repository's root"):
        load_params("train", Toy)


def load_changed(folder: Path, section: str, key: str, value: object) -> Section:
    """The repository's own params.yaml with one key (dotted if nested) changed."""
    content = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    *outer, name = key.split(".")
    place = content[section]
    for part in outer:
        place = place[part]
    place[name] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_params(section, KINDS[section], path)


WRONG_VALUES = {
    "unknown variant": (
        "model", "variant", "papre",
        "model.variant = 'papre': should be 'official', 'paper', 'normed_residual', 'post_norm' or "
        "'ligr'",
    ),
    "heads": (
        "model", "num_heads", 3,
        "model: hidden_size = 50 is not divisible by num_heads = 3",
    ),
    "no heads": (
        "model", "num_heads", 0,
        "model.num_heads = 0: should be greater than or equal to 1",
    ),
    "all items hidden": (
        "model", "item_dropout", 1.0,
        "model.item_dropout = 1.0: should be less than 1",
    ),
    "no temperature": (
        "model", "temperature", 0.0,
        "model.temperature = 0.0: should be greater than 0",
    ),
    "blocks": (
        "model", "num_blocks", -1,
        "model.num_blocks = -1: should be greater than or equal to 0",
    ),
    "initialisation": (
        "model", "initialisation", "normal",
        "model.initialisation = 'normal': should be 'xavier_uniform' or 'xavier_normal'",
    ),
    "unknown contrast": (
        "objective", "contrasts", ["dropout", "none"],
        "objective.contrasts.1 = 'none': should be 'views', 'dropout' or 'same_target'",
    ),
    "one contrast twice": (
        "objective", "contrasts", ["dropout", "dropout"],
        "objective.contrasts = ['dropout', 'dropout']: expected distinct names",
    ),
    "a contrast by itself": (
        "objective", "contrasts", "dropout",
        "objective.contrasts = 'dropout': should be a valid list",
    ),
    "labels that are not smoothed": (
        "objective", "label_smoothing", 0.1,
        "objective: label_smoothing = 0.1 with loss = binary_cross_entropy, which smooths no "
        "labels: set it to 0.0, or choose cross_entropy",
    ),
    "column": (
        "data", "columns.usr", "a",
        "data.columns.usr: unknown key (allowed: user, item, timestamp, rating, order); "
        "did you mean user?",
    ),
    "column type": (
        "data", "columns.user", 5.0,
        "data.columns.user = 5.0: should be a column's name, or its position from 0 where no line "
        "names it",
    ),
    "device": (
        "train", "device", "gpu",
        "train.device = 'gpu': should be 'auto', 'cpu', 'cuda' or 'mps'",
    ),
    "learning rate": (
        "train", "learning_rate", 0,
        "train.learning_rate = 0: should be greater than 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"), WRONG_VALUES.values(), ids=WRONG_VALUES
)
def test_wrong_values_of_real_sections(tmp_path, section, key, value, expected):
    with pytest.raises(UserError) as caught:
        load_changed(tmp_path, section, key, value)
    assert str(caught.value) == f"{tmp_path}/params.yaml: {expected}"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("dropout", 1.0, "less than 1"),
        ("dropout", -0.1, "greater than or equal to 0"),
        ("max_length", 0, "greater than or equal to 1"),
        ("max_length", "atuo", "'auto'"),
        ("max_length", 7.0, "'auto'"),
        ("dropout", "atuo", "'auto'"),
        ("dropout", "0.2", "'auto'"),
    ],
)
def test_wrong_values_where_auto_is_allowed(tmp_path, key, value, allowed):
    with pytest.raises(UserError) as caught:
        load_changed(tmp_path, "model", key, value).resolve("ml-1m")
    text = str(caught.value)
    assert f"model.{key} = {value!r}: " in text
    assert allowed in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("dataset", "max_length", "dropout"),
    [
        ("ml-100k", 200, 0.2),
        ("ml-1m", 200, 0.2),
        ("ml-1m-sasrec", 200, 0.2),
        ("games-sasrec", 50, 0.5),
        ("beauty-sasrec", 50, 0.5),
        ("steam-sasrec", 50, 0.5),
        ("local", 50, 0.5),
        ("synthetic", 50, 0.5),
    ],
)
def test_auto_is_the_papers_value(tmp_path, dataset, max_length, dropout):
    auto = load_changed(tmp_path, "model", "max_length", "auto")
    config = auto.resolve(dataset)
    assert (config.max_length, config.dropout) == (max_length, dropout)
    shorter = load_changed(tmp_path, "model", "max_length", 7).resolve(dataset)
    assert (shorter.max_length, shorter.dropout) == (7, dropout)
    drier = load_changed(tmp_path, "model", "dropout", 0.0).resolve(dataset)
    assert (drier.max_length, drier.dropout) == (max_length, 0.0)
    assert config.hidden_size == auto.hidden_size == 50
