"""Models whose scores are known or much differ, and ranks by a loop over items."""

import math

import numpy as np
import torch
from toys import toy_config, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.data.targets import Targets
from sasrec.model.sasrec import SASRec
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores

NUM_ITEMS = 23
CONFIG = {
    "hidden_size": 6,
    "num_heads": 2,
    "max_length": 5,
    "dropout": 0.5,
    "initialisation": "xavier_normal",
}


def targets_of(items, candidates, users=None):
    users = range(1, len(items) + 1) if users is None else users
    return Targets(*(np.array(array, np.int32) for array in (users, items, candidates)))


def model_with_scores(scores):
    """A model that gives item i the score scores[i - 1], whatever the history.

    The last norm keeps nothing of the state but its bias, the first unit vector.
    """
    config = toy_config(**CONFIG | {"num_blocks": 0})
    model = SASRec(config, len(scores), seed=1)
    with torch.no_grad():
        model.last_norm.weight.zero_()
        model.last_norm.bias.copy_(torch.eye(config.hidden_size)[0])
        model.item_embedding[1:, 0] = torch.tensor(scores, dtype=torch.float32)
    return model


def random_model(seed, **changes):
    """A model whose states differ much from user to user."""
    model = SASRec(toy_config(**CONFIG | changes), NUM_ITEMS, seed=seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) / 2
        model.item_embedding[0] = 0
    return model


def rank(model, sequences, targets, **options):
    reader = SequenceReader(
        sequences,
        model.config.max_length,
        torch.device("cpu"),
        layout=options.pop("layout", "packed"),
    )
    return rank_targets(ModelScores(model, reader), targets, **options)


def scores_alone(model, history):
    """The score of every item by its id, from one user alone and the states of all positions."""
    reader = SequenceReader(
        toy_sequences([history]), model.config.max_length, torch.device("cpu"), layout="packed"
    )
    batch, _ = reader.histories(np.array([1]))
    with torch.no_grad():
        state = model.eval()(batch)[-1]
        return [math.nan] + [float(state @ row) for row in model.scoring_embedding[1:]]


def loop_rank(scores, target, others):
    rank = 1.0
    for item in others:
        if item != target:
            rank += (scores[item] > scores[target]) + 0.5 * (scores[item] == scores[target])
    return rank


def allowed_items(num_items, history, target, *, filter_seen):
    seen = set(map(int, history)) if filter_seen else set()
    return [item for item in range(1, num_items + 1) if item == target or item not in seen]


def random_case(seed, count=17):
    """Users with histories of 1 to 12 items (more than max_length) and random targets."""
    generator = np.random.default_rng(seed)
    items = np.arange(1, NUM_ITEMS + 1)
    histories = [generator.choice(items, generator.integers(1, 13)) for _ in range(count)]
    targets = generator.choice(items, count)
    candidates = [
        generator.permutation(np.setdiff1d(items, [*history, target]))[:7]
        for history, target in zip(histories, targets, strict=True)
    ]
    return toy_sequences(histories), targets_of(targets, candidates)
