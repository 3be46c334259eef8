"""What the draw of the 100 candidates does to the sampled metrics of finished runs.

    python benchmarks/candidate_draws.py ml-1m-official-1 ml-1m-official-2

A target's rank among all items says how many of them score better, hence how likely each rank
among 100 random ones is: the expectation over all draws needs no draw. By our protocol candidates
differ from each other and from all that the user met; the authors' code draws with repetition
from what is not in the training history, validation item and target included (SASRec's util.py).
"""

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))
from sasrec.base.errors import UserError
from sasrec.base.script import run_main
from sasrec.comparing.runs.results import RANKS, Results, find_results
from sasrec.ranking.metrics import metric_values

COUNT, K = 100, 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="an experiment or a folder")
    print(f"{'':24} {'this draw':>15} {'all draws':>15} {'as the authors':>15}   sd of HR@10")
    for name in parser.parse_args().runs:
        drawn, ours, authors, deviation = expectations(find_results(name))
        cells = (f"{hr:.4f}, {ndcg:.4f}" for hr, ndcg in (drawn, ours, authors))
        print(f"{name:24} {'  '.join(cells)}   {deviation:.4f}", flush=True)


def expectations(
    run: Results,
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float], float]:
    """HR@10 and NDCG@10 of this draw, of ours on average, and of the authors' on average.

    The last value is the standard deviation of HR@10 over draws.
    """
    ranks, dataset = run.read(RANKS), run.read("data/split/test/dataset.json")
    if ranks is None or dataset is None:
        raise UserError(f"{run.name}: expected {RANKS} and data/split/test: run `dvc repro`")
    table = pd.read_csv(io.BytesIO(ranks))
    if f"sampled_{COUNT}" not in table:
        raise UserError(f"{run.name}: {RANKS} has no column sampled_{COUNT}")
    num_items = json.loads(dataset)["num_items"]
    drawn = metric_values(table[f"sampled_{COUNT}"].to_numpy(), (K,))
    better = torch.from_numpy(table["full"].to_numpy() - 1).floor()
    unseen = torch.from_numpy(num_items - table["history_length"].to_numpy() - 1.0)
    ours = hypergeometric(better, unseen)
    hits = ours.sum(1)
    deviation = float((hits * (1 - hits)).sum().sqrt() / len(hits))
    mean = (float(drawn[f"HR@{K}"].mean()), float(drawn[f"NDCG@{K}"].mean()))
    return mean, expected(ours), expected(binomial(better / (unseen + 2))), deviation


def hypergeometric(better: Tensor, others: Tensor) -> Tensor:
    """[E, K]: the chance that 0, 1, ... of COUNT distinct candidates are among the better ones."""
    found = torch.arange(K, dtype=torch.float64)
    logs = (
        log_choose(better[:, None], found)
        + log_choose((others - better)[:, None], COUNT - found)
        - log_choose(others[:, None], torch.tensor(COUNT, dtype=torch.float64))
    )
    return logs.exp()


def binomial(chance: Tensor) -> Tensor:
    """[E, K]: the same with repetition, each candidate being better with this chance."""
    found = torch.arange(K, dtype=torch.float64)
    ways = log_choose(torch.tensor(COUNT, dtype=torch.float64), found)
    return ways.exp() * chance[:, None] ** found * (1 - chance[:, None]) ** (COUNT - found)


def log_choose(n: Tensor, k: Tensor) -> Tensor:
    """log of n over k; -inf where k > n."""
    logs = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp(min=0) + 1)
    return torch.where(k > n, -torch.inf, logs)


def expected(chances: Tensor) -> tuple[float, float]:
    gains = 1 / torch.from_numpy(np.log2(np.arange(K) + 2))
    return float(chances.sum(1).mean()), float((chances * gains).sum(1).mean())


if __name__ == "__main__":
    run_main(main)
