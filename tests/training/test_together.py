"""Parameters of several sections that do not go together."""

import pytest
from toy_training import HISTORIES, trainer_of
from toys import toy_config, toy_objective_params, toy_sequences, toy_train_params

from sasrec.base.errors import UserError
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.training.memory_need import Settings
from sasrec.training.together import check_together


def settings_of(contrast, windows="latest", **model):
    objective = toy_objective_params(contrasts=[contrast])
    return Settings(toy_config(**model), objective, toy_train_params(windows=windows))


def refused(settings):
    with pytest.raises(UserError) as caught:
        check_together(settings)
    return str(caught.value)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_random_windows_are_for_contrasts_that_do_not_go_by_last_items(contrast):
    settings = settings_of(contrast, "random", dropout=0.5)
    if contrast == "same_target":
        assert refused(settings) == (
            "objective.contrasts with same_target goes by the last item of each user, where an "
            "epoch's sequences have to end: it needs train.windows = latest, not random"
        )
        return
    check_together(settings)
    trainer_of(
        toy_sequences(HISTORIES),
        objective={"contrasts": [contrast]},
        config={"dropout": 0.5},
        loops=False,
        windows="random",
    ).run_epoch(1)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_two_dropouts_need_something_that_is_dropped(contrast):
    for rates in ({"dropout": 0.1}, {"dropout": 0.0, "item_dropout": 0.1}):
        check_together(settings_of(contrast, **rates))
    nothing = settings_of(contrast, dropout=0.0, item_dropout=0.0)
    if contrast == "dropout":
        assert refused(nothing) == (
            "objective.contrasts with dropout, where model.dropout and model.item_dropout are 0: "
            "both passes are the same; raise one of them, or take dropout out of "
            "objective.contrasts"
        )
    else:
        check_together(nothing)
