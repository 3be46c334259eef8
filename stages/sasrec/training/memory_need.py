"""How much memory training takes, roughly, so that what cannot fit says so before it begins.

Only arrays that are certain to be there together are counted, for a batch of the mean size: what
would fit is not refused. Of an objective with views or partners each pass over them is counted, or
the rows that they are drawn in, which are as wide as the longest history. Trained on MovieLens-100K
(epoch, validation, 2 threads), the resident memory grew by more than is counted here:

    setting                     counted  grew by
    params.yaml as it is          54 MB   371 MB
    num_negatives: 500            99 MB   507 MB
    num_blocks: 40             1,040 MB 1,781 MB
    max_length: 2000000        2,065 MB 2,391 MB
    a million items            1,053 MB 1,415 MB
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.machine.memory import available_memory
from sasrec.model.config import ModelConfig
from sasrec.model.known import Known
from sasrec.model.sasrec import count_parameters
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.passes import passes_of, rows_held
from sasrec.objectives.tables import LOSSES
from sasrec.training.params import TrainParams

FLOAT, INT = 4, 8
COPIES = 5  # of each weight: itself, its gradient, both of Adam's moments, the best epoch's
AVERAGED = 2  # more with train.average: the mean, and the raw weights while it is in their place
REFIT = 3  # more with train.refit: two models with theirs, but no best epoch's
BLOCK_OBJECTS = 30_000  # bytes of a block's Python objects
PLANES = 10  # numbers a unit that a block keeps for its gradient (kernels/loops)
# What may be too large, each with a value that is not.
SMALLEST = {
    "model.max_length": 1,
    "model.hidden_size": 1,
    "model.num_blocks": 0,
    "model.num_heads": 1,
    "train.batch_size": 1,
    "objective.num_negatives": 1,
    "train.processes": 1,
}


class Settings(NamedTuple):
    """What decides it: sections of params.yaml, and what the model is told of its data."""

    model: ModelConfig
    objective: ObjectiveParams
    train: TrainParams
    known: Known = Known()


def check_memory(
    settings: Settings, sequences: Sequences, num_items: int, device: torch.device
) -> None:
    """Hold that training fits into the memory that is free.

    Raises:
        UserError: it does not; the message names the parameter to lower.
    """
    for free, where, need in _places(sequences, num_items, device):
        if need(settings) > free:
            key = min(SMALLEST, key=lambda key: need(_lowered(settings, key)))
            raise UserError(
                f"training would take about {_size(need(settings))} of memory {where}, where "
                f"{_size(free)} are free: lower {key} = {_value(settings, key)}"
            )


def weights_need(
    config: ModelConfig,
    num_items: int,
    known: Known = Known(),  # noqa: B008, it is immutable
    *,
    copies: int = COPIES,
) -> int:
    """Bytes of a model's weights and what goes with them."""
    weights = copies * FLOAT * count_parameters(config, num_items, known)
    return weights + config.num_blocks * BLOCK_OBJECTS


def step_need(settings: Settings, sequences: Sequences, device_type: str) -> float:
    """Bytes of a step, over all processes."""
    config, objective, params, _ = settings
    lengths = sequences.lengths[sequences.lengths >= 2] - 1
    if not len(lengths):
        return 0
    users = min(params.batch_size, len(lengths))
    longest = min(config.max_length, int(lengths.max()))
    passes = passes_of(objective, np.minimum(lengths, longest), config.max_length)
    slots, encoded, pairs = users * passes[0].mean(), users * sum(map(np.mean, passes)), 0
    if device_type != "cpu" or params.compile:  # a row of max_length a user
        longest = config.max_length
        slots = users * longest
        encoded = len(passes) * slots
    elif params.precision == "float32":
        pairs = users * sum((each * (each + 1) / 2).mean() for each in passes)
    loss = LOSSES[objective.loss](objective, num_items=2)  # which does not change what it draws
    unit = FLOAT if params.precision == "float32" else 2
    of_block = encoded * config.hidden_size * PLANES * unit + pairs * config.num_heads * FLOAT
    # Items, sequences, positions, targets; negatives.
    ids = slots * INT * (4 + loss.num_negatives)
    drawing = users * longest * INT * rows_held(objective)  # over before anything is encoded
    return ids + max(config.num_blocks * of_block, drawing)


def _places(
    sequences: Sequences, num_items: int, device: torch.device
) -> Iterator[tuple[int, str, Callable[[Settings], float]]]:
    """Each memory that training uses: its free bytes, its name, and what is needed of it."""

    def weights(settings: Settings) -> int:
        params = settings.train
        copies = COPIES + AVERAGED * (params.average != "none") + REFIT * params.refit
        return weights_need(settings.model, num_items, settings.known, copies=copies)

    def all_processes(settings: Settings) -> float:
        step = step_need(settings, sequences, device.type)
        return settings.train.processes * weights(settings) + step

    def one_process(settings: Settings) -> float:
        step = step_need(settings, sequences, device.type) / settings.train.processes
        return weights(settings) + step

    def before_moving(settings: Settings) -> float:
        weights = count_parameters(settings.model, num_items, settings.known)
        return settings.train.processes * FLOAT * weights

    if device.type == "cuda":
        yield torch.cuda.mem_get_info(device)[0], f"of {device}", one_process
        yield available_memory(), "of this machine", before_moving
    else:
        yield available_memory(), "of this machine", all_processes


def _value(settings: Settings, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


def _lowered(settings: Settings, key: str) -> Settings:
    section, _, name = key.partition(".")
    lowered = getattr(settings, section).model_copy(update={name: SMALLEST[key]})
    return settings._replace(**{section: lowered})


def _size(count: float) -> str:
    """Bytes in words: 0.3 GB, 1,200 GB, 5e+12 GB."""
    gigabytes = count / 1e9
    if gigabytes >= 1e9:
        return f"{gigabytes:.0e} GB"
    return f"{gigabytes:,.0f} GB" if gigabytes >= 10 else f"{gigabytes:.1f} GB"
