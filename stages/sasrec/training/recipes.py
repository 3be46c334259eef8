"""Recipes: named sets of parameters that belong together, for one flag, `train.recipe`.

A recipe's values stand in the place of the paper's. A parameter that params.yaml holds at another
value than the paper's was chosen by somebody, and stands (choosing.py).
"""

from typing import Any

# What params.yaml has of all that a recipe changes.
PAPER: dict[str, Any] = {
    "model.variant": "paper",
    "model.hidden_size": 50,
    "model.num_blocks": 2,
    "model.num_heads": 1,
    "model.attention": "softmax",
    "model.feed_forward": "relu",
    "model.position": "learned",
    "model.dropout": "auto",
    "objective.loss": "binary_cross_entropy",
    "objective.num_negatives": 1,
    "train.epochs": 200,
    "train.patience": 20,
    "train.batch_size": 128,
    "train.valid_every": 1,
    "train.monitor": "sampled",
    "train.windows": "latest",
    "train.learning_rate": 0.001,
    "train.schedule": "constant",
    "train.warmup_steps": 0,
    "train.weight_decay": 0.0,
    "train.precision": "float32",
}

# AdamW at a rate that rises, then falls to 0 at the last epoch; all of a long history is learnt.
_SHARED: dict[str, Any] = {
    "train.monitor": "full",
    "train.windows": "random",
    "train.schedule": "cosine",
    "train.weight_decay": 0.01,
    "train.warmup_steps": 100,
}

# A row's name is a value of train.recipe; docs/recipes.md explains each.
RECIPES: dict[str, dict[str, Any]] = {
    "paper": {},
    "fast": _SHARED
    | {
        "model.dropout": 0.1,
        "objective.loss": "sampled_softmax",
        "objective.num_negatives": 16,
        "train.batch_size": 64,
        "train.epochs": 25,
        "train.learning_rate": 0.004,
        "train.valid_every": 5,
    },
    "record": _SHARED
    | {
        "model.variant": "ligr",
        "model.hidden_size": 128,
        "model.num_blocks": 3,
        "model.num_heads": 4,
        "model.attention": "gated",
        "model.feed_forward": "swiglu",
        "model.position": "relative",
        "objective.loss": "cross_entropy",
        "train.batch_size": 32,
        "train.epochs": 30,
        "train.patience": 30,
        "train.learning_rate": 0.0012,
        "train.precision": "bfloat16",
    },
}
