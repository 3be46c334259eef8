"""Kill a training at random moments and run it again, until so many kills; all bytes must agree.

    python tests/helpers/kill_training.py 50            # with SIGKILL, on the toy dataset
    python tests/helpers/kill_training.py 50 --refit    # with train.refit and an average too

Half of the moments are any from the start of the process, the others soon after an epoch.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from places import STAGES

sys.path.insert(0, str(STAGES))

from toy_stages import run, set_params, write_interactions

OUTPUTS = ("data/model", "metrics", "plots")
LONG = {"train__epochs": 60, "train__patience": 60}  # so that there is something to kill


def outputs(folder: Path) -> dict[str, bytes]:
    """What train has written."""
    paths = [path for name in OUTPUTS for path in sorted((folder / name).rglob("*"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}


def start(folder: Path) -> subprocess.Popen[str]:
    """The stage, as a shell in the foreground starts it."""
    return subprocess.Popen(
        [sys.executable, str(STAGES / "train.py")],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def stop_after_epochs(
    folder: Path, epochs: int, delay: float, how: signal.Signals
) -> tuple[int, str, str]:
    """Send a signal so many seconds after so many epochs; returns the exit code and the output."""
    process, lines = start(folder), []
    while epochs:
        line = process.stdout.readline()
        if not line:
            break
        lines.append(line)
        epochs -= line.startswith(("epoch ", "refit, epoch "))
    time.sleep(delay)
    process.send_signal(how)
    out, err = process.communicate()
    return process.returncode, "".join(lines) + out, err


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    more = {"train__refit": True, "train__average": "ema"} if given.refit else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_interactions(folder / "data/interactions")
        set_params(folder, **LONG, **more)
        for stage in ("split", "train"):
            assert run(folder, stage).returncode == 0
        wanted, rounds, resumed = outputs(folder), 0, 0
        kills = 0
        while kills < given.kills:
            if draw.random() < 0.5:
                epochs, delay = 0, draw.uniform(0, 5)
            else:
                epochs, delay = draw.randrange(1, 20), draw.uniform(0, 0.1)
            code, out, err = stop_after_epochs(folder, epochs, delay, signal.SIGKILL)
            resumed += "going on after" in out
            if code == -signal.SIGKILL:
                kills += 1
            else:
                assert code == 0, err
                assert outputs(folder) == wanted, "other bytes"
                rounds += 1
        done = run(folder, "train")
        assert done.returncode == 0, done.stderr
        assert outputs(folder) == wanted, "other bytes"
        left = [path for path in folder.rglob("*") if path.name.endswith((".tmp", ".safetensors"))]
        assert [path.name for path in left] == ["model.safetensors"], left
    print(
        f"{kills} kills in {rounds + 1} trainings, which went on from a checkpoint {resumed} "
        "times: the same bytes"
    )


if __name__ == "__main__":
    main()
