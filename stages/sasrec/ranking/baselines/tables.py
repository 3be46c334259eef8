"""The baselines that `evaluate.baselines` may name: a row here is a legal name."""

from collections.abc import Callable

from sasrec.data.sequences import Sequences
from sasrec.ranking.baselines.item_scores import Baseline
from sasrec.ranking.baselines.markov import fit_markov
from sasrec.ranking.baselines.neighbours import fit_neighbours
from sasrec.ranking.baselines.popularity import fit_popularity

# Each takes the training sequences and the number of items, and needs no training.
BASELINES: dict[str, Callable[[Sequences, int], Baseline]] = {
    "popularity": fit_popularity,
    "markov": fit_markov,
    "neighbours": fit_neighbours,
}
