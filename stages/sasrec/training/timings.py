"""How fast a training was: beside the repository, since no two runs take the same time.

metrics/train_details.json is in git and must be the same from run to run. A timing goes into
.cache/timings/ of the main checkout instead (experiments run in copies of it), under a name made
of the metrics: so it is found again for the experiment, the branch and the folder that hold them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from sasrec.base.checkout import main_checkout
from sasrec.base.errors import UserError
from sasrec.base.files import write_json

FOLDER = Path(".cache/timings")


def keep_timing(metrics: dict[str, Any], timing: dict[str, float | int]) -> None:
    """Write `timing` of the training that has `metrics` (metrics/train_details.json).

    A training does not fail because this cannot be written: then there is no timing.
    """
    path = _path(main_checkout(), metrics)
    try:
        write_json(path, timing)
    except (OSError, UserError) as error:
        print(f"the timing is not kept: {error}", flush=True)


def find_timing(root: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    """The timing of the training that has `metrics`, empty if it did not run below `root`."""
    try:
        content = json.loads(_path(root, metrics).read_bytes())
    except (OSError, ValueError):  # nothing depends on it, and the next training writes it anew
        return {}
    return content if isinstance(content, dict) else {}


def _path(root: Path, metrics: dict[str, Any]) -> Path:
    text = json.dumps(metrics, sort_keys=True)
    return root / FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
