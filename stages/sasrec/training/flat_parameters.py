"""All parameters of a model as one: one call for the optimizer's step, one to clear gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sasrec.base.errors import UserError


def flatten_parameters(parameters: Iterable[nn.Parameter]) -> nn.Parameter:
    """Move `parameters` into one array, of which they and their gradients become views.

    Element-wise optimizers then do the same by one call as they did by many. The gradients have
    to stay where they are: clear them by `flat.grad.zero_()`; `check_flat` says if they do.

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


def check_flat(flat: nn.Parameter, named_parameters: Iterable[tuple[str, nn.Parameter]]) -> None:
    """Hold that these parameters and their gradients are still those that were flattened.

    Raises:
        UserError: something was put elsewhere, as `zero_grad(set_to_none=True)` does: the
            optimizer would no longer see it.
    """
    for name, parameter in named_parameters:
        for kind, part, whole in (
            ("weights", parameter, flat),
            ("gradients", parameter.grad, flat.grad),
        ):
            if part is None or not _lies_in(part, whole):
                raise UserError(
                    f"the {kind} of {name} were put elsewhere, where the optimizer does not see "
                    "them: change them in place, as zero_() does"
                )


def _lies_in(part: Tensor, whole: Tensor) -> bool:
    return part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
