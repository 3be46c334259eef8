"""Clean the interactions of data/raw/, put them in time order, and number users and items.

Reads   params.yaml (section data but data.path and data.synthetic) and data/raw/.
Writes  data/interactions/: user.npy, item.npy (int32), rating.npy (float32, NaN where
        unknown), timestamp.npy (int64, since 1970 in dataset.json's time_unit; without times
        the source's row number), sorted by user then time; users.csv, items.csv (id, raw_id,
        what is known); dataset.json. And metrics/data.json: counts, what each cleaning step
        dropped, how much of the order only the file tells, how many items are told of, and
        the numbers of the checks (sasrec/preparing/checks.py).

Times are as fine as the source's: time_unit is s, ms, us or ns, the coarsest that holds all.
Dropped are, in this order: rows that repeat the header of a text file; rows without a user, an
item or a time, where data.missing_id and data.missing_time say drop; ratings under
data.min_rating; repetitions of a user, item and exact time (and data.columns.order); users and
items with fewer than data.min_interactions (once: both counted beforehand; k-core: until every
one left has enough). Equal times are put in order by data.columns.order, else keep the source's.
Ids count from 1 by first appearance in time. Lines "Mind: …", on stderr, name what may be wrong.
The authors' files (ml-1m-sasrec, games-sasrec, beauty-sasrec,
steam-sasrec) are filtered and numbered already and are taken as they are: data.min_rating,
data.min_interactions and data.filter do not apply to them.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import write_json
from sasrec.base.outputs import Outputs
from sasrec.base.params import load_params
from sasrec.base.rounding import rounded
from sasrec.base.script import run_stage
from sasrec.data.catalogue import ITEMS, USERS, write_catalogue
from sasrec.data.facts import DatasetFacts, fingerprint_of_interactions
from sasrec.data.interactions import write_interactions
from sasrec.preparing.checks import Evidence, run_checks
from sasrec.preparing.cleaning import prepare
from sasrec.preparing.interactions import Interactions, describe, summarise
from sasrec.preparing.parsing import parse
from sasrec.preparing.source import Source
from sasrec.preparing.ties import find_ties, tie_notices
from sasrec.sources.datasets import DATASETS
from sasrec.sources.params import DataParams
from sasrec.sources.source_facts import read_source_facts

RAW = Path("data/raw")
INTERACTIONS = Path("data/interactions")
METRICS = Path("metrics/data.json")
OUTPUTS = Outputs(INTERACTIONS, folders=(INTERACTIONS,), files=(METRICS,))
REASONS = {
    "repeated_headers": "repeated headers",
    "missing_id": "without a user or an item",
    "missing_time": "without a time",
    "min_rating": "under data.min_rating",
    "duplicates": "duplicates",
    "min_interactions": "by data.min_interactions",
}
NOTHING_LEFT_OUT = dict.fromkeys(("repeated_headers", "missing_id", "missing_time"), 0)


def main() -> None:
    """Run the stage."""
    params = load_params("data", DataParams)
    with OUTPUTS.new() as new:
        source = _read(params)
        found = source.interactions
        data, dropped = prepare(found, params)
        assert len(found) == len(data) + sum(dropped.values()), "an interaction is lost"
        summary, notices = _describe(data, dropped, source, params)
        _write(new[INTERACTIONS], params.name, data, source)
        dropped = {**NOTHING_LEFT_OUT, **source.left_out, **dropped}
        write_json(new[METRICS], rounded({**summary, "dropped": dropped}))
    print(
        f"{params.name}: {len(found):,} interactions → {len(data):,} of "
        f"{summary['num_users']:,} users and {summary['num_items']:,} items"
    )
    reasons = [f"{count:,} {REASONS[reason]}" for reason, count in dropped.items()]
    print(f"dropped: {', '.join(reasons)}")
    if params.name == "local" and "items" in summary:
        items = summary["items"]
        print(
            f"items: {items['described']:,} with a row in the item file, "
            f"{items['not_described']:,} without; {items['not_in_interactions']:,} rows of it are "
            "of items without interactions"
        )
    for notice in notices:
        print(f"Mind: {notice}", file=sys.stderr)


def _describe(
    data: Interactions, dropped: dict[str, int], source: Source, params: DataParams
) -> tuple[dict[str, Any], list[str]]:
    """The numbers of the data, and sentences on what may be wrong in it."""
    summary = summarise(data)
    notices = list(source.notices)
    if DATASETS[params.name].format != "sasrec":  # its authors put it in order
        ties = find_ties(data, source.interactions)
        summary["ties"] = asdict(ties)
        local = DATASETS[params.name].format == "local"
        notices += tie_notices(ties, summary.get("equal_time_share"), can_name=local)
    if source.items.rows:
        known = sum(raw_id in source.items.rows for raw_id in data.item_ids)
        summary["items"] = {
            "described": known,
            "not_described": len(data.item_ids) - known,
            "not_in_interactions": len(
                source.items.rows.keys() - set(source.interactions.item_ids)
            ),
        }
    summary["checks"], more = run_checks(Evidence(data, len(source.interactions), dropped))
    notices += more
    return summary, notices


def _read(params: DataParams) -> Source:
    found = read_source_facts(RAW)
    if found.dataset != params.name:
        raise UserError(
            f"{RAW} holds {found.dataset}, but data.name is {params.name}: "
            "run stages/download.py first"
        )
    return parse(DATASETS[params.name].format, RAW, params, found.origin)


def _write(folder: Path, name: str, data: Interactions, source: Source) -> None:
    columns = (data.user, data.item, data.timestamp)
    fingerprint = fingerprint_of_interactions(name, data.user_ids, data.item_ids, *columns)
    write_interactions(
        folder,
        DatasetFacts(name=name, **describe(data), fingerprint=fingerprint),
        user=data.user + np.int32(1),
        item=data.item + np.int32(1),
        timestamp=data.timestamp,
        rating=data.rating,
    )
    write_catalogue(folder / USERS, data.user_ids, source.users)
    write_catalogue(folder / ITEMS, data.item_ids, source.items)


if __name__ == "__main__":
    run_stage(main, __doc__)
