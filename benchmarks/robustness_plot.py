"""The plot of benchmarks.accuracy --robustness: a panel a corruption, a line a file, accuracy over severity."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.robustness import ALL
from edge.answers import printable

_COLUMNS = 4
_SHORT = 54  # letters of a name in the legend, of which three then go beside one another
_INK, _SOFT, _LINE = "#14201f", "#52625f", "#d5dddb"
# Told apart by people who see no red or no green: Okabe & Ito, "Color Universal Design", 2008.
_COLORS = {
    "float32": "#14201f",
    "float16": "#56b4e9",
    "dynamic_range": "#cc79a7",
    "int8": "#d55e00",
    "int8_qat": "#009e73",
}
_OTHERS = ("#0072b2", "#e69f00", "#f0e442")
_STYLES = {".tflite": "-", ".onnx": (0, (4, 2))}


def draw(content: dict[str, Any]) -> bytes:
    """Return the figures of robustness, as its JSON holds them, as a PNG."""
    rows = content["rows"]
    files = [row for row in rows if row["case"] == ALL]
    corruptions = list(dict.fromkeys(row["case"] for row in rows if row["case"] != ALL))
    panels = -(-len(corruptions) // _COLUMNS)
    figure = Figure(figsize=(12, 2.5 * panels + 1.9), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(panels, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    looks = _looks(files)
    for axes, corruption in zip(grid.flat, corruptions, strict=False):
        its = {row["model"]: row for row in rows if row["case"] == corruption}
        _draw_panel(axes, corruption, [(row, its[row["model"]]) for row in files], looks)
    for axes in grid.flat[len(corruptions) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("severity (0: as it is)", color=_SOFT, fontsize=9)
    figure.supylabel("accuracy", color=_SOFT, fontsize=9)
    photos = f"{files[0]['n']:,} photo{'' if files[0]['n'] == 1 else 's'}"
    figure.suptitle(
        f"{printable(files[0]['run'])}: what corruptions leave of the accuracy on {photos} "
        f"of {printable(content['photos'])}",
        color=_INK,
        fontsize=13,
        parse_math=False,  # a folder may be named like a formula
    )
    names, lines = [_name(row) for row in files], grid.flat[0].get_lines()
    columns = 3 if max(map(len, names)) <= _SHORT else 1
    legend = figure.legend(lines, names, loc="outside lower center", ncols=columns, frameon=False)
    for text in legend.get_texts():
        text.set(fontsize=9, parse_math=False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box is drawn
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _name(row: dict[str, Any]) -> str:
    """Return what the legend says about a file."""
    name = printable(row["model"]).removeprefix("model_")
    return f"{name}: {row['clean_accuracy']:.1%} clean, {row['corrupted_accuracy']:.1%} corrupted"


def _draw_panel(
    axes: Axes,
    corruption: str,
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    looks: dict[str, dict[str, Any]],
) -> None:
    """Draw the lines of one corruption; a pair is a file's row over all of them and its row of this one."""
    for over_all, row in pairs:
        accuracies = [over_all["clean_accuracy"], *row["accuracy"]]
        axes.plot(range(len(accuracies)), accuracies, marker="o", markersize=3, **looks[row["model"]])
    axes.set_title(corruption.replace("_", " "), fontsize=10, color=_INK)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(colors=_SOFT, labelsize=8)
    axes.grid(color=_LINE, linewidth=0.6)
    axes.spines[:].set_color(_LINE)


def _looks(files: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return how each file's line looks: colour by scheme, dashes by format; float32 lies below, thick and pale."""
    looks = {}
    for number, row in enumerate(files):
        is_float32 = row["scheme"] == "float32"
        suffix = "." + str(row["model"]).rpartition(".")[2]
        looks[row["model"]] = {
            "color": _COLORS.get(row["scheme"], _OTHERS[number % len(_OTHERS)]),
            "linestyle": "-" if is_float32 else _STYLES.get(suffix, "-"),  # the formats' float32 are mostly equal
            "linewidth": 4 if is_float32 else 1.4,
            "alpha": 0.3 if is_float32 else 0.9,
            "zorder": 2 if is_float32 else 3,
        }
    return looks
