"""The script train, interrupted and killed at random moments, and run again."""

import random
import signal

from kill_training import LONG, outputs, stop_after_epochs
from toy_stages import run, set_params

import train
from sasrec.training.checkpoints import FOLDER


def stop_soon(folder, how):
    """At a random moment; returns the exit code and the output."""
    return stop_after_epochs(folder, random.randrange(2, 10), random.uniform(0, 0.05), how)


def test_it_ends_with_the_bytes_of_a_training_that_nobody_disturbs(folder):
    set_params(folder, **LONG)
    train.main()
    undisturbed = outputs(folder)

    code, _, err = stop_soon(folder, signal.SIGINT)
    assert code == 128 + signal.SIGINT
    (line,) = err.splitlines()
    assert line.startswith("interrupted: run the same command again, and it goes on after epoch ")
    assert outputs(folder) == undisturbed, "the curves too, which showed it while it ran"
    for _ in range(2):
        code, out, _ = stop_soon(folder, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert "going on after epoch " in out
    done = run(folder, "train")
    assert done.returncode == 0, done.stderr
    assert "going on after epoch " in done.stdout
    assert outputs(folder) == undisturbed
    assert list(FOLDER.iterdir()) == []
    assert not list(folder.rglob("*.tmp"))
