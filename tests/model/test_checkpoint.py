"""A saved model comes back as it was, or a sentence says what is wrong."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toys import DESCRIPTION, GENRES, INPUT_ROWS, NUM_ITEMS, ROWS, toy_batch, toy_config, toy_model

from sasrec.base.errors import UserError
from sasrec.model.checkpoint import load_model, save_model
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import ATTENTIONS, FEED_FORWARDS, POSITIONS, SCORES, VARIANTS

CPU = torch.device("cpu")


def saved(folder: Path, **changes: object) -> SASRec:
    model = toy_model(toy_config(**changes)).float()
    save_model(folder, model, DESCRIPTION)
    return model


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "changes",
    [
        {"tied_embedding": False, "output_projection": True},
        *({"position": name} for name in POSITIONS),
        *({"attention": name} for name in ATTENTIONS),
        *({"feed_forward": name} for name in FEED_FORWARDS),
        *({"score": name, "temperature": 0.07, "item_dropout": 0.3} for name in SCORES),
        *INPUT_ROWS.values(),
    ],
)
def test_the_same_scores_come_back(tmp_path, variant, changes):
    model = saved(tmp_path, variant=variant, num_heads=2, dropout=0.5, **changes)
    loaded = load_model(tmp_path, CPU)
    batch = toy_batch(ROWS)
    assert torch.equal(
        loaded.last_states(batch) @ loaded.scoring_embedding.T,
        model.last_states(batch) @ model.scoring_embedding.T,
    )
    assert loaded.config == model.config
    assert loaded.num_items == NUM_ITEMS
    assert not loaded.training


def test_what_is_written(tmp_path):
    saved(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["config"]["variant"] == "paper"
    assert (content["num_items"], content["best_epoch"]) == (23, 7)
    assert content["data"]["name"] == "toy"
    assert content["known"] == {
        "rating_levels": [1.0, 2.0, 3.5],
        "genres": list(GENRES),
        "most_genres": 3,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        saved(tmp_path / name, num_blocks=3)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_config(folder: Path, **changes: object) -> None:
    edit(folder, config=json.loads((folder / "model.json").read_text())["config"] | changes)


def edit_known(folder: Path, **changes: object) -> None:
    edit(folder, known=json.loads((folder / "model.json").read_text())["known"] | changes)


def truncate(folder: Path, size: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])


def drop_config(folder: Path) -> None:
    (folder / "model.json").write_text('{"num_items": 23}')


def respell(folder: Path, name: str, held: torch.Tensor) -> None:
    path = folder / "model.safetensors"
    save_file(load_file(path) | {f"{name}.weight": held}, path)


def put_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


DAMAGE = {
    "a folder": (put_folder, "model.safetensors is a folder, expected a file"),
    "another dtype": (
        lambda folder: respell(folder, "last_norm", torch.ones(6, dtype=torch.float64)),
        r"last_norm\.weight holds torch\.float64, expected float32",
    ),
    "a scalar": (
        lambda folder: respell(folder, "inputs.parts.item.embedding", torch.ones(())),
        r"inputs\.parts\.item\.embedding\.weight has the shape \(\), expected \(24, 6\)",
    ),
    "more than fits": (
        lambda folder: edit_config(folder, max_length=10**12),
        r"position\.embedding\.weight has the shape \(11, 6\), expected \(1000000000000, 6\)",
    ),
    "truncated": (
        lambda folder: truncate(folder, -5),
        "model.safetensors is not a readable file of weights",
    ),
    "header cut": (
        lambda folder: truncate(folder, 11),
        "model.safetensors is not a readable file of weights",
    ),
    "empty": (
        lambda folder: truncate(folder, 0),
        "model.safetensors is not a readable file of weights",
    ),
    "no weights": (
        lambda folder: (folder / "model.safetensors").unlink(),
        "model.safetensors not found: run `python stages/train.py` first",
    ),
    "no description": (
        lambda folder: (folder / "model.json").unlink(),
        "model.json not found: run `python stages/train.py` first",
    ),
    "not JSON": (
        lambda folder: (folder / "model.json").write_text("{"),
        "model.json is not valid JSON",
    ),
    "a list": (
        lambda folder: (folder / "model.json").write_text("[1]"),
        "model.json holds a list, expected an object",
    ),
    "unknown data": (
        lambda folder: edit(folder, data={"name": "toy"}),
        "model.json: data.num_users is missing; run `python stages/train.py` again",
    ),
    "no config": (drop_config, "model.json: config is missing"),
    "items": (lambda folder: edit(folder, num_items=29), r"does not fit .*parts\.item\.embedding"),
    "items as text": (
        lambda folder: edit(folder, num_items="23"),
        "model.json: num_items = '23': should be a valid integer",
    ),
    "negative items": (
        lambda folder: edit(folder, num_items=-5),
        "num_items = -5: should be greater",
    ),
    "items beyond any machine": (
        lambda folder: edit(folder, num_items=10**30),
        "num_items = 1000000000000000000000000000000: should be less",
    ),
    "unknown kernels": (lambda folder: edit(folder, kernels="fast"), "kernels = 'fast'"),
    "blocks": (lambda folder: edit_config(folder, num_blocks=3), r"does not fit .*blocks\.2"),
    "unknown key": (
        lambda folder: edit_config(folder, colour=1),
        r"model\.json: config\.colour",
    ),
    "unknown variant": (
        lambda folder: edit_config(folder, variant="best"),
        r"model\.json: config\.variant = 'best'",
    ),
}


TABLE = "inputs.parts.genres.table"


def put_genres(folder: Path, held: torch.Tensor) -> None:
    path = folder / "model.safetensors"
    save_file(load_file(path) | {TABLE: held}, path)


DAMAGE_OF_KNOWN = {
    "no rating levels": (
        lambda folder: edit_known(folder, rating_levels=[]),
        r"model\.json: model\.inputs with rating needs known\.rating_levels, which is empty; run",
    ),
    "other rating levels": (
        lambda folder: edit_known(folder, rating_levels=[1.0, 2.0]),
        r"rating\.embedding\.weight has the shape \(3, 6\), expected \(2, 6\)",
    ),
    "falling levels": (
        lambda folder: edit_known(folder, rating_levels=[3.0, 2.0, 1.0]),
        "expected rising numbers",
    ),
    "no genres": (
        lambda folder: edit_known(folder, genres=[]),
        r"model\.json: model\.inputs with genres needs known\.genres, which is empty; run",
    ),
    "more genres": (
        lambda folder: edit_known(folder, genres=["Action"]),
        r"genres\.embedding\.weight has the shape \(5, 6\), expected \(1, 6\)",
    ),
    "wider": (
        lambda folder: edit_known(folder, most_genres=1 << 20),
        r"genres\.table has the shape \(24, 3\), expected \(24, 1048576\)",
    ),
    "no table": (
        lambda folder: put_genres(folder, torch.zeros(())),
        r"genres\.table has the shape \(\), expected \(24, 3\)",
    ),
    "a table of floats": (
        lambda folder: put_genres(folder, torch.zeros(24, 3)),
        r"genres\.table holds torch\.float32, expected int32; run",
    ),
    "numbers of no genre": (
        lambda folder: put_genres(folder, torch.full((24, 3), 6, dtype=torch.int32)),
        r"genres\.table has numbers from 6 to 6, expected 0 to 5; run",
    ),
    "numbers below 0": (
        lambda folder: put_genres(folder, torch.full((24, 3), -1, dtype=torch.int32)),
        r"genres\.table has numbers from -1 to -1, expected 0 to 5; run",
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    saved(folder)
    return folder


@pytest.mark.parametrize(("damage", "text"), DAMAGE_OF_KNOWN.values(), ids=DAMAGE_OF_KNOWN)
def test_damage_of_what_a_model_knows_is_one_sentence(tmp_path, damage, text):
    saved(tmp_path, inputs=["item", "rating", "genres"])
    damage(tmp_path)
    with pytest.raises(UserError, match=text) as caught:
        load_model(tmp_path, CPU)
    assert "\n" not in str(caught.value)


def test_a_model_that_says_nothing_of_its_data_knows_nothing(tmp_path):
    saved(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    del content["known"]  # as before there was something to know
    (tmp_path / "model.json").write_text(json.dumps(content))
    assert load_model(tmp_path, CPU).known.genres == ()


@pytest.mark.parametrize(("damage", "text"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_one_sentence(tmp_path, whole, damage, text):
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(UserError, match=text) as caught:
        load_model(folder, CPU)
    assert "\n" not in str(caught.value)
