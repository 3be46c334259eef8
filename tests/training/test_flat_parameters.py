"""One array of all parameters against a parameter each."""

import copy

import pytest
import torch
from torch import nn

from sasrec.base.errors import UserError
from sasrec.training.flat_parameters import check_flat, flatten_parameters


def toy_module() -> nn.Sequential:
    """Shapes of different sizes and numbers of axes, and values of their own."""
    torch.manual_seed(11)
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 2, bias=False))


def test_weights_and_gradients_are_views_in_order():
    module = toy_module()
    before = copy.deepcopy(module)
    flat = flatten_parameters(module.parameters())
    assert flat.shape == (3 * 5 + 5 + 5 + 5 + 5 * 2,)
    assert flat.is_leaf
    assert flat.tolist() == [
        value for weight in before.parameters() for value in weight.reshape(-1).tolist()
    ]
    assert not flat.grad.any()
    start = 0
    for (name, weight), (same, old) in zip(
        module.named_parameters(), before.named_parameters(), strict=True
    ):
        assert name == same
        assert torch.equal(weight, old)
        flat.data[start], flat.grad[start] = 7.0, 9.0
        assert (weight.reshape(-1)[0], weight.grad.reshape(-1)[0]) == (7.0, 9.0)
        start += weight.numel()


def test_an_optimizer_of_one_array_does_what_one_of_many_does():
    modules = [toy_module(), toy_module()]
    flat = flatten_parameters(modules[0].parameters())
    settings = {"lr": 0.1, "betas": (0.9, 0.98), "fused": True}
    optimizers = [
        torch.optim.Adam([flat], **settings),
        torch.optim.Adam(modules[1].parameters(), **settings),
    ]
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    for _ in range(3):
        for module, optimizer in zip(modules, optimizers, strict=True):
            (module(x).sin().sum() + module(x[:2]).sum()).backward()
            optimizer.step()
        flat.grad.zero_()
        assert all(not weight.grad.any() for weight in modules[0].parameters())
        optimizers[1].zero_grad()
    for one, other in zip(*(module.parameters() for module in modules), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_loaded_weights_land_in_the_array():
    module = toy_module()
    flat = flatten_parameters(module.parameters())
    module.load_state_dict({name: torch.ones_like(w) for name, w in module.state_dict().items()})
    assert (flat == 1).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda weight: setattr(weight, "grad", None),
            "the gradients of second were put elsewhere",
        ),
        (
            lambda weight: setattr(weight, "grad", torch.zeros_like(weight)),
            "the gradients of second were put elsewhere",
        ),
        (
            lambda weight: setattr(weight, "data", weight.data.clone()),
            "the weights of second were put elsewhere",
        ),
    ],
)
def test_what_is_put_elsewhere_is_noticed(spoil, message):
    named = {"first": nn.Parameter(torch.ones(2)), "second": nn.Parameter(torch.ones(3, 5))}
    flat = flatten_parameters(named.values())
    named["first"].grad.zero_()
    check_flat(flat, named.items())
    spoil(named["second"])
    with pytest.raises(UserError, match=message):
        check_flat(flat, named.items())
