"""The pictures of a run: curves, confusion matrix, reliability, classes. As PNG files, and as SVG for a page.

A figure is drawn once. In SVG its ink and lines become variables, so that a dark page has a light picture of it.
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from train.evaluate import wilson_interval
from train.history import Epoch, best_epoch

# Light and dark: what text is written in, what is said softly, what only guides the eye.
_THEME = {"#14201f": "#eaf1ef", "#52625f": "#a3b3b0", "#d5dddb": "#33403e"}
_INK, _SOFT, _LINE = _THEME
_BLUE, _RED = "#2f7fc4", "#d9503f"  # readable on both grounds
_LONGEST_LABEL = 24
_MOST_BARS = 40
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "tinysight"}  # text stays text; equal figures, equal bytes


@dataclass(frozen=True)
class _Cell:
    """How a confusion matrix is drawn, by its number of classes.

    Attributes:
        classes: For so many at most.
        inches: Side of a cell.
        count: Size of the counts, points.
        label: Size of the classes' names, points; 0 for a matrix without a word in it.
        percent: Whether the share stands below the count, also where it is 0.
    """

    classes: float
    inches: float
    count: float = 0
    label: float = 0
    percent: bool = False


_CELLS = (
    _Cell(6, 0.75, count=11, label=10, percent=True),
    _Cell(30, 0.38, count=8, label=9),
    _Cell(120, 0.15, count=6, label=8),
    _Cell(math.inf, 0.02),
)


def plot_run(epochs: Sequence[Epoch], test: Mapping[str, Any], labels: Sequence[str], name: str, folder: Path) -> None:
    """Draw all pictures of a run into a folder, as PNG.

    Args:
        epochs: How training went.
        test: The test split's part of metrics.json.
        labels: Names of the classes.
        name: The data set's.
        folder: Where loss.png, accuracy.png, confusion_matrix.png, reliability.png and per_class.png go; made where
            it is missing.
    """
    folder.mkdir(exist_ok=True)
    for stem, figure in draw_run(epochs, test, labels).items():
        if stem == "confusion_matrix":
            title = f"{name}: {test['accuracy']:.1%} of {test['n']} test photos right"
            figure.axes[0].set_title(_short(title, 70), fontsize=11, color=_INK)
        FigureCanvasAgg(figure)
        with _unknown_glyphs_as_boxes():
            figure.savefig(folder / f"{stem}.png", dpi=144, bbox_inches="tight")


def draw_run(epochs: Sequence[Epoch], test: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Figure]:
    """Return the figures of a run by the stem of their file's name; arguments as of `plot_run`."""
    loss, axes = _curves(epochs, [e.loss for e in epochs], [e.val_loss for e in epochs])
    axes.set_ylabel("loss (cross-entropy)")
    axes.set_ylim(bottom=0)
    accuracy, axes = _curves(epochs, [e.accuracy for e in epochs], [e.val_accuracy for e in epochs])
    axes.set_ylabel("accuracy")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return {
        "loss": loss,
        "accuracy": accuracy,
        "confusion_matrix": _confusion_matrix(np.array(test["confusion_matrix"]), labels),
        "reliability": _reliability(test),
        "per_class": _per_class(test["per_class"]),
    }


def to_data_uri(figure: Figure) -> str:
    """Return a figure as the address of an SVG that holds all it needs, light or dark as its reader wants it."""
    canvas, buffer = FigureCanvasSVG(figure), io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context(_SVG), _unknown_glyphs_as_boxes():
        canvas.print_figure(buffer, format="svg", facecolor="none", bbox_inches="tight", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for number, light in enumerate(_THEME):
        svg = svg.replace(light, f"var(--c{number})")
    light, dark = (
        ";".join(f"--c{number}:{color}" for number, color in enumerate(colors)) for colors in (_THEME, _THEME.values())
    )
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    start = svg.index(">") + 1
    return "data:image/svg+xml;base64," + base64.b64encode(f"{svg[:start]}{style}{svg[start:]}".encode()).decode()


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    """Start a figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    _dress(axes)
    return figure, axes


def _dress(axes: Axes) -> None:
    """Give axes the colours of the theme, and no frame."""
    axes.set_facecolor("none")
    axes.tick_params(colors=_SOFT, labelcolor=_INK)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_SOFT)
    axes.set_axisbelow(True)


def _curves(epochs: Sequence[Epoch], train: list[float], validation: list[float]) -> tuple[Figure, Axes]:
    """Start a plot of two curves over the epochs, the epoch whose weights are kept marked."""
    figure, axes = _new(5.2, 3.4)
    numbers = [epoch.epoch for epoch in epochs]
    kept = best_epoch(epochs).epoch
    axes.axvline(kept, color=_SOFT, linewidth=1, linestyle="--", label=f"kept: epoch {kept}")
    axes.plot(numbers, train, color=_BLUE, marker="o", markersize=3, label="train (augmented, with dropout)")
    axes.plot(numbers, validation, color=_RED, marker="o", markersize=3, label="validation")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=_LINE)
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9)
    return figure, axes


def _confusion_matrix(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """Draw a confusion matrix (true classes, answers): counts as text, the share of each true class as shade.

    What is right is blue, what is wrong is red. Small shares are shaded more than their due, or else the few mistakes
    of a good model would not be seen.
    """
    size = next(size for size in _CELLS if len(labels) <= size.classes)
    names = [_short(label) for label in labels] if size.label else []
    margin = 0.6 + max(map(len, names), default=0) * size.label * 0.6 / 72
    side = max(3.2, size.inches * len(labels)) + margin
    figure, axes = _new(side, side)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = np.empty((*counts.shape, 4))
    cells[..., :3] = to_rgb(_RED)
    cells[np.arange(len(counts)), np.arange(len(counts)), :3] = to_rgb(_BLUE)
    cells[..., 3] = share**0.6
    axes.imshow(cells)
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("true class")
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    if not names:
        return figure
    for row, column in np.argwhere((counts > 0) | size.percent):
        text = f"{counts[row, column]}" + (f"\n{share[row, column]:.0%}" if size.percent else "")
        color = "white" if cells[row, column, 3] > 0.55 else _INK
        axes.text(column, row, text, ha="center", va="center", fontsize=size.count, color=color)
    upright = len(names) > 3 and max(map(len, names)) * len(names) > 40
    axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0, fontsize=size.label)
    axes.set_yticks(range(len(names)), names, fontsize=size.label)
    edges = np.arange(len(names) + 1) - 0.5
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor", color=_LINE, linewidth=0.5)
    return figure


def _reliability(split: Mapping[str, Any]) -> Figure:
    """Draw how often answers of like confidence are right, before and after the temperature, and how many they are."""
    figure = Figure(figsize=(4.6, 5.3), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    above.plot([0, 1], [0, 1], color=_SOFT, linewidth=1, linestyle="--", label="as sure as right")
    raw, tempered = split["reliability"]["raw"], split["reliability"]["calibrated"]
    above.scatter(*_columns(raw, "confidence", "accuracy"), s=22, color="none", edgecolor=_SOFT, label="as trained")
    x, y, n = _columns(tempered, "confidence", "accuracy", "n")
    intervals = np.array([wilson_interval(round(right), int(of)) for right, of in zip(y * n, n, strict=True)])
    reach = np.abs(intervals.T - y)
    label = "with the temperature, 95 % interval"
    above.errorbar(x, y, reach, color=_BLUE, marker="o", markersize=5, linewidth=0, elinewidth=1.2, label=label)
    below.bar(x, n / n.sum(), width=0.05, color=_BLUE)
    above.set_ylabel("of these answers are right")
    below.set_ylabel("photos")
    below.set_xlabel("confidence of the answer")
    for axes in (above, below):
        _dress(axes)
        axes.grid(color=_LINE)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    above.set_xlim(-0.02, 1.03)
    above.set_ylim(-0.03, 1.03)
    figure.legend(frameon=False, labelcolor=_INK, fontsize=9, loc="outside upper left")
    return figure


def _columns(rows: Sequence[Mapping[str, float]], *names: str) -> list[np.ndarray]:
    """Return the named values of all rows, an array a name."""
    return [np.array([row[name] for row in rows]) for name in names]


def _per_class(per_class: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw precision, recall and F1 of each class, the worst on top; of many classes the worst."""
    worst = sorted(per_class.items(), key=lambda each: each[1]["f1"])[:_MOST_BARS]
    figure, axes = _new(6.4, 1.3 + 0.26 * len(worst))
    places = range(len(worst))
    axes.barh(places, [its["f1"] for _, its in worst], height=0.62, color=_BLUE, alpha=0.35, label="F1")
    axes.plot([its["precision"] for _, its in worst], places, "|", color=_INK, markersize=9, label="precision")
    axes.plot([its["recall"] for _, its in worst], places, ".", color=_RED, markersize=8, label="recall")
    axes.set_yticks(places, [f"{_short(label)} ({its['n']})" for label, its in worst])
    axes.set_ylim(len(worst) - 0.4, -0.6)
    axes.set_xlim(0, 1.01)
    axes.set_xlabel("test split" if len(worst) == len(per_class) else f"test split, the {len(worst)} worst classes")
    axes.grid(axis="x", color=_LINE)
    figure.legend(frameon=False, labelcolor=_INK, fontsize=9, ncols=3, loc="outside upper right")
    return figure


def _short(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Return a text as it can stand in a plot: not too long, and no formula to matplotlib."""
    return (text if len(text) <= longest else f"{text[: longest - 1]}…").replace("$", r"\$")


@contextmanager
def _unknown_glyphs_as_boxes() -> Iterator[None]:
    """Draw a letter that no font has as a box without a warning; fonts are the system's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
