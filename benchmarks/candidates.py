"""The files of runs with all that is known of them: what a comparison compares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.intervals import wilson_interval
from benchmarks.measured import Measured, Row, find_measured
from edge.answers import printable
from edge.errors import UserError
from edge.run_folder import read_json

_TRAIN = "python -m train.run"
_TEST_SPLIT, _ALL_CORRUPTIONS = "eval.npz", "all"  # the photos and the case of rows that are compared


@dataclass(frozen=True)
class Candidate:
    """A file in a runtime with a number of threads; None is what nobody measured.

    Names come out of somebody's files and go to terminals: they are printable.

    Attributes:
        dataset: The photos' name and their number of classes.
        run: Name of the run's folder.
        architecture: What train.run calls the model.
        model: The file's name.
        scheme: How it is quantized; "keras" for the model that the others were made of.
        runtime: The runtime's distribution and version.
        num_threads: Threads of the runtime.
        size_bytes: The file's size.
        gzip_bytes: Its size behind `gzip -9`.
        peak_rss_bytes: Memory at its peak in a process of its own.
        n: Photos that accuracy and agreement are of.
        accuracy: Share of them that it gets right, 0-1.
        accuracy_interval: Its 95 % interval.
        agreement: Share of them on which it answers as the Keras model does, 0-1.
        robustness: Mean accuracy over the corrupted photos, 0-1.
        invoke_ms: Median time of an inference.
        frame_to_label_ms: Median time from a decoded camera frame to its label.
        frame_to_label_p90_ms: Time that nine frames of ten stay within.
        latency_ratio: Time of an inference over that of the float32 file of its format.
        is_slower: Whether that is more than noise, by its quickest inference too; None where only the ratio is known.
        noisy: Whether the times didn't repeat on a machine that was busy.
    """

    dataset: str
    run: str
    architecture: str
    model: str
    scheme: str
    runtime: str | None
    num_threads: int | None
    size_bytes: int
    gzip_bytes: int | None
    peak_rss_bytes: int | None
    n: int | None
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    agreement: float | None
    robustness: float | None
    invoke_ms: float | None
    frame_to_label_ms: float | None
    frame_to_label_p90_ms: float | None
    latency_ratio: float | None
    is_slower: bool | None
    noisy: bool

    @property
    def is_converted(self) -> bool:
        """Whether a device can run it."""
        return self.scheme != "keras"


def read_candidates(
    run: Path, results: Mapping[str, Any] | None, threads: Sequence[int] = ()
) -> tuple[list[Candidate], str | None]:
    """Read a run's candidates, the Keras model first.

    Args:
        run: The run's folder, as the user typed it.
        results: A results file's content, if one was named.
        threads: Only the times with so many threads; empty for all that were measured.

    Returns:
        The candidates, and the machine that the times are of; None without times.

    Raises:
        UserError: If a file is missing or isn't what its command writes.
    """
    convert = f"python -m convert.quantize --int8 --run {run}"
    metrics, conversion = read_json(run / "metrics.json", _TRAIN), read_json(run / "conversion.json", convert)
    try:
        keras = _keras(run, metrics["test"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"Expected a finished training in {run}, {_lack(error)}; train again: {_TRAIN}") from error
    try:
        files = conversion["files"]
        measured = find_measured(run, {file: str(entry["sha256"]) for file, entry in files.items()}, results)
        candidates = [keras]
        for file, entry in files.items():
            timed = [row for row in measured.of("latency", file) if not threads or row["num_threads"] in threads]
            ordered = sorted(timed, key=lambda row: (str(row.get("runtime")), int(row["num_threads"])))
            candidates += [_converted(keras, file, entry, measured, row) for row in ordered or [{}]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"conversion.json of {run}, or what was measured of it: {_lack(error)}; write again: {convert}"
        ) from error
    return candidates, measured.machine


def _keras(run: Path, test: Mapping[str, Any]) -> Candidate:
    """Return the model that the others were made of."""
    model = run / "model.keras"
    config = read_json(run / "config.json", _TRAIN)
    accuracy, n = float(test["accuracy"]), int(test["n"])
    return Candidate(
        dataset=_dataset(run, config),
        run=printable(run.resolve().name),
        architecture=printable(str(config["model"])),
        model=model.name,
        scheme="keras",
        runtime=None,
        num_threads=None,
        size_bytes=model.stat().st_size,
        gzip_bytes=None,
        peak_rss_bytes=None,
        n=n,
        accuracy=accuracy,
        accuracy_interval=_interval(test, accuracy, n),
        agreement=None,
        robustness=None,
        invoke_ms=None,
        frame_to_label_ms=None,
        frame_to_label_p90_ms=None,
        latency_ratio=None,
        is_slower=None,
        noisy=False,
    )


def _converted(keras: Candidate, file: str, entry: Mapping[str, Any], measured: Measured, timed: Row) -> Candidate:
    """Return a converted file as one row of the latencies has it; {} for none."""
    runtime = printable(str(timed["runtime"])) if timed.get("runtime") else None
    size = next(iter(measured.of("size", file, runtime)), {})
    endured = [row for row in measured.of("robustness", file, runtime) if row.get("case") == _ALL_CORRUPTIONS]
    endured = [row for row in endured if row.get("photos", _TEST_SPLIT) == _TEST_SPLIT]
    tested = entry.get("test") or {}
    judged = [row for row in measured.of("accuracy", file, runtime) if row.get("photos", _TEST_SPLIT) == _TEST_SPLIT]
    judged = [row for row in judged if row.get("sample") is None]
    asked = next(iter(judged), tested)
    accuracy, n = _number(asked.get("accuracy")), _number(asked.get("n"))
    invoke, frame_to_label = timed.get("invoke_ms") or {}, timed.get("frame_to_label_ms") or {}
    gzipped = _number(size.get("gzip_bytes"))
    peak = _number(timed.get("peak_rss_bytes") or size.get("peak_rss_bytes"))
    return Candidate(
        dataset=keras.dataset,
        run=keras.run,
        architecture=keras.architecture,
        model=printable(file),
        scheme=printable(str(entry.get("scheme") or "unknown")),
        runtime=runtime,
        num_threads=int(timed["num_threads"]) if timed else None,
        size_bytes=int(entry["size_bytes"]),
        gzip_bytes=None if gzipped is None else int(gzipped),
        peak_rss_bytes=None if peak is None else int(peak),
        n=None if n is None else int(n),
        accuracy=accuracy,
        accuracy_interval=None if accuracy is None or n is None else _interval(asked, accuracy, int(n)),
        agreement=_number(tested.get("agreement")),  # of benchmarks.accuracy it is with the float32 file
        robustness=_number(endured[0].get("corrupted_accuracy")) if endured else None,
        invoke_ms=_number(invoke.get("p50")),
        frame_to_label_ms=_number(frame_to_label.get("p50")),
        frame_to_label_p90_ms=_number(frame_to_label.get("p90")),
        latency_ratio=_number(timed.get("latency_ratio") if timed else entry.get("latency_ratio")),
        is_slower=timed.get("slower_than_float32") if timed else None,
        noisy=timed.get("noisy") is True,
    )


def _dataset(run: Path, config: Mapping[str, Any]) -> str:
    """Return the photos' name and number of classes: accuracies on others can't be compared."""
    path = run / "dataset.json"
    if not path.exists():
        return printable(Path(str(config.get("data") or "")).name)
    dataset = read_json(path, _TRAIN)
    return printable(f"{dataset['name']}, {len(dataset['labels'])} classes")


def _interval(row: Mapping[str, Any], accuracy: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy, as it was written or by the same formula."""
    if row.get("accuracy_interval") is None:
        return wilson_interval(accuracy, n)
    low, high = row["accuracy_interval"]
    return float(low), float(high)


def _number(value: Any) -> float | None:
    """Return a number, None for None; ValueError or TypeError for anything else."""
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} where a measured number should be")
    return number


def _lack(error: Exception) -> str:
    """Say what an error of reading a JSON's keys means."""
    return f"{error} is missing" if isinstance(error, KeyError) else f"got {error}"
