"""A trainer with all that it needs, and what a user should know of it before it begins."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from sasrec.batching.batches import SequenceReader
from sasrec.data.facts import SplitFacts
from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.machine.devices import describe_device
from sasrec.machine.distributed import World
from sasrec.model.needs import Needs, columns_in, model_needs
from sasrec.model.sasrec import SASRec
from sasrec.objectives.objective import build_objective
from sasrec.objectives.rating import RatingPrediction
from sasrec.ranking.ranks import note_on_repeats
from sasrec.training.memory_need import Settings
from sasrec.training.trainer import Trainer


class Inputs(NamedTuple):
    """What split left: facts, training sequences, validation targets, features if needed."""

    dataset: SplitFacts
    sequences: Sequences
    targets: Targets
    features: ItemFeatures | None = None


def needs_of(settings: Settings) -> Needs:
    """What training reads of the data beside items: the model, and what it learns."""
    needs, weight = model_needs(settings.model), settings.objective.rating_weight
    if weight:
        needs.setdefault("rating", f"objective.rating_weight = {weight}")
    return needs


def build(
    settings: Settings,
    sequences: Sequences,
    num_items: int,
    device: torch.device,
    *,
    processes: World = World(),  # noqa: B008, it is immutable
    report: Callable[[str], None] = print,
    compared: bool = False,
) -> Trainer:
    """The model and what it learns of `sequences`, with the drop-ins that support them.

    Args:
        compared: True for a second one by the same settings, whose drop-ins the first compared.
    """
    config, objective_params, params, known = settings
    model = SASRec(config, num_items, params.seed, known).to(device)
    objective = build_objective(
        *(objective_params, sequences, num_items, device),
        hidden_size=config.hidden_size,
        max_length=config.max_length,
    )
    how = {"loops": not params.compile, "mixed": params.precision != "float32"}
    how |= {"kernels": params.kernels, "compared": compared}
    prepare(model, objective.loss, **how, report=report)
    layout = layout_for(model, compiled=params.compile)
    columns = columns_in(needs_of(settings))
    reader = SequenceReader(sequences, config.max_length, device, layout=layout, columns=columns)
    return Trainer(model, objective, reader, params, processes)


def introduce(trainer: Trainer, inputs: Inputs, filter_seen: bool) -> Iterator[str]:
    """Lines on what is trained, and on what a reader of the metrics should mind."""
    config = trainer.model.config
    yield (
        f"training {config.variant} on {inputs.dataset.name}: {len(trainer.users):,} users, "
        f"{inputs.dataset.num_items:,} items, length {config.max_length}, dropout "
        f"{config.dropout}, {trainer.world.size} process(es) on {describe_device(trainer.device)}"
    )
    for reason, users in trainer.left_out.items():
        yield f"Mind: nothing is learnt from {users:,} user(s) {reason}"
    for term in trainer.objective.terms:
        if isinstance(term, RatingPrediction) and term.unknown:
            yield f"Mind: {term.unknown:,} ratings are not known, and not predicted"
    repeated = inputs.targets.share_in_history(inputs.sequences)
    note = note_on_repeats(repeated, filter_seen=filter_seen)
    if note:
        yield note
