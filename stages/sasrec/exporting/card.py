"""The model card: what a model is, made of, worth, and not for; every number from the run's files.

As Hugging Face lays cards out: YAML that its hub reads, then sections (Mitchell et al. 2019).
"""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from sasrec.exporting.check import Agreement
from sasrec.exporting.limits import limits
from sasrec.exporting.markdown import code, escaped, table
from sasrec.exporting.run_facts import RunFacts

PROJECT = "SASRec"
SHOWN = ("HR@1", "HR@5", "HR@10", "NDCG@5", "NDCG@10", "MRR")  # of those that were asked for
CITATION = (
    'W.-C. Kang, J. McAuley. "Self-Attentive Sequential Recommendation". ICDM 2018. '
    "arXiv:1808.09781"
)
PYTHON = """```python
from sasrec.recommending.recommender import Recommender  # PYTHONPATH names the folder stages

Recommender.load("data/model").recommend(history={history}, k=10)
```"""
ONNX = """```python
import csv, numpy as np, onnxruntime

with open("items.csv", encoding="utf-8", newline="") as file:
    raw_ids = {{int(row["number"]): row["item"] for row in csv.DictReader(file)}}
numbers = {{raw_id: number for number, raw_id in raw_ids.items()}}
session = onnxruntime.InferenceSession("model.onnx")

history = {history}  # raw ids, oldest first
items = np.array([[numbers[raw_id] for raw_id in history]], np.int64)
(scores,) = session.run(["scores"], {{"items": items}})
scores[0, items[0]] = -np.inf  # what is in the history
print([raw_ids[int(number)] for number in np.argsort(-scores[0])[:10]])
```"""


def model_card(run: RunFacts, examples: tuple[str, str], agreement: Agreement | None) -> str:
    """The card as Markdown.

    Args:
        examples: raw ids of two items.
        agreement: how model.onnx was checked; None where there is none.
    """
    description = run.description
    facts = description.data
    sections = [
        f"# {PROJECT} on {escaped(facts.name)}",
        f"Recommends the next item after a user's history: {PROJECT} "
        f"(`{description.config.variant}` blocks), trained on data of {facts.num_interactions:,} "
        f"interactions of {facts.num_users:,} users with {facts.num_items:,} items.",
        *_use(run, examples, agreement),
        *_data(run),
        *_training(run),
        *_evaluation(run),
        "## Limits",
        "\n".join(f"- {line}" for line in limits(run)),
        "## Licence",
        f"The code is MIT. The data: {escaped(run.source.licence or 'no licence is known')}. "
        "Whether a model made of them may be passed on, their terms say, not this card.",
        "## Citation",
        "\n".join(f"- {line}" for line in _citations(run)),
    ]
    return f"---\n{_front_matter(run)}---\n\n" + "\n\n".join(sections) + "\n"


def _front_matter(run: RunFacts) -> str:
    name = run.description.data.name
    metrics = [
        {"type": key.lower(), "name": f"{key} ({protocol})", "value": run.test[protocol][key]}
        for protocol in run.protocols
        for key in _shown(run, protocol)
    ]
    result = {
        "task": {"type": "recommendation", "name": "next item"},
        "dataset": {"type": name, "name": name, "split": "test"},
        "metrics": metrics,
    }
    content = {
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "library_name": "pytorch",
        "tags": ["recommendation", "sequential-recommendation", "sasrec"],
        "model-index": [{"name": f"{PROJECT} on {name}", "results": [result]}],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _use(run: RunFacts, examples: tuple[str, str], agreement: Agreement | None) -> Iterator[str]:
    history = f"[{', '.join(map(_quoted, examples))}]"
    yield "## Use"
    yield PYTHON.format(history=history)
    if agreement is not None:
        length = run.description.config.max_length
        yield (
            f"`model.onnx` needs no PyTorch: `items` int64 [batch, length] of numbers in "
            f"`items.csv`, oldest first, padded with 0 (before or after), at most {length} of "
            f"them; `scores` float32 [batch, {run.description.num_items + 1}] by number, column 0 "
            "is never the best. Items of the history are scored like any other."
        )
        yield ONNX.format(history=history)
        yield (
            f"Checked with onnxruntime on {agreement.histories:,} histories: scores differ from "
            f"PyTorch's by at most {agreement.difference:.1e} (they go to "
            f"{agreement.largest:.3g}), and the best 10 items are the same in the same order for "
            f"{agreement.same_top:,} of them."
        )
    yield (
        "Meant for: ranking the items of this catalogue for people with a history in it, and as "
        "a baseline in research. Not meant for: other catalogues, items that training never saw, "
        "or decisions about people."
    )


def _quoted(text: str) -> str:
    """As Python spells it, with nothing hidden."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else ascii(text)


def _data(run: RunFacts) -> Iterator[str]:
    facts, data, source = run.description.data, run.data, run.source
    length = data["sequence_length"]
    dropped = ", ".join(
        f"{count:,} by {escaped(reason)}" for reason, count in data["dropped"].items() if count
    )
    rows = [
        ("origin", escaped(source.origin)),
        ("users, items", f"{facts.num_users:,}, {facts.num_items:,}"),
        ("interactions", f"{facts.num_interactions:,}, of all pairs {data['density']:.2%}"),
        ("dropped before", dropped or "none"),
        (
            "interactions a user",
            f"mean {length['mean']:.1f}, median {length['median']:g}, most {length['max']:,}",
        ),
        ("fingerprint, split", f"`{facts.fingerprint}`, `{facts.split}`"),
        *((f"SHA-256 of {escaped(name)}", f"`{sha}`") for name, sha in source.sha256.items()),
    ]
    yield "## Data"
    yield table(("", escaped(facts.name)), rows)


def _training(run: RunFacts) -> Iterator[str]:
    description = run.description
    sections: dict[str, dict[str, Any]] = {
        "model": description.config.model_dump(),
        **{name: getattr(description, name, {}) for name in ("objective", "train")},
    }
    rows = [
        (f"`{section}.{key}`", code(value))
        for section, values in sections.items()
        for key, value in values.items()
        if not isinstance(value, dict)
    ]
    train = sections["train"]
    seed = train.get("seed")
    refit = " Then it was trained again on validation's targets too." if train.get("refit") else ""
    yield "## Training"
    yield (
        f"{run.training['epochs']} epochs, of which epoch {description.best_epoch} is kept, the "
        f"best on validation; seed {seed}.{refit} This card was written with "
        + ", ".join(f"{name} {version}" for name, version in run.versions.items())
        + "."
    )
    yield "<details><summary>All parameters</summary>"
    yield table(("parameter", "value"), rows)
    yield "</details>"


def _evaluation(run: RunFacts) -> Iterator[str]:
    yield "## Evaluation"
    yield (
        "Test targets are the users' held-out items, which neither training nor the choice of "
        "the epoch saw. In brackets 95% bootstrap intervals over users. `sampled_…`: the target "
        "among so many drawn items; `full`: among all items. The two never compare."
    )
    for protocol in run.protocols:
        measured, intervals = run.test[protocol], run.intervals[protocol]
        others = {name: each[protocol] for name, each in run.baselines.items() if protocol in each}
        rows = [
            (
                key,
                f"{measured[key]:.4f} ({_ends(intervals[key])})",
                *(f"{other[key]:.4f}" if key in other else "" for other in others.values()),
            )
            for key in _shown(run, protocol)
        ]
        yield f"`{protocol}`, {measured['users']:,} users:"
        yield table(("", "this model", *map(escaped, others)), rows)


def _ends(interval: dict[str, float]) -> str:
    return f"{interval['low']:.4f} to {interval['high']:.4f}"


def _shown(run: RunFacts, protocol: str) -> list[str]:
    """The metrics of SHOWN that the run has, or all with an interval where it has none of them."""
    known = [key for key in run.test[protocol] if key in run.intervals[protocol]]
    return [key for key in known if key in SHOWN] or known


def _citations(run: RunFacts) -> list[str]:
    return [each for each in (CITATION, escaped(run.source.citation or "")) if each]
