"""Processes on several machines train one model only if all have the same to train it from."""

import socket
from collections.abc import Callable

from sasrec.base.errors import UserError
from sasrec.machine.distributed import World, is_first_here, spans_machines
from sasrec.training.checkpoints import Identity

SAME = ("parameters", "data", "code")


def check_same_on_all(identity: Callable[[], Identity], world: World) -> None:
    """Hold that every machine has the first one's parameters, data and code; all processes call it.

    Raises:
        UserError: in all of them, if one machine has others.
    """
    if not spans_machines():
        return
    own = (socket.gethostname(), identity()) if is_first_here() else None
    (first, wanted), *others = [one for one in world.from_all(own) if one]
    for host, found in others:
        differing = [name for name in SAME if found[name] != wanted[name]]
        if differing:
            raise UserError(
                f"{host} has other {' and '.join(differing)} than {first}, where the first process "
                "runs: all machines need the same commit, params.yaml and data/split/"
            )
