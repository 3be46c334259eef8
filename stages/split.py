"""Split the interactions into training sequences, validation targets and test targets.

Reads   data/interactions/, section `split` of params.yaml
Writes  data/split/train/   offsets.npy, items.npy (the training sequences)
        data/split/valid/   target_users.npy, target_items.npy, candidates.npy
        data/split/test/    the same, and offsets.npy, items.npy (each user's history)
        and dataset.json in each: sizes, and fingerprints of the data and of the cut
        data/split/test/cold/   where split.cold_items holds items out: cold_items.npy (their
                                ids), target_users.npy, target_items.npy, and each user's history

Beside items.npy lie ratings.npy (float32, NaN where unknown) and timestamps.npy (int64, in
dataset.json's time_unit) where the dataset has them, and the folder features/ where genres or
years are known of items: genres.json (their names), offsets.npy, genres.npy (item i's genres
are genres[offsets[i]:offsets[i + 1]]), years.npy (of item i; 0 is unknown).
"""

import sys
from pathlib import Path

import numpy as np

from sasrec.base.outputs import Outputs
from sasrec.base.params import load_params
from sasrec.base.script import run_stage
from sasrec.data.catalogue import ITEMS, Catalogue
from sasrec.data.cold import ColdTest, mask_of
from sasrec.data.facts import SplitFacts, fingerprint_of_split, write_facts
from sasrec.data.features import features_of
from sasrec.data.interactions import NumberedInteractions, read_interactions
from sasrec.data.targets import MANY_UNSEEN, Targets
from sasrec.splitting.cold import choose_cold_items, cold_test_of, draw_warm_candidates
from sasrec.splitting.cutting import Split, SplitParams, cut

INTERACTIONS = Path("data/interactions")
SPLIT = Path("data/split")
TRAIN, VALID, TEST = (SPLIT / name for name in ("train", "valid", "test"))
OUTPUTS = Outputs(SPLIT, folders=(TRAIN, VALID, TEST))


def main() -> None:
    params = load_params("split", SplitParams)
    with OUTPUTS.new() as new:
        data = read_interactions(INTERACTIONS)
        features = features_of(Catalogue.read(INTERACTIONS / ITEMS), data.facts.num_items)
        num_items = data.facts.num_items
        cold_items = choose_cold_items(num_items, params)
        cold, warm = None, data.sequences
        if len(cold_items):
            cold = cold_test_of(data.sequences, cold_items, num_items)
            warm = warm.where(~mask_of(cold_items, num_items)[warm.items])
        split = cut(warm, params)
        train, history = split.prefixes(split.train_ends), split.prefixes(split.test_ends)
        generator = np.random.default_rng(params.seed)
        valid, test = (
            Targets(
                target_users,
                warm.items[ends[target_users]],
                draw_warm_candidates(
                    warm,
                    target_users,
                    cold_items,
                    num_items=num_items,
                    num_candidates=params.num_candidates,
                    generator=generator,
                ),
            )
            for target_users, ends in (
                (split.valid_users, split.train_ends),
                (split.test_users, split.test_ends),
            )
        )
        train.save(new[TRAIN])
        valid.save(new[VALID])
        history.save(new[TEST])
        test.save(new[TEST])
        if cold is not None:
            cold.save(new[TEST])
        if features is not None:
            for folder in (TRAIN, TEST):
                features.save(new[folder])
        for folder in (TRAIN, VALID, TEST):
            write_facts(new[folder], facts_of(data, split, cold))
    print(
        f"{params.strategy}: {len(train.items):,} interactions to train on, "
        f"{len(valid.users):,} users to validate, {len(test.users):,} to test"
    )
    # Of the other strategy preprocess says it.
    unseen_share = split.unseen_share if params.strategy == "time" else 0.0
    if unseen_share > MANY_UNSEEN:
        print(
            f"Mind: {unseen_share:.1%} of the test targets are in nobody's training "
            "sequence: no model by ids can find them",
            file=sys.stderr,
        )
    if cold is not None:
        held_out = len(data.sequences.items) - len(warm.items)
        print(
            f"cold items: {len(cold_items):,} of {num_items:,} are held out with {held_out:,} "
            f"interactions; {len(cold.users):,} users have a target among them"
        )
    for part, targets in (("validation", valid), ("test", test)):
        without = int((~targets.has_candidates).sum())
        if without:
            print(
                f"Mind: {without:,} of {len(targets.users):,} {part} users leave fewer items than "
                f"split.num_candidates = {params.num_candidates}: they are ranked among all items "
                "only, and left out of the sampled protocol"
            )


def facts_of(data: NumberedInteractions, split: Split, cold: ColdTest | None) -> SplitFacts:
    cuts = [split.train_ends, split.valid_users, split.test_users, split.test_ends]
    more = {}
    if cold is not None:
        cuts.append(cold.cold_items)
        more = {"cold_items": len(cold.cold_items), "cold_targets": len(cold.users)}
    fingerprint = fingerprint_of_split(data.facts.fingerprint, split.whole.items, *cuts)
    return SplitFacts(**data.facts.model_dump(), **more, split=fingerprint)


if __name__ == "__main__":
    run_stage(main, __doc__)
