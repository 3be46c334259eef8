"""Where to compute: the device that params.yaml asks for, if it is there."""

import os

import torch

from sasrec.base.errors import UserError


def choose_device(name: str, key: str = "train.device") -> torch.device:
    """`auto` is CUDA when there is one, else the CPU; any other name must be available.

    `key` is the parameter that says so, for the message.

    Raises:
        UserError: the device asked for is not available.
    """
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = "cuda" if available["cuda"] else "cpu"
    if not available[name]:
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise UserError(
            f"{key} = {name!r}, but torch {torch.__version__} finds no such device here "
            f"(available: {there}); use auto"
        )
    if name == "cuda":  # one GPU a process when there are several
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """The device in words: the name of a GPU, or how many threads of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else "mps"
