"""What stands on a page of docs/."""

import re
from pathlib import Path


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
