"""Machines that train together have the same parameters, data and code, or are told."""

import pytest

from sasrec.base.errors import UserError
from sasrec.machine.distributed import World
from sasrec.training.machines import check_same_on_all


class Machines(World):
    """Two machines, of which the second has other data."""

    def from_all(self, value: tuple[str, dict[str, str]]) -> list[object]:
        return [value, None, ("farm-2", value[1] | {"data": "2", "versions": "2"}), None]


def test_machines_with_other_data_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = dict.fromkeys(("parameters", "data", "code", "versions", "machine"), "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(UserError, match=r"^farm-2 has other data than .*, where the first process"):
        check_same_on_all(lambda: identity, Machines(0, 4))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")  # one machine has one of each
    check_same_on_all(lambda: pytest.fail("asked"), Machines(0, 4))
