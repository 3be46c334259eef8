"""What a model reads of the data beside items, and a sentence where the data lacks it."""

from sasrec.base.errors import UserError
from sasrec.data.facts import DatasetFacts
from sasrec.data.sequences import COLUMNS, check_columns
from sasrec.model.config import ModelConfig
from sasrec.model.known import Known, KnownDescription
from sasrec.model.tables import ATTENTIONS, INPUTS

GENRES = "genres"  # the rest of what may be needed are columns
# Of what may be needed, what is told to a model: its name in `Known`, and in words.
TOLD = {GENRES: ("genres", "genres of items"), "rating": ("rating_levels", "ratings")}
Needs = dict[str, str]  # what is needed, and the parameter that needs it, in words


def model_needs(config: ModelConfig) -> Needs:
    """By what is needed: a column of COLUMNS, or genres."""
    needs: Needs = {}
    for name in config.inputs:
        for what in INPUTS[name].needs:
            needs.setdefault(what, f"model.inputs with {name}")
    if getattr(ATTENTIONS[config.attention], "reads_attributes", False):
        needs.setdefault(GENRES, f"model.attention = {config.attention!r}")
    return needs


def columns_in(needs: Needs) -> tuple[str, ...]:
    """The columns among them, as readers are asked for them."""
    return tuple(name for name in COLUMNS if name in needs)


def check_columns_in(needs: Needs, facts: DatasetFacts) -> None:
    """Raise UserError if a column is needed that the dataset lacks."""
    for name in columns_in(needs):
        check_columns(facts, [name], needs[name])


def untold(needs: Needs, known: Known | KnownDescription) -> list[str]:
    """What is needed of which nothing is known, among the keys of TOLD."""
    return [what for what, (name, _) in TOLD.items() if what in needs and not getattr(known, name)]


def check_known(needs: Needs, known: Known, dataset: str) -> None:
    """Raise UserError if genres are needed, or ratings, and nothing is known of them."""
    for what in untold(needs, known):
        raise UserError(
            f"{needs[what]} needs {TOLD[what][1]}, of which the training data of {dataset} has none"
        )
