"""SASRec by plain formulas over padded sequences, with torch's autograd."""

import math

import torch
from torch.nn import functional

ITEMS = "inputs.parts.item.embedding.weight"


class PlainSASRec:
    """The authors' model as formulas over padded sequences [B, L], in float64, without dropout."""

    def __init__(self, model):
        self.weights = {
            name: weight.detach().double().clone().requires_grad_()
            for name, weight in model.named_parameters()
        }
        self.size, self.blocks = model.config.hidden_size, model.config.num_blocks

    def norm(self, x, name):
        mean = x.mean(-1, keepdim=True)
        deviation = ((x - mean).pow(2).mean(-1, keepdim=True) + 1e-8).sqrt()
        return (x - mean) / deviation * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def states(self, items):
        """int64 [B, L], 0 padding on the left: [B, L, D]."""
        length = items.shape[1]
        x = self.weights[ITEMS][items] * math.sqrt(self.size)
        x = x + self.weights["inputs.position.embedding.weight"][:length].flip(0)
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1) | (items == 0)[:, None]
        for index in range(self.blocks):
            block = f"blocks.{index}"
            normed = self.norm(x, f"{block}.attention_norm")
            query = self.linear(normed, f"{block}.attention.query")
            key, value = (self.linear(x, f"{block}.attention.{name}") for name in ("key", "value"))
            scores = query @ key.transpose(1, 2) / math.sqrt(self.size)
            # A finite number, so that rows of padding alone stay numbers.
            y = normed + scores.masked_fill(hidden, -1e30).softmax(-1) @ value
            z = self.norm(y, f"{block}.feed_forward_norm")
            x = z + self.linear(
                self.linear(z, f"{block}.feed_forward.inner").relu(), f"{block}.feed_forward.outer"
            )
        return self.norm(x, "last_norm")

    def loss(self, rows, targets, negatives):
        """Mean over real positions; lists of one row a user, `negatives` of one list a position."""
        length, count = max(map(len, rows)), sum(map(len, rows))
        padded = torch.tensor([[0] * (length - len(row)) + row for row in rows])
        states = self.states(padded)
        embedding = self.weights[ITEMS]
        total = 0.0
        for state, target, negative in zip(states, targets, negatives, strict=True):
            state = state[length - len(target) :]
            right = (state * embedding[target]).sum(-1)
            wrong = (state[:, None] * embedding[torch.tensor(negative)]).sum(-1)
            total = total - functional.logsigmoid(right).sum() - functional.logsigmoid(-wrong).sum()
        return total / count
