"""The main checkout: experiments run in copies of it, which are thrown away."""

import os
from pathlib import Path


def main_checkout() -> Path:
    """Where `.cache/` lies, whose content outlives an experiment: DVC names it to its stages."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())
