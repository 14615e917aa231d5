"""A file, everybody who takes it, and what comes of it: the rows of `python -m benchmarks.peers`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.catalogue import OURS, PEERS, PROGRAMS, Peer
from benchmarks.peers.environments import EnvironmentMissing
from benchmarks.peers.race import Racer, race, write_frames
from benchmarks.percentiles import summarize
from benchmarks.pixels import pixels_beside
from edge.classifier import Classifier
from edge.errors import UserError


def compare(
    path: Path,
    num_threads: int,
    only: Sequence[str],
    min_runs: int,
    min_s: float,
    environments: Path,
    folder: Path,
) -> list[dict[str, Any]]:
    """Let everybody who takes a file answer the same frames, in turn.

    Args:
        path: The model file.
        num_threads: Threads for those who can be told, and cores for all.
        only: Names of the peers to ask besides us; all for none.
        min_runs: Timed frames of each at least.
        min_s: Timed seconds of each at least.
        environments: Folder of virtual environments, made where missing.
        folder: For the frames.

    Returns:
        A row each: run, model, runtime, num_threads, frame_to_label_ms, ratio (its time over ours, lap by lap: median
        and the range of the middle 80 %), same_label (share of the frames that it answers as we do), `is_bound` for
        the runtime's invoke alone; `skipped` with the reason for who can't be had.

    Raises:
        UserError: If the file is no model, or nobody has such a name.
    """
    known = [peer.name for peer in PEERS]
    if unknown := [name for name in only if name not in known]:
        raise UserError(f"Expected --only of {', '.join(map(repr, dict.fromkeys(known)))}; got {unknown[0]!r}")
    model, pixels = Classifier(path, num_threads), pixels_beside(path)
    frames = write_frames(pixels.frames, folder)
    asked = [peer for peer in PEERS if peer.suffix == path.suffix and (not only or peer.name in (OURS, *only))]
    racers, skipped = [], []
    for peer in asked:
        try:
            python = peer.find_python(environments.absolute())
        except EnvironmentMissing as error:
            skipped.append((peer, str(error)))
            continue
        line = [python, str(PROGRAMS / peer.program), str(path.absolute()), str(frames), str(num_threads)]
        racers.append(Racer(peer.name, [*line, *peer.arguments(model)]))
    print(f"{path}: {', '.join(racer.name for racer in racers)} ...", file=sys.stderr)
    race(racers, num_threads, min_runs, min_s)
    ours = next((racer for racer in racers if racer.name == OURS and racer.fallen is None), None)
    rows = [_row(path, model, num_threads, pixels.origin, peer) | {"skipped": why} for peer, why in skipped]
    for racer in racers:
        peer = next(each for each in asked if each.name == racer.name)
        row = _row(path, model, num_threads, pixels.origin, peer)
        if racer.fallen is not None:
            rows.append(row | {"skipped": racer.fallen})
            continue
        row["runtime"] = f"{racer.name} {racer.version}"
        row["frame_to_label_ms"] = summarize(np.concatenate(racer.laps))
        row["runs"] = sum(map(len, racer.laps))
        if ours is not None:
            row["ratio"] = _ratio(racer, ours)
            row["same_label"] = float(np.mean(np.equal(racer.answers, ours.answers)))
        rows.append(row)
    return rows


def _row(path: Path, model: Classifier, num_threads: int, origin: str, peer: Peer) -> dict[str, Any]:
    """Return what is known before the race."""
    return {
        "run": path.absolute().parent.name,
        "model": path.name,
        "runtime": peer.name,
        "num_threads": num_threads,
        "image_size": list(model.image_size),
        "pixels": origin,
        "is_bound": peer.is_bound,
    }


def _ratio(racer: Racer, ours: Racer) -> dict[str, float]:
    """Return how many times as long as we somebody takes: laps that stand side by side, median against median."""
    laps = min(len(racer.laps), len(ours.laps))
    theirs = np.median(np.array(racer.laps[:laps]), axis=1)
    quotients = theirs / np.median(np.array(ours.laps[:laps]), axis=1)
    low, median, high = np.percentile(quotients, [10, 50, 90])
    return {"median": round(float(median), 3), "p10": round(float(low), 3), "p90": round(float(high), 3)}
