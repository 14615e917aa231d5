"""A run's report.html: one file that needs nothing else, from what lies in the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from edge.errors import UserError
from edge.run_folder import read_json, write_whole
from train.dataset import Manifest, read_manifest
from train.evaluate import wilson_interval
from train.history import read_history
from train.plots import draw_run, to_data_uri
from train.thumbnails import Thumbnail, thumbnail

REPORT = "report.html"

_MADE_BY = "python -m train.run"
_MOST_QUARANTINED = 50
# What config.json says of the machine; all else in it is a setting.
_ENVIRONMENT = ("created", "tinysight", "device", "precision_used", "python", "platform", "libraries")


def write_report(run: Path, metrics: Mapping[str, Any]) -> None:
    """Write report.html into a run's folder, whole or not at all.

    Args:
        run: The run's folder, with config.json, dataset.json and history.csv.
        metrics: What metrics.json holds, or will hold.

    Raises:
        UserError: If a file is missing or isn't what training writes.
    """
    context = _gather(run, metrics)
    try:
        html = open_templates().get_template(REPORT).render(context)
    except (jinja2.UndefinedError, TypeError) as error:
        raise _older(run, error) from error
    write_whole(run / REPORT, html.encode("utf-8", "backslashreplace"))


def open_templates(*folders: Path) -> jinja2.Environment:
    """Return the templates of reports: this package's, with its style sheet, and those of other folders."""
    loader = jinja2.FileSystemLoader([*folders, Path(__file__).with_name("templates")])
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    pages.filters.update(percent=_percent, points=_points, duration=_duration, several=_several)
    return pages


def _gather(run: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template shows."""
    manifest = read_manifest(run / "dataset.json")
    config = read_json(run / "config.json", _MADE_BY)
    epochs = read_history(run / "history.csv")
    try:
        test = metrics["test"]
        figures = {stem: to_data_uri(figure) for stem, figure in draw_run(epochs, test, manifest.labels).items()}
        unsure = metrics["threshold"]["test"]
        accepted = round(unsure["n"] * unsure["accepted"])
        wrong = round(accepted * (unsure["false_accept_rate"] or 0))
        mistakes = _with_pictures(manifest, test)
    except (KeyError, TypeError, ValueError) as error:
        raise _older(run, error) from error
    return {
        "run": run.name,
        "manifest": manifest,
        "counts": manifest.counts(),
        "quarantined": manifest.quarantined[:_MOST_QUARANTINED],
        "metrics": metrics,
        "test": test,
        "correct": round(test["accuracy"] * test["n"]),
        "classes": sorted(test["per_class"].items(), key=lambda each: each[1]["f1"]),
        "accepted_interval": wilson_interval(accepted - wrong, accepted) if accepted else None,
        "figures": figures,
        "config": config,
        "settings": _flat({key: value for key, value in config.items() if key not in _ENVIRONMENT}),
        "environment": _flat({key: config[key] for key in _ENVIRONMENT if key in config}),
        **mistakes,
    }


def _with_pictures(manifest: Manifest, test: Mapping[str, Any]) -> dict[str, Any]:
    """Return the confused pairs and the most wrong photos of metrics.json, each photo with its thumbnail."""
    photos = {photo.path: photo for photo in manifest.of("test")}

    def picture(path: str) -> Thumbnail:
        return thumbnail(manifest, photos[path]) if path in photos else Thumbnail(reason="isn't in dataset.json")

    return {
        "pairs": [
            {**pair, "pictures": [(path, picture(path)) for path in pair["photos"]]}
            for pair in test["confused_pairs"]
            if pair["n"] > 1  # a single photo is no pattern; it is among the others
        ],
        "wrong": [{**mistake, "picture": picture(mistake["path"])} for mistake in test["most_wrong"]],
    }


def _older(run: Path, error: Exception) -> UserError:
    """Return the error of a metrics.json that lacks what a report shows."""
    return UserError(
        f"Expected all figures of a report in {run / 'metrics.json'}, {error} is missing or not of its kind: "
        f"an older run; train again: {_MADE_BY}"
    )


def _flat(content: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested settings as rows of a name and a text."""
    rows: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{above}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{name}: ")
        elif isinstance(value, list):
            rows.append((name, ", ".join(map(str, value))))
        else:
            rows.append((name, "none" if value is None else str(value)))
    return rows


def _percent(share: float) -> str:
    """Return a share, 0-1, in percent."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _points(share: float) -> str:
    """Return a share, 0-1, in points of 100."""
    return f"{100 * share:.1f}"


def _duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds, as far as they are needed."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _several(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, such as "1 photo" or "1,234 photos"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
