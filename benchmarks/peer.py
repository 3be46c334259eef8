"""Timing pmixer/SASRec.pytorch from a folder that holds its checkout; nothing of it is here."""

import subprocess
import sys
import time
from pathlib import Path

# Ranks all test targets with an untrained model by the port's own functions; prints the seconds.
RANK = """
import argparse, sys, time
sys.path.insert(0, ".")
from model import SASRec
from utils import data_partition, evaluate
name, length = sys.argv[1], int(sys.argv[2])
args = argparse.Namespace(device="cpu", hidden_units=50, maxlen=length, dropout_rate=0.2,
                          num_blocks=2, num_heads=1, norm_first=False)
dataset = data_partition(name)
model = SASRec(dataset[3], dataset[4], args).eval()
started = time.perf_counter()
evaluate(model, dataset, args)
print("SECONDS", time.perf_counter() - started)
"""


class Peer:
    """The port in `folder` (its directory `python`), on a dataset file of its data folder."""

    def __init__(self, folder: Path, dataset: str, max_length: int, dropout: float) -> None:
        self.folder = folder
        self.dataset = dataset
        self.max_length = max_length
        self.dropout = dropout

    def epoch_seconds(self) -> float:
        """Wall time of the second epoch, sampling included, from one first step to the next."""
        command = [
            *(sys.executable, "-u", "main.py", "--device=cpu", "--train_dir=benchmark"),
            *(f"--dataset={self.dataset}", f"--maxlen={self.max_length}"),
            *(f"--dropout_rate={self.dropout}", "--num_epochs=3"),
        ]
        starts: dict[int, float] = {}
        with subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith("loss in epoch"):
                    starts.setdefault(int(line.split()[3]), time.perf_counter())
                if 3 in starts:
                    process.kill()
                    break
        subprocess.run(["pkill", "-f", "train_dir=benchmark"], check=False)
        return starts[3] - starts[2]

    def ranking_seconds(self) -> float:
        """Wall time of ranking the test targets among 101 candidates."""
        result = subprocess.run(
            [sys.executable, "-c", RANK, self.dataset, str(self.max_length)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(result.stdout.split("SECONDS")[1])
