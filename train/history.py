"""How a training went, epoch by epoch (history.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from edge.errors import UserError
from edge.run_folder import write_whole


@dataclass(frozen=True)
class Epoch:
    """A line of history.csv.

    Attributes:
        epoch: Number, from 1.
        loss: Mean loss over the augmented training images, with dropout.
        accuracy: Their accuracy, 0-1.
        val_loss: Loss on the validation split.
        val_accuracy: Its accuracy, 0-1.
        seconds: Duration, validation included.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Return the epoch whose weights are kept: the first of the lowest validation loss."""
    return min(epochs, key=lambda epoch: epoch.val_loss)


def write_history(epochs: Sequence[Epoch], path: Path) -> None:
    """Write history.csv, a line an epoch, whole or not at all."""
    names = [each.name for each in fields(Epoch)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([f"{getattr(epoch, name):.6g}" for name in names] for epoch in epochs)
    write_whole(path, text.getvalue().encode())


def read_history(path: Path) -> list[Epoch]:
    """Read a history.csv; columns that are not ours are passed over.

    Raises:
        UserError: If the file is missing, empty or no history.
    """
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        epochs = [Epoch(**{each.name: float(row[each.name]) for each in fields(Epoch)}) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise UserError(
            f"Expected a line an epoch in {path}, got {error!r}; train again: python -m train.run"
        ) from error
    if not epochs:
        raise UserError(f"Expected a line an epoch in {path}, got none; train again: python -m train.run")
    return [replace(epoch, epoch=int(epoch.epoch)) for epoch in epochs]
