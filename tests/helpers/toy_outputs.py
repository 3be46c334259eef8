"""Outputs of a toy stage: one folder and two files; written, looked at, killed meanwhile."""

import os
import subprocess
import sys
from pathlib import Path

from places import HELPERS, STAGES

from sasrec.base.outputs import Outputs

FOLDER, FILE, OTHER = Path("data/model"), Path("metrics/train.json"), Path("plots/curve.png")

OUTPUTS = Outputs(FOLDER, folders=(FOLDER,), files=(FILE, OTHER))


def write(text, outputs=OUTPUTS):
    with outputs.new() as new:
        fill(new, text)


def fill(new, text):
    (new[FOLDER] / "a.txt").write_text(text)
    (new[FOLDER] / "deep").mkdir()
    new[FILE].write_text(text)
    new[OTHER].write_text(text)


def write_and_raise(text, error):
    with OUTPUTS.new() as new:
        fill(new, text)
        raise error


def tree(folder):
    """Every file and folder below `folder` but locks, temporary ones too, and what files hold."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in folder.rglob("*")
        if path.suffix != ".lock"
    }


def complete(text):
    return {
        **{"data": None, "metrics": None, "plots": None},
        **{"data/model": None, "data/model/deep": None},
        **dict.fromkeys(("data/model/a.txt", "metrics/train.json", "plots/curve.png"), text),
    }


KILLED = """
import os, sys
from pathlib import Path
from toy_outputs import OUTPUTS, fill
steps, stop = 0, int(sys.argv[1])
def count(real):
    def step(*arguments, **options):
        global steps
        if steps == stop:
            os._exit(9)
        steps += 1
        return real(*arguments, **options)
    return step
for name in ("rename", "mkdir", "rmdir", "unlink"):
    setattr(Path, name, count(getattr(Path, name)))
with OUTPUTS.new() as new:
    fill(new, "new")
"""


def kill_at(folder, step):
    """Write in a process that ends without a word before its step number `step`."""
    path = os.pathsep.join([str(STAGES), str(HELPERS)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(step)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert done.returncode in (0, 9)
    return done.returncode
