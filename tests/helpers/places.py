"""Where the repository's folders are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGES = ROOT / "stages"
TESTS = ROOT / "tests"
HELPERS = TESTS / "helpers"
