"""Packages import one way: each only those before it, so that a reader can stop anywhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import STAGES

# From the bottom up.
PACKAGES = (
    "base",
    "machine",
    "data",
    "sources",
    "preparing",
    "splitting",
    "batching",
    "model",
    "objectives",
    "ranking",
    "kernels",
    "recommending",
    "exporting",
    "training",
    "comparing",
    "reporting",
)
SASREC = STAGES / "sasrec"


def imported(path: Path) -> Iterator[str]:
    """The modules of sasrec that one imports anywhere in it, as `package.module`."""
    yield from imported_in(ast.parse(path.read_text("utf-8")))


def imported_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("sasrec.") for name in names if name.startswith("sasrec."))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    upward = [
        f"{path.relative_to(SASREC)} imports {name}"
        for path in sorted((SASREC / package).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] not in allowed
    ]
    assert upward == []


@pytest.mark.parametrize("package", PACKAGES[: PACKAGES.index("training") + 1])
def test_what_training_uses_is_loaded_when_it_begins(package: str) -> None:
    """Its identity (training/identity.py) goes by the modules that are loaded by then."""
    if package in ("recommending", "exporting"):  # which it does not use
        return
    later = [
        f"{path.relative_to(SASREC)} imports {name} in a function"
        for path in sorted((SASREC / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        for name in imported_in(node)
    ]
    assert later == []


def test_every_package_has_its_place() -> None:
    folders = {path.name for path in SASREC.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(PACKAGES)


def test_no_package_does_anything_when_it_is_imported() -> None:
    """Else what imports one of its modules would depend on all that `__init__.py` imports."""
    assert [str(path) for path in SASREC.rglob("__init__.py") if path.read_bytes()] == []
