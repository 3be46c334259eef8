"""SASRec once more, by loops over numbers, to hold the model against.

One sequence at a time and no padding, in float64, written from the formulas that the variants
claim. All it shares with the model is the names of the weights.

Shapes: L length, D hidden size, N items.
"""

import math

import numpy as np

Weights = dict[str, np.ndarray]


def states(
    weights: Weights, items: list[int], *, variant: str, num_heads: int, residual: bool = True
) -> np.ndarray:
    """States [L, D] after each of `items`, oldest first; what `weights` lacks is left out."""
    size = weights["item_embedding.weight"].shape[1]
    x = np.zeros((len(items), size))
    for t, item in enumerate(items):
        x[t] = weights["item_embedding.weight"][item] * math.sqrt(size)
        if "position_embedding.weight" in weights:
            x[t] += weights["position_embedding.weight"][len(items) - 1 - t]
    number = 0
    while f"blocks.{number}.query.weight" in weights:
        prefix = f"blocks.{number}."
        own = {
            name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)
        }
        x = block(own, x, variant, num_heads, 1.0 if residual else 0.0)
        number += 1
    return normed(weights, "last_norm", x)


def scores(weights: Weights, state: np.ndarray) -> np.ndarray:
    """Scores [N + 1] of all items after a state [D]."""
    tied = "output_embedding.weight" not in weights
    table = weights["item_embedding.weight" if tied else "output_embedding.weight"]
    return np.array([sum(state[i] * row[i] for i in range(len(state))) for row in table])


def loss(
    weights: Weights, states: np.ndarray, targets: list[int], negatives: list[list[int]]
) -> float:
    """-log sigmoid(s+) - log(1 - sigmoid(s-)), added up over positions and negatives."""
    total = 0.0
    for state, target, wrong in zip(states, targets, negatives, strict=True):
        score = scores(weights, state)
        total += math.log(1 + math.exp(-score[target]))
        total += sum(math.log(1 + math.exp(score[item])) for item in wrong)
    return total


def block(w: Weights, x: np.ndarray, variant: str, num_heads: int, r: float) -> np.ndarray:
    """One block [L, D] to [L, D]; r is 1, or 0 without residual connections."""
    if variant == "post_norm":
        y = normed(w, "attention_norm", r * x + attention(w, x, x, num_heads))
        return normed(w, "feed_forward_norm", r * y + feed_forward(w, y))
    n = normed(w, "attention_norm", x)
    if variant == "official":
        y = r * n + attention(w, n, x, num_heads)
    if variant == "paper":
        y = r * x + attention(w, n, n, num_heads)
    if variant == "normed_residual":
        y = r * n + attention(w, n, n, num_heads)
    z = normed(w, "feed_forward_norm", y)
    return r * (y if variant == "paper" else z) + feed_forward(w, z)


def attention(w: Weights, query: np.ndarray, key_value: np.ndarray, num_heads: int) -> np.ndarray:
    """Each position looks at itself and those before it, one head after the other."""
    q = linear(w, "query", query)
    k, v = linear(w, "key", key_value), linear(w, "value", key_value)
    length, size = q.shape
    width = size // num_heads
    out = np.zeros((length, size))
    for first in range(0, size, width):
        head = range(first, first + width)
        for t in range(length):
            logits = [sum(q[t, i] * k[s, i] for i in head) / math.sqrt(width) for s in range(t + 1)]
            powers = [math.exp(logit - max(logits)) for logit in logits]
            for i in head:
                out[t, i] = sum(powers[s] * v[s, i] for s in range(t + 1)) / sum(powers)
    return linear(w, "projection", out) if "projection.weight" in w else out


def feed_forward(w: Weights, x: np.ndarray) -> np.ndarray:
    """relu(x W1 + b1) W2 + b2."""
    return linear(w, "outer", np.maximum(linear(w, "inner", x), 0))


def linear(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """y = W x + b at every position."""
    weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    return np.array([[sum(row * x_t) for row in weight] + bias for x_t in x])


def normed(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    """Each position's mean and variance over D made 0 and 1, then scaled and shifted."""
    out = np.zeros_like(x)
    for t, x_t in enumerate(x):
        mean = sum(x_t) / len(x_t)
        variance = sum((value - mean) ** 2 for value in x_t) / len(x_t)
        out[t] = (x_t - mean) / math.sqrt(variance + 1e-8)
    return out * w[f"{name}.weight"] + w[f"{name}.bias"]
