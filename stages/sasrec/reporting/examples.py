"""Sections on what the model does: examples by title, attention, nearest items."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import normalize

from sasrec.base.errors import UserError
from sasrec.ranking.ranks import Ranks, rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.reporting.attention import SHOWS, latest_weights, mean_weights
from sasrec.reporting.charts import draw_matrix
from sasrec.reporting.elements import EMPTY, Cell, Chart, Part, Section, Table, cell
from sasrec.reporting.inside import MODEL, Inside
from sasrec.reporting.run import MAKES, ReportedRun

USERS, TOP, SHOWN = 6, 10, 12  # examples, the items recommended, the latest of a history
POSITIONS, AVERAGED = 15, 200  # of the map, as in the paper's figure 4, and its users
POPULAR, NEAREST = 8, 5
TAKEN = ("item", "rank of all items", "rank among candidates")


def inside_sections(runs: Sequence[ReportedRun], seed: int) -> list[Section]:
    """Of the first run whose model lies in a folder."""
    folders = {run.name: run.folder for run in runs if run.folder is not None}
    found = [name for name, folder in folders.items() if (folder / MODEL).is_dir()]
    inside = Inside(folders[found[0]], seed) if found else None
    sections = []
    for title, name, fill in (
        ("Examples", "examples", _fill_examples),
        ("Attention", "attention", _fill_attention),
        ("Nearest items", "nearest", _fill_nearest),
    ):
        section = Section(title, name=name)
        if inside is None:
            section.absent.append(
                f"No run here has {MODEL} in a folder: {MAKES}, or `dvc pull` brings it, and the "
                "workspace shows it (of a commit or experiment: `dvc exp apply` first)"
            )
        else:
            _try(fill, section, inside)
        if inside is not None and len(runs) > 1:
            section.notes.insert(0, f"Of {found[0]}.")
        sections.append(section)
    return sections


def _try(fill: Callable[[Section, Inside], None], section: Section, inside: Inside) -> None:
    """A section whose files cannot be read says so, and the others stand."""
    try:
        fill(section, inside)
    except UserError as error:
        section.absent.append(str(error))


def _fill_examples(section: Section, inside: Inside) -> None:
    users = inside.chosen(inside.targets.users, USERS)
    targets, ranks = _rank(inside, users)
    section.notes.append(
        f"{len(users)} users drawn at random (--seed {inside.seed}), their histories before the "
        "test target, and what the model recommends after them."
    )
    for row, user in enumerate(targets.users):
        target = targets.items[row]
        part = Part(f"User {inside.users.raw_ids[user - 1]}")
        stood = [Cell(inside.name_of(target)), _rank_cell(ranks.full[row])]
        stood.append(_rank_cell(ranks.sampled[row]))
        part.tables.append(Table("Taken next", TAKEN, [stood]))
        part.tables.append(_recommended(inside, ranks.top[row], target))
        part.tables.append(_history(inside, user))
        section.parts.append(part)


def _rank_cell(rank: float) -> Cell:
    """Empty for NaN: a user without candidates."""
    return Cell("") if math.isnan(rank) else Cell(f"{rank:g}", float(rank))


def _rank(inside: Inside, users: np.ndarray) -> tuple:
    """The targets of `users`, and their ranks, as evaluate has them."""
    every = inside.targets
    rows = np.searchsorted(every.users, users)
    parts = {name: getattr(every, name)[rows] for name in ("users", "items", "candidates")}
    targets = replace(every, **parts)
    scorer = ModelScores(inside.model, inside.reader)
    keep = inside.description.filter_seen
    ranks: Ranks = rank_targets(scorer, targets, filter_seen=keep, top_k=TOP)
    return targets, ranks


def _recommended(inside: Inside, top: np.ndarray, target: int) -> Table:
    rows = [
        [Cell(inside.name_of(item), None, "taken next" if item == target else ""), cell(rank)]
        for rank, item in enumerate(top.tolist(), start=1)
        if item
    ]
    return Table(f"The best {len(rows)}", ["item", "rank"], rows)


def _history(inside: Inside, user: int) -> Table:
    """The latest items, and how much of the latest position's attention each one has."""
    config = inside.model.config
    items = inside.histories.of(user)[-config.max_length :]
    shown = items[-SHOWN:][::-1]
    head = ["item", "steps back"]
    weights = np.empty((0, len(items)))
    if config.attention == SHOWS and config.num_blocks:
        weights = latest_weights(inside.model, inside.reader, user, 1)[:, 0]
        head += [f"attention, block {block}" for block in range(1, len(weights) + 1)]
    rows = [
        [Cell(inside.name_of(item)), cell(back), *(_weight(one[-1 - back]) for one in weights)]
        for back, item in enumerate(shown.tolist())
    ]
    return Table(f"The latest {len(rows)} of {len(items)} items that it sees", head, rows)


def _weight(weight: float) -> Cell:
    return Cell(f"{weight:.3f}", float(weight), share=float(weight))


def _fill_attention(section: Section, inside: Inside) -> None:
    config = inside.description.config
    if config.attention != SHOWS or not config.num_blocks:
        section.absent.append(
            f"model.attention is {config.attention} with {config.num_blocks} block(s): weights are "
            f"shown of {SHOWS} attention only, where they are shares of the history"
        )
        return
    lengths = np.minimum(inside.histories.lengths[inside.targets.users], config.max_length)
    count = min(POSITIONS, int(lengths.max()))
    users = inside.chosen(inside.targets.users[lengths >= count], AVERAGED)
    section.notes.append(
        f"Mean weights among the latest {count} positions, over {len(users)} users and all heads "
        "(the paper's figure 4). A row is a step in time, 0 the latest; what a row lacks of 1 lies "
        "on older items. By title they stand with the examples and below."
    )
    for block, matrix in enumerate(mean_weights(inside.model, inside.reader, users, count), 1):
        svg = draw_matrix(matrix, "position looked at", "step in time")
        section.charts.append(Chart(f"Block {block}", svg, of_runs=False))
    user = users[0]
    names = [inside.name_of(item) for item in inside.histories.of(user)[-count:].tolist()]
    for block, matrix in enumerate(latest_weights(inside.model, inside.reader, user, count), 1):
        part = Part(f"User {inside.users.raw_ids[user - 1]}, block {block}", folded=block > 1)
        part.tables.append(_map(names, matrix[:, -count:]))
        section.parts.append(part)


def _map(names: list[str], matrix: np.ndarray) -> Table:
    """A row an item, a column each item that it looks at, by its number."""
    rows = []
    for row, name in enumerate(names):
        seen, most = matrix[row, : row + 1].tolist(), float(matrix.max())
        cells = [Cell(f"{one:.2f}".lstrip("0"), one, share=one / most) for one in seen]
        lacking = [EMPTY] * (len(names) - row - 1)
        rows.append([Cell(f"{row + 1}. {name}"), *cells, *lacking])
    head = ["after item", *map(str, range(1, len(names) + 1))]
    title = "How much each item (a row) looks at each before it (a column)"
    return Table(title, head, rows, dense=True)


def _fill_nearest(section: Section, inside: Inside) -> None:
    """The nearest of popular items, among those that occur in training."""
    known = np.flatnonzero(inside.popularity)
    popular = known[np.argsort(-inside.popularity[known], kind="stable")][:POPULAR]
    items = inside.model.item_embedding.detach()
    among = normalize(items[torch.from_numpy(known)])
    rows = []
    for item in popular.tolist():
        cosines = among @ normalize(items[item], dim=0)
        best = cosines.topk(min(NEAREST + 1, len(known)))
        near = zip(known[best.indices.numpy()].tolist(), best.values.tolist(), strict=True)
        others = [pair for pair in near if pair[0] != item][:NEAREST]
        rows += [
            [Cell(inside.name_of(item)), Cell(inside.name_of(other)), cell(cosine)]
            for other, cosine in others
        ]
    section.notes.append(
        f"By the cosine of item embeddings: the {NEAREST} nearest of the {len(popular)} most "
        "popular items, among items that occur in training."
    )
    section.tables.append(Table("Nearest items", ["item", "near it", "cosine"], rows))
