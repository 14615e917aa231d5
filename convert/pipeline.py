"""The steps of a conversion, in order: make each file, ask it about every photo, embed what was learnt, time, record.

A further scheme is a row in `convert.schemes`; whatever looks closer (a report, a search for a better int8) finds in
`Conversion` every score that every file gave.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert import confidence, evaluation, one_file, onnx_slow, record, schemes, slow_layers
from convert.budget import Budget
from convert.confidence import Confidence
from convert.evaluation import Scores, Split, Verdict
from convert.golden import expect_scores
from convert.making import make_files
from convert.record import Converted
from convert.schemes import Materials, Scheme
from convert.settings import Settings, Watch
from convert.source import Calibration, Convertible
from edge.golden import GoldenSample
from edge.run_folder import write_json, write_whole
from train.contenders import peak_bytes


@dataclass(frozen=True)
class Conversion:
    """A conversion that is done.

    Attributes:
        source: What was converted.
        reference: Keras's scores, by split: (N, classes).
        files: The files, in the order of `schemes.SCHEMES`.
        calibration: What set the ranges of int8.
        peak_bytes: The most memory that the process had until the last file was made; None where nobody counts.
        budget: How it went with `Settings.max_drop`.
        num_threads: Threads of the runtimes while they were timed.
    """

    source: Convertible
    reference: Mapping[str, Scores]
    files: list[Converted]
    calibration: Calibration
    peak_bytes: int | None
    budget: Budget | None
    num_threads: int = 1


@dataclass(frozen=True)
class _Answered:
    """A file that answered every photo."""

    path: Path
    scores: dict[str, Scores]
    verdicts: dict[str, Verdict]
    confidence: Confidence | None


def convert(source: Convertible, settings: Settings, watch: Watch) -> Conversion:
    """Convert a model; write its files, eval.npz and conversion.json into its folder.

    Args:
        source: The model and its photos.
        settings: What is wanted.
        watch: Who is told.

    Raises:
        UserError: If the photos changed since the training, or the model can't be trained further where that is wanted.
    """
    record.sweep(source.folder)
    watch.step("Reading the photos")
    splits = source.splits
    calibrated = source.calibrate(settings.calibration_size, settings.seed)
    # `edge` replays them, and takes no file of a larger batch.
    golden = source.choose_golden(settings.seed) if settings.golden and settings.batch in (1, None) else []
    reference = {name: evaluation.run_model(source.model, split.images) for name, split in splits.items()}
    budget = _budget(settings, splits, reference, watch)
    # Beside the files and moved there when all is done: a conversion that fails leaves the old files together.
    with tempfile.TemporaryDirectory(prefix=record.PASSING, dir=source.folder) as folder:
        made = make_files(source, calibrated, settings, budget, watch)
        materials, rows = made.materials, list(made.seconds)
        peak = peak_bytes() or None
        watch.step("Asking every file about every photo")
        answered = [
            _ask(scheme, Path(folder, scheme.file_name), materials, source, reference, golden, settings, watch)
            for scheme in rows
        ]
        watch.step("Timing each file beside float32")
        timed = source.splits[source.reported].images
        paths = [each.path for each in answered]
        ratios = evaluation.latency_ratios(paths, timed, settings.num_threads, settings.batch)
        files = [
            Converted(
                path=source.folder / scheme.file_name,
                scheme=scheme.name,
                batch=settings.batch,
                calibration=_used(calibrated) if scheme.is_calibrated else None,
                size_bytes=each.path.stat().st_size,
                sha256=hashlib.sha256(each.path.read_bytes()).hexdigest(),
                scores=each.scores,
                verdicts=each.verdicts,
                reported=source.reported,
                confidence=each.confidence,
                seconds=made.seconds[scheme],
                latency_ratio=ratios[scheme.file_name],
                slow=_explain(scheme, materials, ratios[scheme.file_name]),
                trained=made.trained.get(scheme.suffix) if scheme.name == schemes.QAT else None,
                climb=budget.climbs.get(scheme.file_name) if budget else None,
            )
            for scheme, each in zip(rows, answered, strict=True)
        ]
        kept = record.kept_entries(source.folder, source.describe_origin())
        strays = record.find_strays(source.folder, {*kept, *made.materials.made})
        for page in record.REPORTS:  # of the files that are replaced now; written anew when all is there
            (source.folder / page).unlink(missing_ok=True)
        eval_npz = _eval_npz(splits[source.reported], source.labels)
        if eval_npz is not None:
            write_whole(source.folder / "eval.npz", eval_npz)
        for path in paths:
            path.replace(source.folder / path.name)
    for stray in strays:
        watch.console.print(f"removed {stray.name}, which an earlier conversion made of another model")
        stray.unlink()
    conversion = Conversion(source, reference, files, calibrated, peak, budget, settings.num_threads)
    described = {file.path.name: file.describe() for file in files}
    write_json(
        source.folder / record.NAME,
        {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "origin": source.describe_origin(),
            "keras": {name: _judge_keras(reference[name], split) for name, split in splits.items()},
            "calibration": calibrated.described,
            "golden_samples": len(golden),
            "notes": list(source.notes),
            "peak_bytes": peak,
            **({"budget": budget.describe()} if budget else {}),
            "files": {**{name: entry for name, entry in kept.items() if name not in described}, **described},
        },
    )
    return conversion


def _budget(
    settings: Settings, splits: Mapping[str, Split], reference: Mapping[str, Scores], watch: Watch
) -> Budget | None:
    """Return the budget that int8 files have to keep on validation; None where there is none."""
    if settings.max_drop is None:
        return None
    return Budget(
        settings.max_drop,
        settings.require_speedup,
        splits["validation"],
        reference["validation"],
        settings.num_threads,
        watch.console.print,
    )


def _explain(scheme: Scheme, materials: Materials, ratio: float) -> str:
    """Return which layers make a file slower than float32; empty where it isn't slower, or nothing is known."""
    if ratio <= record.SLOWER or not scheme.name.startswith("int8"):
        return ""
    reference = materials.made[f"model_{schemes.REFERENCE}{scheme.suffix}"]
    if scheme.suffix == ".tflite" and materials.batch == 1:
        return slow_layers.explain(slow_layers.time_layers(reference, materials.made[scheme.file_name]))
    return onnx_slow.explain(reference, materials.made[scheme.file_name]) if scheme.suffix == ".onnx" else ""


def _ask(
    scheme: Scheme,
    path: Path,
    materials: Materials,
    source: Convertible,
    reference: Mapping[str, Scores],
    golden: Sequence[GoldenSample],
    settings: Settings,
    watch: Watch,
) -> _Answered:
    """Ask a model about every photo, then write it with what that taught embedded."""
    content = materials.made[scheme.file_name]
    write_whole(path, content)
    scores = {
        name: evaluation.run_file(path, split.images, settings.num_threads, watch.advance, settings.batch)
        for name, split in source.splits.items()
    }
    verdicts = {
        name: evaluation.judge(scores[name], reference[name], split.truth) for name, split in source.splits.items()
    }
    refitted = _refit(scores, source)
    metadata = {**source.describe(scheme.name), **(refitted.metadata if refitted else {})}
    embed = one_file.embed_in_onnx if path.suffix == ".onnx" else one_file.embed_in_tflite
    write_whole(path, embed(content, metadata, expect_scores(golden, path)))
    return _Answered(path, scores, verdicts, refitted)


def _refit(scores: Mapping[str, Scores], source: Convertible) -> Confidence | None:
    """Return a file's own temperature and threshold; None where there is no truth to fit them to."""
    if source.false_accept_rate is None:
        return None
    truth = {name: split.truth for name, split in source.splits.items() if split.truth is not None}
    return confidence.refit(scores, truth, source.false_accept_rate)


def _used(calibrated: Calibration) -> dict[str, int]:
    """Return which calibration set a file's ranges."""
    return {key: calibrated.described[key] for key in ("n", "seed")}


def _judge_keras(scores: Scores, split: Split) -> dict[str, Any]:
    """Return what conversion.json says of Keras's own answers on a split."""
    if split.truth is None:
        return {"n": len(scores)}
    return {"n": len(scores), "accuracy": float((scores.argmax(axis=1) == split.truth).mean())}


def _eval_npz(split: Split, labels: list[str]) -> bytes | None:
    """Return eval.npz, a split as the device sees it; None where its truth isn't known."""
    if split.truth is None:
        return None
    file = io.BytesIO()
    np.savez_compressed(file, images=split.images, labels=split.truth, names=np.array(labels))
    return file.getvalue()
