"""The weights that are shown are those that the model gives its values."""

import numpy as np
import pytest
import torch
from toys import toy_config, toy_model, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.reporting.attention import latest_weights, mean_weights

HISTORIES = [[17, 3, 9, 2], [5, 22, 3, 14, 1, 5, 9, 2, 6, 5, 3, 8, 20, 7, 11]]
LENGTHS = (4, 11)  # of max_length 11


@pytest.mark.parametrize("position", ["learned", "relative", "rotary"])
@pytest.mark.parametrize("user", [1, 2])
def test_weights_times_values_are_what_attention_gives(position, user):
    model = toy_model(toy_config(position=position, num_heads=1, num_blocks=2)).eval()
    reader = SequenceReader(toy_sequences(HISTORIES), 11, torch.device("cpu"), layout="packed")
    weights = latest_weights(model, reader, user, 3)
    assert weights.shape == (2, 3, LENGTHS[user - 1])
    given = []
    for block in model.blocks:
        attention = block.attention
        attention.register_forward_pre_hook(
            lambda module, inputs: given.append(
                (module.attended(*inputs)[-3:], module.value(inputs[1]))
            )
        )
    with torch.no_grad():
        model(reader.histories(np.array([user]))[0])
    for found, (attended, values) in zip(weights, given, strict=True):
        assert found.sum(1) == pytest.approx(np.ones(3), abs=1e-6)
        assert (found @ values.numpy()) == pytest.approx(attended.numpy(), abs=1e-5)
    before = latest_weights(model, reader, user, 3)
    assert (before == weights).all()


def test_the_mean_is_over_users():
    model = toy_model(toy_config(num_heads=2, hidden_size=10)).eval()
    reader = SequenceReader(toy_sequences(HISTORIES), 11, torch.device("cpu"), layout="packed")
    each = [latest_weights(model, reader, user, 4)[:, :, -4:] for user in (1, 2)]
    found = mean_weights(model, reader, np.array([1, 2]), 4)
    assert found == pytest.approx((each[0] + each[1]) / 2)
