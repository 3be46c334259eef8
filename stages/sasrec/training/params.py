"""The params section `train`."""

from typing import Literal

from pydantic import Field

from sasrec.base.params import Section
from sasrec.batching.windows import WINDOWS
from sasrec.model.config import Kernels
from sasrec.training.averaging import AVERAGES
from sasrec.training.schedules import SCHEDULES


class TrainParams(Section):
    """The params section `train`."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    windows: Literal[*WINDOWS]  # type: ignore[valid-type]
    learning_rate: float = Field(gt=0)
    schedule: Literal[*SCHEDULES]  # type: ignore[valid-type]
    warmup_steps: int = Field(ge=0)
    weight_decay: float = Field(ge=0)
    average: Literal[*AVERAGES]  # type: ignore[valid-type]
    ema_decay: float = Field(ge=0, lt=1)
    valid_every: int = Field(ge=1)
    patience: int = Field(ge=1)
    monitor: Literal["sampled", "full"]
    seed: int = Field(ge=0, lt=1 << 32)
    device: Literal["auto", "cpu", "cuda", "mps"]
    processes: int = Field(ge=1)
    precision: Literal["float32", "bfloat16"]
    compile: bool
    kernels: Kernels
    refit: bool
    new_items: Literal["none", "content"]
