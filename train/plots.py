"""The plots of a run: loss and accuracy over the epochs, the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from train.fit import Epoch, best_epoch

_TRAIN, _VALIDATION, _INK = "#4c78a8", "#e45756", "#444444"


def plot_loss(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw the loss of train and validation over the epochs."""
    figure, axes = _curves([e.loss for e in epochs], [e.val_loss for e in epochs], best_epoch(list(epochs)).epoch)
    axes.set_ylabel("loss (cross-entropy)")
    axes.set_ylim(bottom=0)
    _save(figure, path)


def plot_accuracy(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw the accuracy of train and validation over the epochs."""
    figure, axes = _curves(
        [e.accuracy for e in epochs], [e.val_accuracy for e in epochs], best_epoch(list(epochs)).epoch
    )
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _save(figure, path)


def plot_confusion_matrix(matrix: Sequence[Sequence[int]], labels: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix: counts as text, the share of each true class as shade.

    Args:
        matrix: Counts; rows are true classes, columns answers.
        labels: Names of the classes.
        title: Line above.
        path: PNG to write.
    """
    counts = np.array(matrix)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.2, 0.55 * len(labels) + 2)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count or len(labels) <= 10:
            axes.text(
                column,
                row,
                f"{count}\n{share[row, column]:.0%}" if len(labels) <= 6 else str(count),
                ha="center",
                va="center",
                fontsize=12 if len(labels) <= 6 else 8,
                color="white" if share[row, column] > 0.55 else _INK,
            )
    names = [label.replace("$", r"\$") for label in labels]  # or matplotlib reads formulas
    axes.set_xticks(
        range(len(labels)), names, rotation=45 if len(labels) > 3 else 0, ha="right" if len(labels) > 3 else "center"
    )
    axes.set_yticks(range(len(labels)), names)
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("true class")
    axes.set_title(title, fontsize=11, color=_INK)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, format=PercentFormatter(1, decimals=0))
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    _save(figure, path)


def _curves(train: list[float], validation: list[float], best: int) -> tuple[Figure, Axes]:
    """Start a plot of two curves over the epochs, the best epoch marked."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    numbers = range(1, len(train) + 1)
    axes.axvline(best, color="#bbbbbb", linewidth=1, linestyle="--", label=f"kept: epoch {best}")
    axes.plot(numbers, train, color=_TRAIN, marker="o", markersize=3, label="train, augmented")
    axes.plot(numbers, validation, color=_VALIDATION, marker="o", markersize=3, label="validation")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without pyplot and its global state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=144)
