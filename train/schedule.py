"""The learning rate as a function of how far training has come: nothing to remember, so nothing to lose in a kill."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SCHEDULES = ("constant", "cosine", "plateau")

_PLATEAU_FACTOR = 0.2


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes.

    Attributes:
        name: One of SCHEDULES: the same all along; half a cosine down to 0 at the end of the last epoch; a fifth of it
            each time the validation loss has not sunk for `patience` epochs.
        peak: The rate after warming up.
        epochs: Epochs at most.
        warmup: Epochs, or a part of one, in which the rate rises from near 0 to `peak`.
        patience: Of "plateau".
    """

    name: str
    peak: float
    epochs: int
    warmup: float = 0.0
    patience: int = 3

    def rate(self, step: int, steps_per_epoch: int, val_losses: Sequence[float]) -> float:
        """Return the learning rate of a step.

        Args:
            step: Steps before it, since training began.
            steps_per_epoch: Steps in an epoch.
            val_losses: Validation loss of each epoch before it.
        """
        warmup = self.warmup * steps_per_epoch
        if step < warmup:
            return self.peak * min(1.0, (step + 1) / warmup)
        if self.name == "cosine":
            part = (step - warmup) / (self.epochs * steps_per_epoch - warmup)
            return self.peak * 0.5 * (1 + math.cos(math.pi * part))
        if self.name == "plateau":
            return self.peak * _PLATEAU_FACTOR ** count_plateaus(val_losses, self.patience)
        return self.peak


def count_plateaus(val_losses: Sequence[float], patience: int) -> int:
    """Count how often the loss has not sunk below its lowest for `patience` epochs on end."""
    lowest, waited, plateaus = math.inf, 0, 0
    for loss in val_losses:
        if loss < lowest:
            lowest, waited = loss, 0
            continue
        waited += 1
        if waited == patience:
            waited, plateaus = 0, plateaus + 1
    return plateaus
