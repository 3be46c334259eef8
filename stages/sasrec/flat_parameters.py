"""All parameters of a model as one: one call for the optimizer's step, one to clear gradients."""

from collections.abc import Iterable

import torch
from torch import nn


def flatten_parameters(parameters: Iterable[nn.Parameter]) -> nn.Parameter:
    """Move `parameters` into one array, of which they and their gradients become views.

    Element-wise optimizers then do the same by one call as they did by many. The gradients have
    to stay where they are: clear them by `flat.grad.zero_()`.

    Returns: the array [number of weights], on the parameters' device, with a gradient of zeros.
    """
    parameters = list(parameters)
    flat = nn.Parameter(torch.cat([parameter.detach().reshape(-1) for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    weights, gradients = flat.detach().split(sizes), flat.grad.split(sizes)
    for parameter, weight, gradient in zip(parameters, weights, gradients, strict=True):
        parameter.data = weight.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    return flat
