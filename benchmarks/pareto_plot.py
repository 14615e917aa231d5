"""The picture of a comparison: accuracy against latency, a dot a file, as large as the file; the front as a line.

As SVG, whose ink and lines are variables, so that a dark page has a light picture of it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from benchmarks.candidates import Candidate
from benchmarks.choice import Choice, Limits

# Light and dark: what text is written in, what is said softly, what only guides the eye.
_THEME = {"#14201f": "#eaf1ef", "#52625f": "#a3b3b0", "#d5dddb": "#33403e"}
_INK, _SOFT, _LINE = _THEME
# Readable on both grounds.
_COLORS = ("#2f7fc4", "#d9503f", "#2f9e62", "#b07a1e", "#8a63c9", "#c2568f", "#1f9c9c", "#7d8590")
_SHAPES = {"float32": "o", "float16": "s", "dynamic_range": "D", "int8": "^", "int8_qat": "v"}
_LARGEST, _RING = 420.0, 780.0  # points squared, of the largest file's dot and of the ring round the one to take
_POINT = 7.0  # points squared, of the point within the dot of a .onnx
_NEAR, _FAR = 9, 70  # points between a dot and its label


def draw_plane(choice: Choice, limits: Limits) -> Figure | None:
    """Draw a data set's candidates; None where none has both figures.

    Colours are runs, shapes are schemes, a point within marks a .onnx; hollow dots ran with more threads than the
    fewest. The front is labelled.
    """
    points = [each for each in choice.candidates if each.accuracy is not None and each.frame_to_label_ms is not None]
    if not points:
        return None
    figure = Figure(figsize=(9.2, 5.6), layout="constrained")
    axes = figure.add_subplot()
    colors = {run: _COLORS[number % len(_COLORS)] for number, run in enumerate(dict.fromkeys(e.run for e in points))}
    largest = max(each.size_bytes for each in points)
    fewest = min(each.num_threads or 1 for each in points)
    for each in points:
        color = colors[each.run]
        axes.scatter(
            *_place(each),
            s=max(18.0, _LARGEST * each.size_bytes / largest),
            marker=_SHAPES.get(each.scheme, "P"),
            facecolor="none" if (each.num_threads or 1) > fewest else color,
            edgecolor=color,
            linewidth=1.2,
            alpha=0.8,
            zorder=3,
        )
        if _is_onnx(each):
            axes.scatter(*_place(each), s=_POINT, color=_INK, linewidth=0, zorder=3)
    _style(axes, points, limits)
    front = [_place(each) for each in choice.front]
    axes.plot(*zip(*front, strict=True), color=_INK, linewidth=1.3, drawstyle="steps-post", zorder=2)
    if choice.picked in points:
        axes.scatter(*_place(choice.picked), s=_RING, facecolor="none", edgecolor=_INK, linewidth=1.4, zorder=4)
    _legend(axes, points, colors, largest, fewest)
    _label(figure, axes, points, choice, several=len(colors) > 1)
    return figure


def _is_onnx(candidate: Candidate) -> bool:
    return candidate.model.endswith(".onnx")


def to_data_uri(figure: Figure) -> str:
    """Return a figure as the address of an SVG that holds all it needs, light or dark as its reader wants it."""
    canvas, buffer = FigureCanvasSVG(figure), io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text; equal figures, equal bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tinysight"}):
        canvas.print_figure(buffer, format="svg", facecolor="none", metadata=nothing)
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


def _place(candidate: Candidate | None) -> tuple[float, float]:
    """Return where a candidate stands: milliseconds and accuracy."""
    if candidate is None or candidate.frame_to_label_ms is None or candidate.accuracy is None:
        raise ValueError("a candidate without both figures has no place in the plane")
    return candidate.frame_to_label_ms, candidate.accuracy


def _style(axes: Axes, points: Sequence[Candidate], limits: Limits) -> None:
    """Set scales, limits and colours of the axes."""
    times, shares = zip(*map(_place, points), strict=True)
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.35, max(times) * 1.35)
    room = max(0.01, 0.18 * (max(shares) - min(shares)))
    axes.set_ylim(min(shares) - room, max(shares) + room)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1 if max(shares) - min(shares) < 0.05 else 0))
    axes.set_xlabel("frame to label, ms (median, logarithmic)", color=_INK)
    axes.set_ylabel("accuracy", color=_INK)
    axes.grid(color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=_LINE, labelcolor=_SOFT)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_color(_LINE)
    if limits.max_latency_ms is not None:
        axes.axvline(limits.max_latency_ms, color=_SOFT, linewidth=1.0, linestyle="--", zorder=1)
    if limits.min_accuracy is not None:
        axes.axhline(limits.min_accuracy, color=_SOFT, linewidth=1.0, linestyle="--", zorder=1)


def _legend(axes: Axes, points: Sequence[Candidate], colors: dict[str, str], largest: int, fewest: int) -> None:
    """Say beside the plane what colours, shapes and sizes mean."""

    def dot(label: str, marker: str, color: str, size: float = 8.0, fill: str | None = None) -> Line2D:
        look = Line2D([], [], linestyle="none", marker=marker, markersize=size, label=label)
        look.set(markerfacecolor=color if fill is None else fill, markeredgecolor=color)
        return look

    handles = [dot(run, "o", color) for run, color in colors.items()]
    handles += [dot(s, _SHAPES.get(s, "P"), _SOFT) for s in dict.fromkeys(each.scheme for each in points)]
    for size in (largest, largest / 4):
        handles.append(dot(f"{size / 1e6:.3g} MB", "o", _SOFT, (_LARGEST * size / largest) ** 0.5, "none"))
    if any(map(_is_onnx, points)):
        handles.append(dot(".onnx", ".", _INK, 4.0))
    if any((each.num_threads or 1) > fewest for each in points):
        handles.append(dot(f"more than {fewest} thread{'' if fewest == 1 else 's'}", "o", _INK, fill="none"))
    handles.append(Line2D([], [], color=_INK, linewidth=1.3, label="none is better"))
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        labelcolor=_INK,
        fontsize=9,
        labelspacing=0.75,
        handletextpad=0.7,
    )


def _label(figure: Figure, axes: Axes, points: Sequence[Candidate], choice: Choice, *, several: bool) -> None:
    """Label the front where neither a dot nor another label is; a label that must stand away gets a line."""
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves it without types
    canvas.draw()
    figure.set_layout_engine("none")  # keep what was laid out: labels must not move the axes
    renderer = canvas.get_renderer()
    per_point = figure.dpi / 72
    taken = []
    for each in points:
        x, y = axes.transData.transform(_place(each))
        half = (_RING**0.5 / 2 if each is choice.picked else 6) * per_point
        taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
    plane = axes.get_window_extent(renderer)
    for each in choice.front:
        text = axes.annotate(
            _short_name(each, several),
            _place(each),
            xytext=(0, 0),
            textcoords="offset points",
            color=_INK,
            fontsize=9,
            zorder=5,
            arrowprops={"arrowstyle": "-", "color": _SOFT, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 5},
        )
        for (x, y), horizontal, vertical in _offsets():
            text.set(position=(x, y), ha=horizontal, va=vertical)
            text.update_positions(renderer)
            words = Text.get_window_extent(text, renderer)  # without the line to the dot
            is_within = plane.x0 <= words.x0 and words.x1 <= plane.x1 and plane.y0 <= words.y0 and words.y1 <= plane.y1
            if is_within and not any(words.overlaps(other) for other in taken):
                taken.append(words)
                break
        else:
            text.remove()


def _offsets() -> Iterator[tuple[tuple[float, float], str, str]]:
    """Yield where a label may stand, in points from its dot, the nearest first, and how it is aligned there."""
    for distance in range(_NEAR, _FAR, 6):
        near = 0.7 * distance
        yield (-near, near), "right", "bottom"
        yield (near, -near), "left", "top"
        yield (near, near), "left", "bottom"
        yield (0, distance), "center", "bottom"
        yield (0, -distance), "center", "top"
        yield (-near, -near), "right", "top"


def _short_name(candidate: Candidate, several: bool) -> str:
    """Return what a dot is called: the file without what all have in common."""
    run = f"{candidate.run} " if several else ""
    threads = f", {candidate.num_threads} threads" if (candidate.num_threads or 1) > 1 else ""
    return f"{run}{candidate.model.removeprefix('model_')}{threads}"
