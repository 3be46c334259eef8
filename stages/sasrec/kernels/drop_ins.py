"""Faster functions in the place of what a model's modules compute by plain PyTorch.

A drop-in stands for one method (`forward` or `last`) of one kind of module. It is put on the
instances that it supports, as an attribute that hides the method of their class; so the class
stays what the operation means, and the model knows nothing of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

PLAIN = "plain PyTorch"


class DropIn(NamedTuple):
    """A row of the table `DROP_INS` (tables.py).

    Attributes:
        what: the operation in words, such as "blocks".
        how: what computes it, in words.
        module: the class whose method it stands for: that class itself, none derived from it.
        method: the name of the method.
        supports: whether it computes the same as a module of that class.
        compute: takes the module and the method's arguments.
        loops: whether it runs compiled loops: on the CPU alone, and not where torch compiles.
        mixes: whether it works in mixed precision.
    """

    what: str
    how: str
    module: type[nn.Module]
    method: str
    supports: Callable[[nn.Module], bool]
    compute: Callable[..., Tensor]
    loops: bool
    mixes: bool = True


def attach(drop_ins: list[DropIn], *roots: nn.Module) -> dict[str, str]:
    """Put drop-ins on all modules in `roots` that they support.

    Returns: how each operation is computed, by the first drop-in that supports it or plain PyTorch.
    """
    hows: dict[str, str] = {}
    for module in _modules(roots):
        for drop_in in drop_ins:
            if type(module) is not drop_in.module or is_attached(module, drop_in.method):
                continue
            supported = drop_in.supports(module)
            if supported:
                setattr(module, drop_in.method, partial(drop_in.compute, module))
            hows[drop_in.what] = drop_in.how if supported else PLAIN
    return hows


@contextmanager
def plainly(*roots: nn.Module) -> Iterator[None]:
    """Have the modules in `roots` compute by their own methods in the block."""
    taken = [(module, name, module.__dict__.pop(name)) for module, name in _attached(roots)]
    try:
        yield
    finally:
        for module, name, function in taken:
            module.__dict__[name] = function


def is_attached(module: nn.Module, method: str = "forward") -> bool:
    """Whether a drop-in stands for this method of the module."""
    return method in module.__dict__


def drop_in_of(module: nn.Module, method: str = "forward") -> Callable[..., Tensor] | None:
    """What stands for this method of the module, as in its `DropIn.compute`."""
    return module.__dict__[method].func if is_attached(module, method) else None


def _attached(roots: tuple[nn.Module, ...]) -> list[tuple[nn.Module, str]]:
    return [
        (module, name)
        for module in _modules(roots)
        for name in ("forward", "last")
        if is_attached(module, name)
    ]


def _modules(roots: tuple[nn.Module, ...]) -> Iterator[nn.Module]:
    for root in roots:
        yield from root.modules()
