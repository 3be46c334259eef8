"""What numba compiled, as bytes: taken over from another process, and handed to the next one.

Nothing here reads or writes a file; compiling.py does, once a process. So a file that is damaged,
replaced or gone later changes nothing for a process that runs.
"""

import pickle
import sys
from types import FunctionType

import llvmlite
import numba
import numpy as np
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.serialize import dumps
from safetensors.numpy import load, save

# Settings of numba that change no code, by their beginnings: they differ from run to run.
_NOT_IN_CODE = ("CACHE", "CUDA", "NUMBA", "THREADING", "DEBUG_CACHE", "_")

# By function and types of its arguments. Only ever added to, under numba's own lock or whole.
_taken: dict[str, bytes] = {}
_compiled_here: dict[str, bytes] = {}


class KeptCode(NullCache):
    """Where numba looks for the code of one function before it compiles it."""

    def __init__(self, function: FunctionType) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"

    def load_overload(self, sig, target_context):  # noqa: ANN001, ANN201
        """The code for arguments of these types, or None."""
        target_context.refresh()  # as numba's own caches do
        code = _taken.get(f"{self._name}{sig}")
        if code is not None:
            return CompileResult._rebuild(target_context, *pickle.loads(code))
        return None

    def save_overload(self, sig, data):  # noqa: ANN001, ANN201
        """Keep what was compiled, unless it holds addresses of this process."""
        if not data.library.has_dynamic_globals:
            _compiled_here[f"{self._name}{sig}"] = dumps(data._reduce())


def take_over(code: bytes) -> None:
    """Load what `hand_over` gave instead of compiling it. It can run anything: know its origin."""
    _taken.update({name: one.tobytes() for name, one in load(code).items()})


def hand_over() -> bytes:
    """All that this process took over or compiled, for `take_over`: bytes by name."""
    code = _taken | _compiled_here
    return save({name: np.frombuffer(one, np.uint8) for name, one in code.items()})


def compiled_here() -> list[str]:
    """What this process compiled: functions with the types of their arguments."""
    return list(_compiled_here)


def compiler() -> str:
    """All that decides what becomes of the same source: versions, processor, settings."""
    settings = {
        name: str(value)
        for name, value in sorted(vars(numba.config).items())
        if name.isupper() and not name.startswith(_NOT_IN_CODE)
    }
    versions = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
    machine = cpu_target.target_context.codegen().magic_tuple()  # system, processor, features
    return "\n".join(map(str, (*versions, *machine, settings)))
