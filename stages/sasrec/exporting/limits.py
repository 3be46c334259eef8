"""What a run's own numbers say against it, for the model card."""

from collections.abc import Iterator

from sasrec.exporting.markdown import escaped
from sasrec.exporting.run_facts import RunFacts

KEY = "NDCG@10"
MANY_TIES = 0.05


def limits(run: RunFacts) -> list[str]:
    """Sentences in Markdown, those that hold of every run first."""
    return [*_always(run), *_of_data(run), *_of_metrics(run)]


def _always(run: RunFacts) -> Iterator[str]:
    facts = run.description.data
    yield (
        f"One training with one seed: another seed gives other numbers, and the intervals cover "
        f"the choice of the {facts.num_users:,} users only."
    )
    yield (
        "Measured offline, on what users took of what they were shown: what they would have "
        "taken of other recommendations nobody knows."
    )
    yield (
        f"It knows {facts.num_items:,} items. A new one has to be trained on, and who has no "
        "history gets nothing of their own."
    )


def _of_data(run: RunFacts) -> Iterator[str]:
    share = run.data.get("equal_time_share")  # not there without times
    if share is not None and share > MANY_TIES:
        yield (
            f"{share:.1%} of interactions have the same time as another one of their user; their "
            "order is the file's, which may mean nothing."
        )
    if not run.description.data.has_timestamps:
        yield "The data has no times; the order of the file was taken for the order of events."
    checks = run.data.get("checks", {})
    if checks.get("unseen_targets"):
        yield (
            f"{checks['unseen_targets']:.1%} of users' last items are in nobody's training "
            "sequence."
        )
    if checks.get("short_histories"):
        yield f"{checks['short_histories']:.1%} of users have fewer than 3 interactions."


def _of_metrics(run: RunFacts) -> Iterator[str]:
    full = run.test["full"]
    if full.get("target_in_history"):
        yield (
            f"{full['target_in_history']:.1%} of test targets were in the user's history already."
        )
    if "coverage@10" in full:
        yield (
            f"Its lists of ten hold {full['coverage@10']:.1%} of the catalogue; the rest is "
            "recommended to nobody who was tested."
        )
    for protocol in run.protocols:
        low = run.intervals[protocol].get(KEY, {}).get("low")
        for name, metrics in run.baselines.items():
            other = metrics.get(protocol, {}).get(KEY)
            if low is not None and other is not None and other >= low:
                yield (
                    f"By {KEY} (`{protocol}`), {escaped(name)}, which needs no training, with "
                    f"{other:.4f} is not below the model's interval."
                )
    if "cold" not in run.test:
        yield "New items were not tested on their own (`split.cold_items`)."
