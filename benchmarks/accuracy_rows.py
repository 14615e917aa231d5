"""The rows of benchmarks.accuracy: what each file says about its photos, judged and held against float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.asking import File, add_references, ask_all
from benchmarks.judging import Answers, compare, judge
from benchmarks.photos import Photos, choose, read_evaluation, read_folder
from benchmarks.progress import counting, tell

_MOST_NAMED = 20  # unreadable photos in a row


def evaluate(
    files: Sequence[File], runtime: str | None = None, data: Path | None = None, most: int | None = None
) -> list[dict[str, Any]]:
    """Judge loaded files.

    Args:
        files: What to judge.
        runtime: That of float32 files that have to be loaded too.
        data: Folder of photos per class; None for the eval.npz beside each file.
        most: Photos at most; None for all.

    Returns:
        Rows as `--json` writes them: what `File.describe` and `judging.judge` return; photos, their origin; sample, how
        many of them were asked about, None for all; left_out (n photos that could not be read, and some names);
        reference, the name of the float32 file, None where there is none, else what `judging.compare` returns too.

    Raises:
        UserError: If the photos aren't there, or don't fit a model.
    """
    references = add_references(files, runtime)
    groups: dict[tuple[Any, ...], list[File]] = {}  # files that see equal photos, which are then decoded once
    for file in files:
        classifier = file.classifier
        groups.setdefault((file.path.parent, classifier.image_size, *classifier.labels), []).append(file)
    rows: dict[Path, dict[str, Any]] = {}
    for group in groups.values():
        photos = open_photos(group[0], data)
        rows |= _evaluate_group(group, references, photos, choose(photos, most))
    return [rows[file.path] for file in files]


def open_photos(file: File, data: Path | None) -> Photos:
    """Return the photos that a file is judged on; see `evaluate`."""
    classifier = file.classifier
    if data is not None:
        return read_folder(data, classifier.labels, classifier.image_size, tell)
    evaluation = file.path.parent / "eval.npz"
    return read_evaluation(evaluation, classifier.labels, classifier.has_labels, classifier.image_size)


def _evaluate_group(
    group: Sequence[File], references: Mapping[Path, File], photos: Photos, chosen: Sequence[int]
) -> dict[Path, dict[str, Any]]:
    """Return the rows of files that see equal photos, by their paths."""
    asked = {file.path: file for each in group for file in (each, references.get(each.path, each))}
    with counting("photos", len(chosen)) as advance:
        said = ask_all(list(asked.values()), photos, chosen, advance)
    for reason in said.unreadable.values():
        tell(f"left out: {reason}")
    answers = {
        file.path: Answers(scores, file.temper(scores), file.threshold)
        for file, scores in zip(asked.values(), said.scores, strict=True)
    }
    truth, names = photos.truth[said.positions], [photos.names[position] for position in said.positions]
    left_out = [photos.names[position] for position in said.unreadable]
    rows = {}
    for file in group:
        its, reference, labels = answers[file.path], references.get(file.path), file.classifier.labels
        compared = compare(its, answers[reference.path], truth, labels, names) if reference else {}
        rows[file.path] = {
            **file.describe(),
            "photos": photos.origin,
            "sample": len(chosen) if len(chosen) < len(photos.truth) else None,
            "left_out": {"n": len(left_out), "photos": left_out[:_MOST_NAMED]},
            **judge(its, truth, labels, names),
            "reference": reference.path.name if reference else None,
            **compared,
        }
    return rows
