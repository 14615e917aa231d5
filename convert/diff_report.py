"""quantization.html: one page that shows what quantization changed, with the photos; needs nothing but itself.

And quantization.json, the same figures for programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.differences import Measured, Photos, describe_differences
from convert.record import REPORTS
from edge.run_folder import write_json, write_whole
from train.report_page import open_templates
from train.thumbnails import to_thumbnail

PAGE, FIGURES = REPORTS

_MOST_PHOTOS = 12  # of each kind of change
_PALE_DB = 60.0  # an SQNR from here on fills its bar


def write_diff_report(
    folder: Path, photos: Photos, files: Sequence[Measured], name: str, licence: str = "", num_threads: int = 1
) -> None:
    """Write quantization.html and quantization.json into a run's folder, each whole or not at all.

    Args:
        folder: The run's.
        photos: What every file was asked about, N > 0.
        files: In the order of the page.
        name: The data set's.
        licence: The photos'; the page holds small copies of them.
        num_threads: Threads of the runtimes while the latencies were measured.
    """
    described = describe_differences(photos, files)
    context = {
        "name": name,
        "run": folder.resolve().name,
        "licence": licence,
        "differences": described,
        "correct": round(described["n"] * described["keras"]["accuracy"]) if described["keras"] else None,
        "files": [_prepare(photos, file, described["files"][file.name]) for file in files],
        "full_db": _PALE_DB,
        "threads": "one thread" if num_threads == 1 else f"{num_threads} threads",
    }
    html = open_templates(Path(__file__).with_name("templates")).get_template(PAGE).render(context)
    write_whole(folder / PAGE, html.encode("utf-8", "backslashreplace"))
    write_json(folder / FIGURES, described)


def _prepare(photos: Photos, file: Measured, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template shows of a file."""
    flips = {
        effect: [flip for flip in described["flips"] if flip["effect"] == effect]
        for effect in ("lost", "gained", "other")
    }
    return {
        "name": file.name,
        "anchor": file.name.replace(".", "-"),
        "its": described,
        "effects": {effect: len(each) for effect, each in flips.items()},
        "pictures": {
            effect: [(flip, to_thumbnail(photos.images[flip["index"]])) for flip in each[:_MOST_PHOTOS]]
            for effect, each in flips.items()
            if each
        },
        "classes": _changed_first(described["per_class"]),
        "bars": _bars(described["confidence"]["histogram"]),
    }


def _changed_first(per_class: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the classes, those first whose recall fell most; equal ones keep their order."""

    def fall(row: Mapping[str, Any]) -> float:
        return (row["recall_before"] or 0.0) - (row["recall_after"] or 0.0)

    return sorted(per_class.items(), key=lambda each: -fall(each[1]))


def _bars(histogram: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the histogram's bars: what a bar stands for in words, its photos, and its height, 0-1."""
    edges, counts = histogram["edges_points"], histogram["photos"]
    most = max(counts)
    return [
        {"low": low, "high": high, "photos": count, "height": count / most}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
