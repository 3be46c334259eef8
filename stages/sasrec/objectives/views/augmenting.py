"""Views of sequences by augmentations drawn from a list, and training on them.

Shapes: B sequences.
"""

from dataclasses import dataclass

import torch

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.laying_out import View, as_training_batch, as_view, longest
from sasrec.objectives.views.rows import Rows, either, rows_of, rows_with_targets
from sasrec.objectives.views.settings import ViewSettings
from sasrec.objectives.views.similar import SimilarItems
from sasrec.objectives.views.tables import AUGMENTATIONS


@dataclass(frozen=True)
class Augmenter:
    """Draws one of `augmentations` for each sequence, each as likely, and makes its view.

    Attributes:
        max_length: the most positions that a view keeps, its latest ones; see `longest`.
    """

    augmentations: tuple[Augmentation, ...]
    max_length: int | None

    def view(self, batch: Batch, generator: torch.Generator | None) -> View:
        """One view of each sequence of `batch`."""
        rows = self.augment(rows_of(batch), generator)
        return as_view(rows.latest(longest(batch.layout, self.max_length)), batch.layout)

    def augment(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """As long as they come."""
        views = [augmentation(rows, generator) for augmentation in self.augmentations]
        drawn = torch.randint(
            len(views), rows.lengths.shape, generator=generator, device=rows.lengths.device
        )
        result = views[0]
        for number, view in enumerate(views[1:], 1):
            result = either(drawn == number, view, result)
        return result


@dataclass(frozen=True)
class AugmentedTraining:
    """Replaces sequences of a batch, by `chance` each, by one view: inputs, and what follows them.

    Without a contrast: each item of the view is to predict the view's next one (augmentation alone,
    as in Zhou et al., "Is Contrastive Learning Necessary?", 2024). A masked item is to be
    predicted by nobody, and negatives are still those of the user's own history. A sequence whose
    view has one item stays.
    """

    augmenter: Augmenter
    chance: float

    def replace(self, batch: TrainingBatch, generator: torch.Generator | None) -> TrainingBatch:
        """The batch with some sequences replaced; itself it stays as it is."""
        rows, layout = rows_with_targets(batch), batch.inputs.layout
        views = self.augmenter.augment(rows, generator)
        views = views.latest(1 + longest(layout, self.augmenter.max_length))
        drawn = torch.rand(len(batch.users), generator=generator, device=batch.users.device)
        chosen = (drawn < self.chance) & (views.lengths >= 2)
        return as_training_batch(either(chosen, views, rows), batch.users, layout)


def build_augmenter(
    settings: ViewSettings,
    sequences: Sequences,
    num_items: int,
    device: torch.device,
    max_length: int | None,
) -> Augmenter:
    """The one that `settings` name, for the training `sequences`."""
    similar = SimilarItems(sequences, num_items, settings.similar_items, device)
    shares = settings.augmentation_shares
    rows = [AUGMENTATIONS[name](getattr(shares, name), similar) for name in settings.augmentations]
    return Augmenter(tuple(rows), max_length)
