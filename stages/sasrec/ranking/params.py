"""The params section `evaluate`; train checks it too, so that no wrong value waits for its end."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sasrec.base.params import Section, distinct
from sasrec.ranking.baselines.tables import BASELINES


class EvaluateParams(Section):
    """The params section `evaluate`."""

    ks: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    filter_seen: bool
    bootstrap_samples: int = Field(ge=100, le=1_000_000)
    seed: int = Field(ge=0)
    baselines: list[Literal[*BASELINES]]  # type: ignore[valid-type]
    device: Literal["auto", "cpu", "cuda", "mps"]

    @field_validator("ks")
    @classmethod
    def _rising(cls, ks: list[int]) -> list[int]:
        if ks != sorted(set(ks)):
            raise ValueError("expected rising cut-offs without repeats, such as [1, 5, 10, 20]")
        return ks

    _each_once = field_validator("baselines")(distinct)
