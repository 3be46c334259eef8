"""Reading YAML exactly as DVC reads it, so that dvc.lock records what a stage uses.

DVC parses by ruamel.yaml, which is YAML 1.2: `010` is ten, `no` and `1:30` are text. PyYAML is
YAML 1.1, where they are eight, False and ninety.
"""

import re
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError


def parse_yaml(content: str | bytes) -> Any:
    """The value that a YAML text holds, None for an empty one.

    Args:
        content: text, or its bytes in UTF-8.

    Raises:
        ValueError: it is not YAML, or states a key twice; the message is one line.
    """
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return YAML(typ="safe").load(text)
    except DuplicateKeyError as error:
        key = re.match(r'found duplicate key "(.*?)" with value', str(error.problem))
        name = key[1] if key else "?"
        line = error.problem_mark.line + 1
        raise ValueError(f"line {line}: the key {name!r} is stated twice") from None
    except (YAMLError, ValueError) as error:  # a thirteenth month, bytes that are no text
        raise ValueError(" ".join(str(error).split())) from None
