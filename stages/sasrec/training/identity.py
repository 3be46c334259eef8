"""What decides a training's result, so that it goes on only from what is the very same.

Wherever these digests are equal, the bytes of the result are (on a CPU). The code is that of the
modules of this package that are loaded when a training begins. These are all that it uses: none of
them imports another one later (tests/test_imports.py), and the process that compiles loops runs
what they hold.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import safetensors
import torch

from sasrec.kernels.compiled_code import compiler
from sasrec.machine.devices import describe_device
from sasrec.machine.distributed import World
from sasrec.training.checkpoints import Identity
from sasrec.training.memory_need import Settings


def identity_of(
    settings: Settings,
    filter_seen: bool,
    data: Iterable[Path],
    device: torch.device,
    world: World,
    script: Path,
) -> Identity:
    """The digest of each thing that decides a training, by its name in words.

    Args:
        data: folders that are read.
        script: that runs, beside the modules that are loaded.
    """
    config, objective, params, _ = settings  # what is known of the data is in `data`
    sections = [section.model_dump() for section in (config, objective, params)]
    modules = [
        Path(module.__file__)
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] == "sasrec" and module.__file__
    ]
    files = (path for folder in data for path in sorted(folder.rglob("*")) if path.is_file())
    versions = [module.__version__ for module in (torch, pd, safetensors)]
    versions += [torch.backends.cpu.get_cpu_capability(), compiler()]  # NumPy's and Python's too
    machine = [describe_device(device), torch.get_num_threads(), world.size]
    return {
        "parameters": _digest([*sections, filter_seen]),
        "data": _digest_of_files(files),
        "code": _digest_of_files([script, *modules]),
        "versions": _digest(versions),
        "machine": _digest(machine),
    }


def _digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _digest_of_files(paths: Iterable[Path]) -> str:
    """Of their names and contents, wherever they lie."""
    digests = []
    for path in paths:
        with path.open("rb") as stream:
            digests.append((path.name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return _digest(digests)
