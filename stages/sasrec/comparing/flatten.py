"""Nested sections, as of params.yaml, as dotted names."""

import json
from typing import Any


def flatten(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as dotted names: {"train": {"seed": 1}} is {"train.seed": 1}."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            # Such as YAML's dates and .nan, which JSON lacks, become text.
            text = json.dumps(value, default=str, skipkeys=True)
            flat[f"{prefix}{key}"] = json.loads(text, parse_constant=str)
    return flat
