"""The tables of docs/results.md: their rows, and the experiments behind them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "stages"))
from sasrec.base.errors import UserError

PROTOCOLS = ("sampled", "full")  # in the order of a run's own names of them
METRICS = [(protocol, metric) for protocol in PROTOCOLS for metric in ("HR@10", "NDCG@10")]
# What the seed of an experiment sets, by the kind of its table.
SEED_KEYS = {"ranking": ("train.seed",), "new_items": ("split.seed", "train.seed")}
RECIPES = yaml.safe_load((ROOT / "stages/recipes.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Experiment:
    """One training; `settings` are what `dvc exp run -S` sets."""

    name: str
    row: str
    seed: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows that belong together.

    Attributes:
        settings: of each row by name, without the seed.
        seeds: of each row by name.
        baseline: the row that the others are tested against.
        paper: the NDCG@10 that the paper has for each row, or empty.
        kind: what is shown of the rows, see SEED_KEYS.
    """

    name: str
    dataset: str
    seeds: dict[str, tuple[int, ...]]
    baseline: str
    settings: dict[str, dict[str, Any]]
    paper: dict[str, float]
    kind: str = "ranking"

    @property
    def data_name(self) -> str:
        """What its rows set `data.name` to, or the dataset's own name where they set none."""
        return self.settings[self.baseline].get("data.name", self.dataset)

    @property
    def seed_keys(self) -> tuple[str, ...]:
        return SEED_KEYS[self.kind]

    def experiments(self, row: str | None = None) -> list[Experiment]:
        """Of one row, or of all."""
        return [
            Experiment(
                name=f"{self.dataset}-{name}-{seed}",
                row=name,
                seed=seed,
                settings=settings | dict.fromkeys(self.seed_keys, seed),
            )
            for name, settings in self.settings.items()
            if row in (None, name)
            for seed in self.seeds[name]
        ]


def load_tables(path: Path) -> dict[str, Table]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    datasets, rows = content["datasets"], content["rows"]
    return {
        name: Table(
            name=name,
            dataset=table["dataset"],
            seeds={
                row: tuple(table.get("more_seeds", {}).get(row, table["seeds"]))
                for row in table["rows"]
            },
            baseline=table["baseline"],
            settings={
                row: datasets[table["dataset"]] | _expanded(rows[row]) for row in table["rows"]
            },
            paper=dict(zip(table["rows"], table.get("paper", ()), strict=False)),
            kind=table.get("kind", "ranking"),
        )
        for name, table in content["tables"].items()
    }


def _expanded(row: dict[str, Any]) -> dict[str, Any]:
    """A row's settings; those of a recipe where it names one."""
    return RECIPES[row["recipe"]] if "recipe" in row else row


def protocol_of(name: str) -> str:
    """The one of PROTOCOLS that a run calls `name`, such as `sampled_100`."""
    return "full" if name == "full" else "sampled"


def named_tables(tables: dict[str, Table], names: list[str]) -> list[Table]:
    """Those of `names`.

    Raises:
        UserError: there is no name, or no such table.
    """
    if not names or set(names) - set(tables):
        raise UserError(f"name one or more of the tables {', '.join(tables)}")
    return [tables[name] for name in names]


def override(key: str, value: Any) -> str:
    """What `dvc exp run -S` takes: lists without quotes, values as YAML has them."""
    if isinstance(value, list):
        value = f"[{','.join(value)}]"
    elif isinstance(value, bool):
        value = str(value).lower()
    return f"{key}={value}"


def of_kind(tables: dict[str, Table], kind: str) -> dict[str, Table]:
    return {name: table for name, table in tables.items() if table.kind == kind}
