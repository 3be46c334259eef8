"""Clean the interactions of data/raw/, put them in time order, and number users and items.

Reads   params.yaml (data.name, data.columns, data.time_unit, data.min_rating,
        data.min_interactions, data.filter) and data/raw/.
Writes  data/interactions/: user.npy, item.npy (int32), rating.npy (float32, NaN where
        unknown), timestamp.npy (int64, seconds since 1970; without times the source's row
        number), sorted by user then time; users.csv, items.csv (id, raw_id, what is known);
        dataset.json. And metrics/data.json: counts, and what each cleaning step dropped.

Dropped are, in this order: ratings under data.min_rating; repetitions of a user, item and
time; users and items with fewer than data.min_interactions (once: both counted beforehand;
k-core: until every one left has enough). Equal times keep the source's order. Ids count from
1 by first appearance in time. The authors' files (ml-1m-sasrec, games-sasrec, beauty-sasrec,
steam-sasrec) are filtered and numbered already and are taken as they are: data.min_rating,
data.min_interactions and data.filter do not apply to them.
"""

from pathlib import Path

from sasrec.catalogue import write_catalogue
from sasrec.cleaning import prepare
from sasrec.data_params import DataParams
from sasrec.datasets import DATASETS
from sasrec.errors import UserError
from sasrec.files import new_folder, read_json, write_json
from sasrec.interactions import Interactions, describe, summarise, write_interactions
from sasrec.params import load_params
from sasrec.parsing import LocalLayout, Source, parse
from sasrec.rounding import rounded
from sasrec.stage import run_stage

RAW = Path("data/raw")
INTERACTIONS = Path("data/interactions")
METRICS = Path("metrics/data.json")


def main() -> None:
    """Run the stage."""
    params = load_params("data", DataParams)
    source = _read(params)
    data, dropped = prepare(source.interactions, params)
    _write(params.name, data, source)
    summary = summarise(data)
    write_json(METRICS, rounded({**summary, "dropped": dropped}))
    print(
        f"{params.name}: {len(source.interactions):,} interactions → {len(data):,} of "
        f"{summary['num_users']:,} users and {summary['num_items']:,} items"
    )


def _read(params: DataParams) -> Source:
    found = read_json(RAW / "source.json")
    if found.get("dataset") != params.name:
        raise UserError(
            f"{RAW} holds {found.get('dataset')}, but data.name is {params.name}: "
            "run stages/download.py first"
        )
    local = LocalLayout(found["origin"], params.columns, params.time_unit)
    return parse(DATASETS[params.name].format, RAW, local)


def _write(name: str, data: Interactions, source: Source) -> None:
    with new_folder(INTERACTIONS) as folder:
        write_interactions(folder, data)
        write_catalogue(folder / "users.csv", data.user_ids, source.users)
        write_catalogue(folder / "items.csv", data.item_ids, source.items)
        write_json(folder / "dataset.json", {"name": name, **describe(data)})


if __name__ == "__main__":
    run_stage(main, __doc__)
