"""A model that is timed: what is timed of it, and what its row says."""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.macs import count_macs
from benchmarks.percentiles import disagree, summarize
from benchmarks.pixels import Pixels, pixels_beside
from edge.classifier import Classifier
from edge.errors import UserError
from edge.preprocess import decode, to_image

if TYPE_CHECKING:
    from edge.timing import Milliseconds

STAGES = ("decode", "resize", "invoke", "post")
MEASURES = ("invoke", "frame_to_label")


@dataclass(frozen=True)
class Entry:
    """A file to time, in a runtime.

    Attributes:
        path: The file.
        runtime: One of `edge.runtimes.RUNTIMES`; None for the first that takes the file and is installed.
    """

    path: Path
    runtime: str | None

    @property
    def run(self) -> str:
        """Name of the folder that it lies in."""
        return self.path.resolve().parent.name


@dataclass(frozen=True)
class TimedModel:
    """A loaded model and what it is measured on."""

    entry: Entry
    classifier: Classifier
    pixels: Pixels

    @property
    def runtime(self) -> str:
        """The runtime that took the file, without its version."""
        return self.classifier.runtime.partition(" ")[0]

    def actions(self) -> tuple[Callable[[], object], Callable[[], object]]:
        """Return what is timed, in the order of MEASURES: image to scores, and the whole way from frame to label."""
        classifier, frames = self.classifier, itertools.cycle(self.pixels.frames)
        images = itertools.cycle([to_image(frame, classifier.image_size) for frame in self.pixels.frames])
        return lambda: classifier.scores(next(images)), lambda: classifier.classify(next(frames))

    def staged(self) -> tuple[Callable[[], object], list[tuple[float, ...]]]:
        """Return an action that goes from a JPEG to a label, and the list it adds a run's STAGES to, milliseconds."""
        classifier, jpegs = self.classifier, itertools.cycle(self.pixels.jpegs())
        image, stages = np.empty((*classifier.image_size, 3), np.uint8), list[tuple[float, ...]]()

        def act() -> None:
            jpeg, clock = next(jpegs), [time.perf_counter()]
            frame = decode(jpeg)
            clock.append(time.perf_counter())
            to_image(frame, classifier.image_size, out=image)
            clock.append(time.perf_counter())
            scores = classifier.scores(image)
            clock.append(time.perf_counter())
            classifier.rank(scores)
            clock.append(time.perf_counter())
            stages.append(tuple((later - earlier) * 1e3 for earlier, later in itertools.pairwise(clock)))

        return act, stages


@dataclass
class Figures:
    """What was measured of a model, a value for each repeat.

    Attributes:
        model: The model of the last repeat.
        times: By measure, run times in milliseconds.
        stages: Arrays (runs, STAGES) of milliseconds.
        fresh: What `benchmarks.fresh_process` measured.
        energy: What `benchmarks.energy` measured; None where the machine has no meter.
    """

    model: TimedModel
    times: dict[str, list[Milliseconds]]
    stages: list[Milliseconds]
    fresh: list[dict[str, Any]]
    energy: dict[str, Any] | None = None


def load(entry: Entry, num_threads: int) -> TimedModel:
    """Load a model and the pixels beside it.

    Raises:
        UserError: If the file can't be loaded, or an eval.npz beside it is damaged.
    """
    return TimedModel(entry, Classifier(entry.path, num_threads, runtime=entry.runtime), pixels_beside(entry.path))


def read_scheme(classifier: Classifier) -> str:
    """Return the scheme that a file says it has; "unknown" where it says none, or anything but a word.

    A stranger's file may say anything there, and what it says reaches the terminal.
    """
    scheme = classifier.metadata.get("scheme")
    return scheme if isinstance(scheme, str) and re.fullmatch(r"\w{1,32}", scheme, re.ASCII) else "unknown"


def make_row(figures: Figures, num_threads: int, peaks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a model's row.

    Args:
        figures: What was measured.
        num_threads: Threads of the runtime.
        peaks: By runtime, what `benchmarks.peak` measured with as many threads.
    """
    model = figures.model
    try:
        data = model.entry.path.read_bytes()
    except OSError as error:
        raise UserError(f"{model.entry.path} went away while it was timed: {error.strerror}; time it again") from error
    times = {measure: np.concatenate(figures.times[measure]) for measure in MEASURES}
    medians = {measure: [float(np.median(each)) for each in figures.times[measure]] for measure in MEASURES}
    stages = np.concatenate(figures.stages)
    return {
        "run": model.entry.run,
        "model": model.entry.path.name,
        "scheme": read_scheme(model.classifier),
        "runtime": model.classifier.runtime,
        "num_threads": num_threads,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "pixels": model.pixels.origin,
        "runs": len(times["invoke"]),
        **{f"{measure}_ms": summarize(times[measure]) for measure in MEASURES},
        "stages_ms": {stage: summarize(stages[:, number]) for number, stage in enumerate(STAGES)},
        "repeat_p50_ms": {measure: [round(each, 4) for each in medians[measure]] for measure in MEASURES},
        "noisy": any(disagree(each) for each in medians.values()) if len(medians["invoke"]) > 1 else None,
        **_summarize_fresh(figures.fresh),
        **_rate(model.entry.path, times["invoke"], peaks.get(model.runtime, {})),
        "energy": figures.energy,
    }


def _summarize_fresh(fresh: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of what new processes took, and the most memory that one held."""
    if not fresh:
        return {}
    keys = ("import_ms", "load_ms", "first_inference_ms")
    memory = [each["peak_rss_bytes"] for each in fresh if each["peak_rss_bytes"] is not None]
    medians = {key: round(float(np.median([each[key] for each in fresh])), 3) for key in keys}
    return {**medians, "peak_rss_bytes": max(memory, default=None)}


def _rate(path: Path, invoke: Milliseconds, peak: dict[str, Any]) -> dict[str, Any]:
    """Return a file's multiply-accumulates, how many a second it does, and the share of the machine's peak.

    The rate is that of the median run. The share compares the quickest runs of file and yardstick: what a neighbour on
    the machine takes would be in one and not in the other.
    """
    work = count_macs(path)
    if not work.macs:
        return {"macs": work.macs, "macs_reason": work.reason or None, "gmacs": None, "peak_share": None}
    best = peak.get(f"{work.arithmetic}_gmacs")
    return {
        "macs": work.macs,
        "macs_reason": None,
        "arithmetic": work.arithmetic,
        "gmacs": round(work.macs / float(np.median(invoke)) / 1e6, 2),
        "peak_share": round(work.macs / float(invoke.min()) / 1e6 / best, 3) if best else None,
    }
