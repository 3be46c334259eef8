"""A training step on another device than the CPU, as far as that goes without one.

Tensors on `meta` have a shape and no content. So whatever would make a GPU wait (a number read from
it, a shape that depends on content) fails here, and so does what mixes devices.
"""

import numpy as np
import pytest
import torch
from toy_training import HISTORIES
from toys import (
    EVERY_ROW,
    OPTIONS,
    toy_config,
    toy_known,
    toy_objective_params,
    toy_rated,
    toy_sequences,
)

from sasrec.batching.batches import SequenceReader
from sasrec.kernels.drop_ins import attach
from sasrec.kernels.prepare import layout_for
from sasrec.kernels.tables import DROP_INS
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.objective import build_objective
from sasrec.objectives.tables import LOSSES
from sasrec.objectives.views.tables import AUGMENTATIONS

META, NUM_ITEMS = torch.device("meta"), 13
PARTS = {name: {"model": row} for name, row in EVERY_ROW.items()}
PARTS |= {name: {"model": option} for name, option in OPTIONS.items()}
PARTS |= {f"loss: {name}": {"objective": {"loss": name}} for name in LOSSES}
PARTS["items hidden"] = {"model": {"item_dropout": 0.3, "inputs": ["item", "rating"]}}
PARTS["ratings"] = {"objective": {"rating_weight": 0.5}}
PARTS |= {f"contrast: {name}": {"objective": {"contrasts": [name]}} for name in CONTRASTS}
PARTS["contrasts: all"] = {"objective": {"contrasts": list(CONTRASTS)}}
PARTS["label smoothing"] = {"objective": {"loss": "cross_entropy", "label_smoothing": 0.1}}
PARTS |= {
    f"augmentation: {name}": {
        "objective": {"augmentations": [name], "augment_training": 0.5, "contrasts": ["views"]}
    }
    for name in AUGMENTATIONS
}
PARTS["representation: mean"] = {"objective": {"contrasts": ["views"], "representation": "mean"}}
every_part = pytest.mark.parametrize("changes", PARTS.values(), ids=PARTS)


def model_of(**changes: object) -> SASRec:
    """With the drop-ins of a GPU."""
    config = toy_config(dropout=0.2, max_length=5, **changes)
    model = SASRec(config, NUM_ITEMS, 1, toy_known(NUM_ITEMS)).to(META)
    attach([row for row in DROP_INS if not row.loops], model)
    return model


def reader_for(model: SASRec) -> SequenceReader:
    sequences = toy_rated(toy_sequences(HISTORIES))
    columns = ("rating", "timestamp")
    return SequenceReader(sequences, 5, META, layout=layout_for(model), columns=columns)


@every_part
def test_a_step_waits_for_nothing_and_mixes_no_devices(changes):
    model = model_of(**changes.get("model", {}))
    params, sequences = toy_objective_params(**changes.get("objective", {})), reader_for(model)
    objective = build_objective(params, sequences.sequences, NUM_ITEMS, META, hidden_size=6)
    batch = sequences.training_batch(np.array([3, 4, 5]))
    prepared = objective.prepare(batch, None)
    total = objective(model, model, batch, prepared)
    (total / 10).backward()
    assert total.device == META
    assert batch.inputs.layout.real.shape == (15,)  # whatever the histories' lengths
    for name, weight in [*model.named_parameters(), *objective.named_parameters()]:
        assert weight.grad.device == META, name


@every_part
def test_last_states_wait_for_nothing(changes):
    model = model_of(**changes.get("model", {})).eval()
    with torch.inference_mode():
        batch, users = reader_for(model).histories(np.array([3, 4, 5]))
        states = model.last_states(batch)
    assert users.device == states.device == META
    assert states.shape == (3, 6)


def test_what_waits_or_mixes_devices_fails_here():
    with pytest.raises(RuntimeError, match="meta"):
        torch.ones(3, device=META).sum().item()
    with pytest.raises(RuntimeError, match=r"meta|device"):
        torch.ones(3, device=META) + torch.ones(3)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        torch.ones(3, device=META).nonzero()
