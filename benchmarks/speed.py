"""How long an epoch and the ranking of all users take, against the machine's peak and a peer.

    python benchmarks/speed.py
    python benchmarks/speed.py --ml-1m ml-1m.txt --games Video.txt --port SASRec.pytorch/python

With --port (a checkout of pmixer/SASRec.pytorch) both run in turns on the same data; its data
folder must hold ml-1m.txt and Video.txt.
"""

import workloads  # isort: skip  # noqa: F401, it sets how torch's threads wait
import argparse
from pathlib import Path

import numpy as np
import torch
from peer import Peer
from timing import Timing, describe_machine, matrix_product_peak, once
from workloads import Workload, build_trainer, games, movielens, train_params

from sasrec.batching.batches import SequenceReader
from sasrec.data.targets import Targets
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.machine.devices import choose_device
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.sasrec import SASRec
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores


def main() -> None:
    arguments = parse_arguments()
    device = choose_device(arguments.device)
    keep_freed_memory()
    peak = matrix_product_peak(device)
    print(describe_machine(device))
    print(f"float32 matrix product: {peak / 1e9:,.0f} Gflop/s\n")
    print(f"{'what':34} {'median (min to max)':30} {'interactions/s':>15} {'of peak':>8}")
    for workload, name in (
        (movielens(arguments.ml_1m), "ml-1m"),
        (games(arguments.games), "Video"),
    ):
        peer = Peer(arguments.port, name, workload.max_length, workload.dropout)
        report_epoch(workload, device, peak, peer, arguments)
        report_ranking(workload, device, peer, arguments)


def report_epoch(
    workload: Workload,
    device: torch.device,
    peak: float,
    peer: Peer,
    arguments: argparse.Namespace,
) -> None:
    train = workload.train
    params = train_params(arguments.device, **extra(arguments))
    trainer = build_trainer(workload.config(), train, workload.num_items, params, device)
    trainer.run_epoch(1)
    ours, theirs = [], []
    for repeat in range(arguments.repeats):
        ours.append(trainer.run_epoch(repeat + 2).seconds)
        if arguments.port:
            theirs.append(peer.epoch_seconds())
    timing = Timing(ours)
    positions = np.minimum(train.lengths[trainer.users] - 1, workload.max_length)
    share = epoch_operations(positions, 50, 2) / timing.median / peak
    rate = positions.sum() / timing.median
    print(f"{workload.name + ', an epoch':34} {timing!s:30} {rate:15,.0f} {share:8.0%}", flush=True)
    report_peer(timing, theirs)


def report_ranking(
    workload: Workload, device: torch.device, peer: Peer, arguments: argparse.Namespace
) -> None:
    histories = workload.histories
    users = np.flatnonzero(histories.lengths > 0)
    if workload.name.endswith("Games"):
        users = users[:10_000]  # as many as the peer ranks at most
    generator = np.random.default_rng(0)
    candidates = generator.integers(1, workload.num_items + 1, (len(users), 101), dtype=np.int32)
    targets = Targets(users, candidates[:, 0], candidates[:, 1:])
    model = SASRec(workload.config(), workload.num_items, seed=1).to(device)
    prepare(model, kernels=arguments.kernels)
    reader = SequenceReader(histories, workload.max_length, device, layout=layout_for(model))
    theirs = []

    def rank() -> None:
        rank_targets(ModelScores(model, reader), targets)

    rank()
    ours = []
    for _ in range(arguments.repeats):
        ours.append(once(rank))
        if arguments.port:
            theirs.append(peer.ranking_seconds())
    timing = Timing(ours)
    what = f"{workload.name}, ranking {len(users):,} users"
    print(f"{what:34} {timing!s:30}", flush=True)
    report_peer(timing, theirs)


def report_peer(ours: Timing, theirs: list[float]) -> None:
    if theirs:
        timing = Timing(theirs)
        print(
            f"{'  the port':34} {timing!s:30} ratio {timing.median / ours.median:.1f}", flush=True
        )


def epoch_operations(lengths: np.ndarray, size: int, blocks: int) -> float:
    """Multiplications and additions that the formulas need, backward twice the forward.

    Four D x D layers a block and position (with one head keys need none of their own), attention
    over each pair that the causal mask leaves, and the scores of target and negative.
    """
    pairs = (lengths * (lengths + 1) / 2).sum()
    forward = blocks * (4 * 2 * size**2 * lengths.sum() + 4 * size * pairs)
    return 3 * (forward + 4 * size * lengths.sum())


def extra(arguments: argparse.Namespace) -> dict[str, object]:
    return {key: getattr(arguments, key) for key in ("precision", "compile", "kernels")}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ml-1m", type=Path, help="the authors' ml-1m.txt")
    parser.add_argument("--games", type=Path, help="the authors' Video.txt")
    parser.add_argument("--port", type=Path, help="the folder `python` of SASRec.pytorch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--kernels", default="auto", choices=["auto", "plain"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
