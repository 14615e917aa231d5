"""Chooses among candidates: which file is the best under limits, why, and what each other one would have to be.

Accuracies on other photos can't be compared, so each data set has a front and a choice of its own. One candidate beats
another if it is no less accurate and no slower, and better in one of the two; those that none beats are the front.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.candidates import Candidate

_CLEARLY_FASTER = 0.95  # a difference of less than 5 % is noise


@dataclass(frozen=True)
class Limits:
    """What a file must keep to; None is no limit.

    Attributes:
        max_latency_ms: Median time from frame to label at most.
        max_size_mb: File of so many million bytes at most.
        min_accuracy: Accuracy at least, 0-1.
    """

    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    min_accuracy: float | None = None


@dataclass(frozen=True)
class Choice:
    """What was chosen on one data set.

    Attributes:
        dataset: Its name.
        candidates: All of it.
        front: Those that none beats, the fastest first.
        picked: The best that keeps to the limits; None where none does.
        fitting: How many keep to them.
        quicker: One that is clearly faster, and less accurate by no more than chance; None where there is none.
        refused: The others, and which limits each broke.
    """

    dataset: str
    candidates: Sequence[Candidate]
    front: Sequence[Candidate]
    picked: Candidate | None
    fitting: int
    quicker: Candidate | None
    refused: Sequence[tuple[Candidate, Sequence[str]]]


def choose(candidates: Sequence[Candidate], limits: Limits) -> list[Choice]:
    """Return the choice on each data set, in the order of the candidates."""
    datasets = dict.fromkeys(candidate.dataset for candidate in candidates)
    return [_choose(dataset, [each for each in candidates if each.dataset == dataset], limits) for dataset in datasets]


def find_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that none beats in accuracy and median time from frame to label, the fastest first."""
    points = [
        (-each.accuracy, each.frame_to_label_ms, each)
        for each in candidates
        if each.accuracy is not None and each.frame_to_label_ms is not None
    ]
    front: list[tuple[float, float, Candidate]] = []
    for loss, latency_ms, each in sorted(points, key=lambda point: (point[1], point[0])):
        if not front or loss < front[-1][0] or (loss, latency_ms) == front[-1][:2]:
            front.append((loss, latency_ms, each))
    return [each for _, _, each in front]


def explain(choice: Choice, limits: Limits) -> list[str]:
    """Say in lines which file was chosen and why, and for each other which limit it broke."""
    if choice.picked is None:
        lines = [nothing_fits(choice, limits)]
    else:
        kept = describe_limits(limits)
        others = f"the most accurate of {choice.fitting}{f' that keep to {kept}' if kept else ''}"
        lines = [f"Best: {name(choice.picked)}: {figures(choice.picked)}; {others}."]
    if choice.quicker and choice.picked:
        lost = points_lost(choice.picked, choice.quicker)
        faster = (choice.picked.frame_to_label_ms or 0) / (choice.quicker.frame_to_label_ms or math.inf)
        lines.append(
            f"Faster ({faster:.2f}x), and {lost:.1f} points less are within chance on {choice.picked.n} photos: "
            f"{name(choice.quicker)}: {figures(choice.quicker)}."
        )
    return lines + [f"Not {name(candidate)}: {'; '.join(reasons)}." for candidate, reasons in choice.refused]


def nothing_fits(choice: Choice, limits: Limits) -> str:
    """Say in a line that no file keeps to the limits, and which is the closest."""
    closest, reasons = min(choice.refused, key=lambda each: _excess(each[0], limits), default=(None, []))
    where = f" on {choice.dataset}" if choice.dataset else ""
    if closest is None:
        return f"Expected a converted file to choose from{where}, found none; convert: python -m convert.quantize"
    kept = describe_limits(limits) or "no limit"
    return (
        f"Expected a file that keeps to {kept}{where}, found none; the closest is {name(closest)}: {'; '.join(reasons)}"
    )


def name(candidate: Candidate) -> str:
    """Return what a candidate is called in a sentence."""
    threads = "" if candidate.num_threads is None else f", {_threads(candidate.num_threads)}"
    runtime = f" ({candidate.runtime}{threads})" if candidate.runtime else ""
    return f"{candidate.model} of {candidate.run}{runtime}"


def figures(candidate: Candidate) -> str:
    """Return the three figures that a choice is made by; what nobody measured is left out."""
    said = [f"{candidate.size_bytes / 1e6:.2f} MB"]
    if candidate.frame_to_label_ms is not None:
        said.insert(0, f"{candidate.frame_to_label_ms:.3f} ms from frame to label")
    if candidate.accuracy is not None:
        said.insert(0, f"{candidate.accuracy:.1%} right")
    return ", ".join(said)


def points_lost(before: Candidate, after: Candidate) -> float:
    """Return by how many points of 100 one is less accurate than another."""
    return 100 * ((before.accuracy or 0) - (after.accuracy or 0))


def describe_limits(limits: Limits) -> str:
    """Return the limits in words; empty for none."""
    said = []
    if limits.max_latency_ms is not None:
        said.append(f"{limits.max_latency_ms:g} ms")
    if limits.max_size_mb is not None:
        said.append(f"{limits.max_size_mb:g} MB")
    if limits.min_accuracy is not None:
        said.append(f"at least {limits.min_accuracy:.4g} right")
    return " and ".join(said)


def _choose(dataset: str, candidates: Sequence[Candidate], limits: Limits) -> Choice:
    """Choose on one data set."""
    judged = [(each, [text for text, _ in _broken(each, limits)]) for each in candidates if each.is_converted]
    fitting = [each for each, reasons in judged if not reasons]
    ranked = sorted(fitting, key=_rank)
    picked = ranked[0] if ranked and ranked[0].accuracy is not None else None
    refused = [(each, reasons) for each, reasons in judged if reasons]
    if picked is None:
        refused += [(each, ["nobody measured its accuracy"]) for each in fitting]
    return Choice(
        dataset=dataset,
        candidates=candidates,
        front=find_front([each for each in candidates if each.is_converted]),
        picked=picked,
        fitting=len(fitting),
        quicker=_quicker(picked, fitting) if picked else None,
        refused=refused,
    )


def _rank(candidate: Candidate) -> tuple[float, float, int]:
    """Return what candidates are ordered by: the most accurate, of equal ones the fastest, then the smallest."""
    accuracy = -1.0 if candidate.accuracy is None else candidate.accuracy
    latency_ms = math.inf if candidate.frame_to_label_ms is None else candidate.frame_to_label_ms
    return -accuracy, latency_ms, candidate.size_bytes


def _quicker(picked: Candidate, fitting: Sequence[Candidate]) -> Candidate | None:
    """Return the fastest that is clearly faster, and within the interval of the picked one's accuracy."""
    if picked.frame_to_label_ms is None or picked.accuracy_interval is None:
        return None
    low = picked.accuracy_interval[0]
    enough = [each for each in fitting if each.accuracy is not None and each.accuracy >= low]
    fastest = min(enough, key=lambda each: each.frame_to_label_ms or math.inf, default=picked)
    clearly = (fastest.frame_to_label_ms or math.inf) < _CLEARLY_FASTER * picked.frame_to_label_ms
    return fastest if clearly else None


def _broken(candidate: Candidate, limits: Limits) -> Iterator[tuple[str, float]]:
    """Yield the limits that a candidate breaks, in words, and by which factor."""
    if limits.max_latency_ms is not None:
        latency_ms = candidate.frame_to_label_ms
        if latency_ms is None:
            yield "nobody measured its latency", math.inf
        elif latency_ms > limits.max_latency_ms:
            yield f"{latency_ms:.3f} ms, limit {limits.max_latency_ms:g}", latency_ms / limits.max_latency_ms
    if limits.max_size_mb is not None:
        size_mb = candidate.size_bytes / 1e6
        if size_mb > limits.max_size_mb:
            yield f"{size_mb:.2f} MB, limit {limits.max_size_mb:g}", size_mb / limits.max_size_mb
    if limits.min_accuracy is not None:
        accuracy = candidate.accuracy
        if accuracy is None:
            yield "nobody measured its accuracy", math.inf
        elif accuracy < limits.min_accuracy:
            factor = limits.min_accuracy / accuracy if accuracy else math.inf
            yield f"{accuracy:.4f} right, limit {limits.min_accuracy:.4g}", factor


def _excess(candidate: Candidate, limits: Limits) -> float:
    """Return by which factor a candidate breaks the limit that it breaks most."""
    return max((factor for _, factor in _broken(candidate, limits)), default=math.inf)


def _threads(count: int) -> str:
    """Return a number of threads in words."""
    return f"{count} thread{'' if count == 1 else 's'}"
