"""The plot of a sustained run: latency, rate and heat over the minutes; apart because matplotlib need not be there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_QUANTILES = ("p50", "p90", "p99")


def draw(row: dict[str, Any], path: Path) -> None:
    """Draw a row of benchmarks.sustained as a PNG.

    Args:
        row: As the JSON holds it.
        path: Where the PNG goes.
    """
    minutes = row["minutes"]
    heat = [(key, label) for key, label in (("temperature_c", "°C"), ("frequency_mhz", "MHz")) if _values(minutes, key)]
    figure = Figure(figsize=(8, 5 + 1.8 * len(heat)), layout="constrained")
    figure.suptitle(
        f"{Path(row['model']).name}, {row['runtime']}, {row['num_threads']} thread(s): {row['source']}", fontsize=10
    )
    axes: list[Axes] = list(figure.subplots(2 + len(heat), 1, sharex=True, squeeze=False)[:, 0])
    answered = [minute for minute in minutes if minute["camera_to_label_ms"]]
    for quantile in _QUANTILES:
        places, values = _ends(answered), [minute["camera_to_label_ms"][quantile] for minute in answered]
        axes[0].plot(places, values, marker=".", label=quantile)
    axes[0].set_ylabel("camera to label, ms")
    if answered:
        axes[0].legend(ncols=len(_QUANTILES), frameon=False)
    rates = [
        [minute[key] / minute["seconds"] if minute["seconds"] else 0.0 for minute in minutes]
        for key in ("answers", "dropped")
    ]
    for values, label in zip(rates, ("answered", "dropped"), strict=True):
        axes[1].plot(_ends(minutes), values, marker=".", label=label)
    axes[1].set_ylabel("frames a second")
    axes[1].legend(ncols=2, frameon=False)
    for place, (key, label) in zip(axes[2:], heat, strict=True):
        known = [minute for minute in minutes if minute[key] is not None]
        place.plot(_ends(known), _values(known, key), marker=".", color="tab:red")
        place.set_ylabel(label)
    for place in axes:
        place.set_ylim(bottom=0)
        place.grid(alpha=0.3)
    _mark_throttled(axes[-1], minutes)
    axes[-1].set_xlabel("minutes")
    axes[-1].set_xlim(left=0)
    figure.savefig(path, format="png", dpi=120)


def _mark_throttled(axes: Axes, minutes: list[dict[str, Any]]) -> None:
    """Shade the minutes at whose end the firmware slowed the processor down: bits 1 to 3 of what it tells."""
    for minute, end in zip(minutes, _ends(minutes), strict=True):
        if minute["throttled"] is not None and int(minute["throttled"], 16) & 0b1110:
            axes.axvspan(end - minute["seconds"] / 60, end, color="tab:red", alpha=0.15)


def _ends(minutes: list[dict[str, Any]]) -> list[float]:
    """Return where each minute ends, in minutes since the start."""
    return [minute["minute"] + minute["seconds"] / 60 for minute in minutes]


def _values(minutes: list[dict[str, Any]], key: str) -> list[float]:
    """Return what is known of a figure."""
    return [minute[key] for minute in minutes if minute[key] is not None]
