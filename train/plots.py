"""The plots of a run: loss and accuracy over the epochs, the confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from train.history import Epoch, best_epoch

_TRAIN, _VALIDATION, _INK = "#4c78a8", "#e45756", "#444444"
_LONGEST_LABEL = 24


def plot_run(epochs: Sequence[Epoch], test: Mapping[str, Any], labels: Sequence[str], name: str, folder: Path) -> None:
    """Draw all plots of a run into a folder.

    Args:
        epochs: How training went.
        test: The test split's part of metrics.json.
        labels: Names of the classes.
        name: The data set's.
        folder: Where loss.png, accuracy.png and confusion_matrix.png go; made where it is missing.
    """
    folder.mkdir(exist_ok=True)
    figure, axes = _curves(epochs, [e.loss for e in epochs], [e.val_loss for e in epochs])
    axes.set_ylabel("loss (cross-entropy)")
    axes.set_ylim(bottom=0)
    _save(figure, folder / "loss.png")
    figure, axes = _curves(epochs, [e.accuracy for e in epochs], [e.val_accuracy for e in epochs])
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _save(figure, folder / "accuracy.png")
    title = f"{name}: {test['accuracy']:.1%} of {test['n']} test photos right"
    _save(_confusion_matrix(np.array(test["confusion_matrix"]), labels, title), folder / "confusion_matrix.png")


def _curves(epochs: Sequence[Epoch], train: list[float], validation: list[float]) -> tuple[Figure, Axes]:
    """Start a plot of two curves over the epochs, the epoch whose weights are kept marked."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    numbers = [epoch.epoch for epoch in epochs]
    kept = best_epoch(epochs).epoch
    axes.axvline(kept, color="#999999", linewidth=1, linestyle="--", label=f"kept: epoch {kept}")
    axes.plot(numbers, train, color=_TRAIN, marker="o", markersize=3, label="train (augmented, with dropout)")
    axes.plot(numbers, validation, color=_VALIDATION, marker="o", markersize=3, label="validation")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure, axes


def _confusion_matrix(counts: np.ndarray, labels: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix (true classes, answers): counts as text, the share of each true class as shade."""
    few = len(labels) <= 6
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.2, 0.4 * len(labels) + 2)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count or few:
            text = f"{count}\n{share[row, column]:.0%}" if few else f"{count}"
            color = "white" if share[row, column] > 0.55 else _INK
            axes.text(column, row, text, ha="center", va="center", fontsize=12 if few else 8, color=color)
    names = [_short(label) for label in labels]
    upright = max(map(len, names)) * len(names) > 40
    axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("true class")
    figure.suptitle(_short(title, 70), fontsize=11, color=_INK)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, format=PercentFormatter(1, decimals=0))
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return figure


def _short(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Return a text as it can stand in a plot: not too long, and no formula to matplotlib."""
    return (text if len(text) <= longest else f"{text[: longest - 1]}…").replace("$", r"\$")


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without pyplot and its global state."""
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it; fonts are the system's
        figure.savefig(path, dpi=144, bbox_inches="tight")  # or a long label is cut off
