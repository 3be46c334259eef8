"""Results of runs as the pipeline leaves them, with ranks that a test chooses."""

import json
from pathlib import Path

import numpy as np
import yaml

from sasrec.comparing.runs.comparison import Comparison, compare_sides
from sasrec.comparing.runs.experiments import load_side

USERS = 60
LIFT = 3.0  # of ranks that are clearly better


def random_ranks(seed: int, lift: float = 1.0, users: int = USERS) -> np.ndarray:
    """Ranks among many items that are alike from seed to seed; a lift over 1 makes them better."""
    difficulty = np.random.default_rng(0).gamma(1, 30, users)
    noise = np.random.default_rng(seed).lognormal(0, 0.3, users)
    return np.floor(difficulty * noise / lift) + 1


def ranks_csv(full: np.ndarray, sampled_name: str = "sampled_100") -> str:
    """User n's target is item n + 500."""
    rows = [f"{user},{user + 500},7,{min(rank, 101.0)},{rank}" for user, rank in enumerate(full, 1)]
    return "\n".join([f"user,item,history_length,{sampled_name},full", *rows, ""])


def write_results(folder: Path, full: np.ndarray, params: dict | None = None) -> Path:
    """A folder with ranks, and parameters in params.yaml unless None."""
    (folder / "data" / "evaluation").mkdir(parents=True)
    (folder / "data" / "evaluation" / "ranks.csv").write_text(ranks_csv(full))
    if params is not None:
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        (folder / "metrics").mkdir()
        training = {"best_epoch": 5, "epochs": 9, "seconds_per_epoch": 0.25}
        (folder / "metrics" / "train_details.json").write_text(json.dumps(training))
    return folder


def write_lock(folder: Path, params: dict, test_data: str = "0" * 32) -> None:
    """dvc.lock with `params` by dotted name and the MD5 of what evaluate ranked."""
    stages = {
        "train": {"params": {"params.yaml": params}},
        "evaluate": {"deps": [{"path": "data/split/test", "md5": test_data}]},
    }
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def seeded(seed: int, **model: object) -> dict:
    return {"model": {"variant": "paper", **model}, "train": {"seed": seed}}


def compare(a: str, b: str, ks=(10,), mrr=False, samples=1000, seed=1) -> Comparison:
    sides = load_side("A", a), load_side("B", b)
    return compare_sides(*sides, ks, mrr=mrr, samples=samples, seed=seed)


def write_seeds(folder: Path, name: str, seeds: tuple[int, ...], lift: float = 1.0, **model) -> str:
    """Results name-1, name-2, ...; their names with commas between."""
    for seed in seeds:
        ranks = random_ranks(100 * len(name) + seed, lift)
        write_results(folder / f"{name}-{seed}", ranks, seeded(seed, **model))
    return ",".join(f"{name}-{seed}" for seed in seeds)
