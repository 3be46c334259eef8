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
    "objective.loss": "binary_cross_entropy",
    "train.epochs": 200,
    "train.patience": 20,
    "train.monitor": "sampled",
    "train.windows": "latest",
    "train.learning_rate": 0.001,
    "train.schedule": "constant",
    "train.warmup_steps": 0,
    "train.weight_decay": 0.0,
    "train.precision": "float32",
}

_ALL_ITEMS: dict[str, Any] = {
    "objective.loss": "cross_entropy",
    "train.monitor": "full",
    "train.windows": "random",
    "train.schedule": "cosine",
    "train.weight_decay": 0.01,
    "train.warmup_steps": 100,
}

# A row's name is a value of train.recipe; docs/recipes.md explains each.
RECIPES: dict[str, dict[str, Any]] = {
    "paper": {},
    "record": _ALL_ITEMS
    | {
        "model.variant": "ligr",
        "model.hidden_size": 128,
        "model.num_blocks": 3,
        "model.num_heads": 4,
        "model.attention": "gated",
        "model.feed_forward": "swiglu",
        "model.position": "relative",
        "train.epochs": 80,
        "train.patience": 80,
        "train.learning_rate": 0.0015,
        "train.precision": "bfloat16",
    },
}
