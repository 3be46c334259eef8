"""Parameters of several sections that do not go together: refused before anything is made."""

from sasrec.base.errors import UserError
from sasrec.model.config import ModelConfig
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.training.memory_need import Settings


def check_together(settings: Settings) -> None:
    """Raise UserError if a contrast cannot be what it is with this model or these windows."""
    for contrast in (CONTRASTS[name] for name in settings.objective.contrasts):
        _check_windows(contrast, settings.train.windows)
        _check_dropout(contrast, settings.model)


def _check_windows(contrast: type[Contrast], windows: str) -> None:
    if contrast.needs_latest and windows != "latest":
        raise UserError(
            f"objective.contrasts with {contrast.name} goes by the last item of each user, where "
            f"an epoch's sequences have to end: it needs train.windows = latest, not {windows}"
        )


def _check_dropout(contrast: type[Contrast], config: ModelConfig) -> None:
    if contrast.needs_dropout and not (config.dropout or config.item_dropout):
        raise UserError(
            f"objective.contrasts with {contrast.name}, where model.dropout and model.item_dropout "
            "are 0: both passes are the same; raise one of them, or take "
            f"{contrast.name} out of objective.contrasts"
        )
