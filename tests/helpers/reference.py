"""SASRec once more, by loops over numbers, to hold the model against.

One sequence at a time and no padding, in float64, written from the formulas that the variants
claim. All it shares with the model is the names of the weights.

Shapes: L length, D hidden size, N items.
"""

import math

import numpy as np
from toys import GENRES, LEVELS, genres_of, rating_of, time_of

from sasrec.model.config import ModelConfig
from sasrec.model.time_gap import NOT_KNOWN

Weights = dict[str, np.ndarray]
ITEMS, OUTPUT = "inputs.parts.item.embedding.weight", "output_embedding.weight"


def states(weights: Weights, items: list[int], config: ModelConfig) -> np.ndarray:
    """States [L, D] after each of `items`, oldest first; what else is known of them, toys say."""
    size = config.hidden_size
    x, attributes = np.zeros((len(items), size)), np.zeros((len(items), size))
    for t, item in enumerate(items):
        own = weights[ITEMS][item] * math.sqrt(size)
        x[t] = own
        for name in config.inputs:
            if name != "item":
                x[t] += INPUTS[name](below(weights, f"inputs.parts.{name}"), items, t, own)
        if config.attention == "decoupled" and config.num_blocks:
            attributes[t] = genre_mean(below(weights, "attributes"), items, t, own)
        if config.position == "learned":
            x[t] += weights["inputs.position.embedding.weight"][len(items) - 1 - t]
    for number in range(config.num_blocks):
        x = block(below(weights, f"blocks.{number}"), x, config, attributes)
    x = normed(weights, "last_norm", x)
    return np.array([STATES[config.score](x_t) for x_t in x])


def scores(weights: Weights, state: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Scores [N + 1] of all items after a state [D]; that of padding is 0."""
    table = weights.get(OUTPUT, weights[ITEMS])
    return np.array([0.0] + [SCORES[config.score](state, row, config) for row in table[1:]])


def loss(
    weights: Weights,
    states: np.ndarray,
    targets: list[int],
    negatives: list[list[int]],
    config: ModelConfig,
) -> float:
    """-log sigmoid(s+) - log(1 - sigmoid(s-)), added up over positions and negatives."""
    total = 0.0
    for state, target, wrong in zip(states, targets, negatives, strict=True):
        score = scores(weights, state, config)
        total += math.log(1 + math.exp(-score[target]))
        total += sum(math.log(1 + math.exp(score[item])) for item in wrong)
    return total


def dot(state: np.ndarray, item: np.ndarray, config: ModelConfig) -> float:
    return sum(s * e for s, e in zip(state, item, strict=True))


def cosine(state: np.ndarray, item: np.ndarray, config: ModelConfig) -> float:
    """Over the temperature."""
    lengths = math.sqrt(sum(s * s for s in state) * sum(e * e for e in item))
    return dot(state, item, config) / lengths / config.temperature


def of_length_one(x: np.ndarray) -> np.ndarray:
    return x / math.sqrt(sum(value * value for value in x))


def rating_vector(w: Weights, items: list[int], t: int, own: np.ndarray) -> np.ndarray:
    rating = rating_of(items[t])
    if math.isnan(rating):
        return np.zeros_like(own)
    reached = [level for level, least in enumerate(LEVELS) if rating >= least]
    return w["embedding.weight"][max(reached, default=0)]


def gap_vector(w: Weights, items: list[int], t: int, own: np.ndarray) -> np.ndarray:
    """By the binary digits of the gap, written out; row 0 is the first one's."""
    if t == 0:
        return w["embedding.weight"][0]
    after = len(items) - 1 - t
    before, time = time_of(items[t - 1], after + 1), time_of(items[t], after)
    if NOT_KNOWN in (before, time):
        return np.zeros_like(own)
    return w["embedding.weight"][1 + len(f"{time - before:b}".lstrip("0"))]


def genre_mean(w: Weights, items: list[int], t: int, own: np.ndarray) -> np.ndarray:
    assert len(w["embedding.weight"]) == len(GENRES)
    rows = [w["embedding.weight"][genre] for genre in genres_of(items[t])]
    return sum(rows) / len(rows) if rows else np.zeros_like(own)


def genre_mixture(w: Weights, items: list[int], t: int, own: np.ndarray) -> np.ndarray:
    """What makes g own + (1 - g) genres of the item's own."""
    genres = genre_mean(w, items, t, own)
    (logits,) = linear(w, "gate", np.concatenate([own, genres])[None])
    gate = 1 / (1 + np.exp(-logits))
    return gate * own + (1 - gate) * genres - own


def block(w: Weights, x: np.ndarray, config: ModelConfig, attributes: np.ndarray) -> np.ndarray:
    """One block, [L, D] to [L, D]."""
    r = 1.0 if config.residual else 0.0
    attend = ATTENTIONS[config.attention]
    feed_forward = FEED_FORWARDS[config.feed_forward]
    attention_weights, feed_forward_weights = below(w, "attention"), below(w, "feed_forward")
    if config.variant == "post_norm":
        attended = attend(attention_weights, x, x, config, attributes)
        y = normed(w, "attention_norm", r * x + attended)
        if feed_forward is None:
            return y
        return normed(w, "feed_forward_norm", r * y + feed_forward(feed_forward_weights, y))
    n = normed(w, "attention_norm", x)
    query, context, added = {
        "official": (n, x, n),
        "paper": (n, n, x),
        "normed_residual": (n, n, n),
        "ligr": (n, n, x),
    }[config.variant]
    attended = attend(attention_weights, query, context, config, attributes)
    if config.variant == "ligr":
        attended = attended * sigmoid(linear(w, "attention_gate", x))
    y = r * added + attended
    if feed_forward is None:
        return y
    z = normed(w, "feed_forward_norm", y)
    update = feed_forward(feed_forward_weights, z)
    if config.variant == "ligr":
        update = update * sigmoid(linear(w, "feed_forward_gate", y))
    return r * (y if config.variant in ("paper", "ligr") else z) + update


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def softmax_attention(
    w: Weights, x: np.ndarray, context: np.ndarray, config: ModelConfig, attributes: np.ndarray
) -> np.ndarray:
    return projected(w, heads(w, x, context, config))


def gated_attention(
    w: Weights, x: np.ndarray, context: np.ndarray, config: ModelConfig, attributes: np.ndarray
) -> np.ndarray:
    return projected(w, heads(w, x, context, config) * sigmoid(linear(w, "gate", x)))


def decoupled_attention(
    w: Weights, x: np.ndarray, context: np.ndarray, config: ModelConfig, attributes: np.ndarray
) -> np.ndarray:
    """Scores of items and scores of attributes, added up."""
    q, k = (linear(w, f"attribute_{name}", attributes) for name in ("query", "key"))
    return projected(w, heads(w, x, context, config, (q, k)))


def hstu_attention(
    w: Weights, x: np.ndarray, context: np.ndarray, config: ModelConfig, attributes: np.ndarray
) -> np.ndarray:
    """Each position adds up what it sees, with weights that are no shares of 1."""
    q, u = silu(linear(w, "query", x)), silu(linear(w, "gate", x))
    k, v = silu(linear(w, "key", context)), silu(linear(w, "value", context))
    turn, bias, (length, size) = TURNS[config.position], BIASES[config.position], x.shape
    width, out = size // config.num_heads, np.zeros_like(x)
    for i in range(size):
        head = range(i // width * width, (i // width + 1) * width)
        for t in range(length):
            query = turn(q[t, head], length - 1 - t)
            for s in range(t + 1):
                score = sum(query * turn(k[s, head], length - 1 - s)) / math.sqrt(width)
                score += bias(below(w, "position"), i // width, t - s)
                out[t, i] += score / (1 + math.exp(-score)) * v[s, i] / (t + 1)
    return linear(w, "projection", normed(w, "norm", out) * u)


def heads(
    w: Weights,
    x: np.ndarray,
    context: np.ndarray,
    config: ModelConfig,
    others: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Each position looks at itself and those before it, one head after the other.

    Args:
        others: a second pair of queries and keys [L, D], which know no positions.
    """
    other_q, other_k = others or (np.zeros_like(x), np.zeros_like(x))
    q, k, v = linear(w, "query", x), linear(w, "key", context), linear(w, "value", context)
    length, size = q.shape
    width = size // config.num_heads
    out = np.zeros((length, size))
    for number in range(config.num_heads):
        head = range(number * width, (number + 1) * width)
        turned_q = [TURNS[config.position](q[t, head], length - 1 - t) for t in range(length)]
        turned_k = [TURNS[config.position](k[s, head], length - 1 - s) for s in range(length)]
        for t in range(length):
            logits = [
                sum(a * b for a, b in zip(turned_q[t], turned_k[s], strict=True)) / math.sqrt(width)
                + sum(other_q[t, i] * other_k[s, i] for i in head) / math.sqrt(width)
                + BIASES[config.position](below(w, "position"), number, t - s)
                for s in range(t + 1)
            ]
            powers = [math.exp(logit - max(logits)) for logit in logits]
            for i in head:
                out[t, i] = sum(powers[s] * v[s, i] for s in range(t + 1)) / sum(powers)
    return out


def projected(w: Weights, x: np.ndarray) -> np.ndarray:
    return linear(w, "projection", x) if "projection.weight" in w else x


def not_turned(unit: np.ndarray, position: int) -> np.ndarray:
    return unit


def turned(unit: np.ndarray, position: int) -> np.ndarray:
    """Pairs (i, i + d/2) turned by the angle position / 10000^(2i/d), as complex numbers."""
    pairs, out = len(unit) // 2, unit.copy()
    for i in range(pairs):
        angle = position / 10_000 ** (i / pairs)
        number = complex(unit[i], unit[i + pairs]) * complex(math.cos(angle), math.sin(angle))
        out[i], out[i + pairs] = number.real, number.imag
    return out


def no_bias(w: Weights, head: int, distance: int) -> float:
    return 0.0


def bias_by_distance(w: Weights, head: int, distance: int) -> float:
    return w["distance_bias"][head, distance]


def relu_feed_forward(w: Weights, x: np.ndarray) -> np.ndarray:
    """relu(x W1 + b1) W2 + b2."""
    return linear(w, "outer", np.maximum(linear(w, "inner", x), 0))


def swiglu(w: Weights, x: np.ndarray) -> np.ndarray:
    """(silu(x W1 + b1) * (x W3 + b3)) W2 + b2, where silu(y) = y / (1 + e^-y)."""
    return linear(w, "outer", silu(linear(w, "inner", x)) * linear(w, "gate", x))


# A row for each row of the model's tables.
INPUTS = {
    "rating": rating_vector,
    "time_gap": gap_vector,
    "genres": genre_mean,
    "genres_gated": genre_mixture,
}
ATTENTIONS = {
    "softmax": softmax_attention,
    "gated": gated_attention,
    "decoupled": decoupled_attention,
    "hstu": hstu_attention,
}
FEED_FORWARDS = {"relu": relu_feed_forward, "swiglu": swiglu, "none": None}
STATES = {"dot": lambda x: x, "cosine": of_length_one}
SCORES = {"dot": dot, "cosine": cosine}
TURNS = {"learned": not_turned, "none": not_turned, "relative": not_turned, "rotary": turned}
BIASES = {"learned": no_bias, "none": no_bias, "rotary": no_bias, "relative": bias_by_distance}


def below(weights: Weights, prefix: str) -> Weights:
    """Those of one part, by their names in it."""
    dotted = f"{prefix}."
    return {
        name.removeprefix(dotted): weight
        for name, weight in weights.items()
        if name.startswith(dotted)
    }


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
