"""params.yaml, parsed once and strictly: a section becomes a frozen, validated object."""

import difflib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sasrec.base.errors import UserError
from sasrec.base.yaml_files import parse_yaml

PARAMS_FILE = Path("params.yaml")
SECTIONS = ("data", "split", "model", "objective", "train", "evaluate")


class Section(BaseModel):
    """Base of every params section: no unknown key, no missing key, no silent conversion.

    Declare the keys without defaults: params.yaml is the only place that holds values.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


S = TypeVar("S", bound=Section)


def distinct(names: list[str]) -> list[str]:
    """For a list of names, by pydantic's `field_validator`."""
    if len(set(names)) < len(names):
        raise ValueError("expected distinct names")
    return names


def load_params(section: str, kind: type[S], path: Path = PARAMS_FILE) -> S:
    """Read one section of params.yaml into `kind`.

    Raises:
        UserError: the file or the section is missing, or a key is unknown, missing, of the
            wrong type or out of range; the message names key, value and what is allowed.
    """
    content = _read(path)
    for name in content:
        if name not in SECTIONS:
            raise UserError(f"{path}: unknown section {name!r}{_hint(str(name), SECTIONS)}")
    if not isinstance(content.get(section), dict):
        raise UserError(f"{path}: section {section!r} is missing or is not a mapping")
    try:
        return kind.model_validate(content[section])
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(section, kind, error)}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{path} not found in {Path.cwd()}: run the stages from the repository's root, "
            "for example `python stages/train.py`"
        ) from None
    except ValueError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected sections {', '.join(SECTIONS)}")
    return content


def _explain(section: str, kind: type[Section], error: ValidationError) -> str:
    """One sentence for the error to mend first: a misspelt key also leaves its own out."""
    errors = error.errors(include_url=False)
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    location = [str(part) for part in first["loc"]]
    key = ".".join([section, *location])
    legal = tuple(_fields_at(kind, location[:-1]))
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{_hint(location[-1], legal)}"
    if first["type"] == "missing":
        return f"{key} is missing"
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(first["input"], dict):  # a check across keys: its message names them
        return f"{key}: {message}"
    return f"{key} = {first['input']!r}: {message}"


def _fields_at(kind: type[Section], location: list[str]) -> list[str]:
    """The legal keys of the section that `location` leads to."""
    for name in location:
        annotation = kind.model_fields[name].annotation if name in kind.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, Section)):
            return []
        kind = annotation
    return list(kind.model_fields)


def _hint(name: str, legal: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, legal, n=1)
    guess = f"; did you mean {close[0]}?" if close else ""
    return f" (allowed: {', '.join(legal)}){guess}"
