"""Runs a slow model on a fast camera: how old are the frames that it is asked about, and is each one accounted for?

`python -m tests.slow_model --minutes 10` asks about the newest frame of a scripted camera, and takes its time each
time. It prints how old the frames were when they were taken up, and with the model's time when they were answered, the
count of dropped frames against what the camera gave, and the memory early and at the end. A frame's age is to be at
most one frame plus the model's time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.camera import open_shots
from edge.command import command, parser
from edge.sources import parse_source
from tests.cameras import Bench
from tests.processes import read_rss_mb


@dataclass
class Course:
    """What was seen.

    Attributes:
        taken_up_s: Age of each frame when the model got it.
        answered_s: Age of each frame when the model was done.
        model_s: What the model took each time.
        given: Frames that the camera gave up to the last answer, by the number in the pixels.
        dropped: Of these, those that were counted as dropped.
        miscounted: Answers whose frame's number was not the answers and drops before it.
        frame_s: Time between two frames of the camera, on average.
        rss_mb: Memory after a tenth of the time, and at the end.
    """

    taken_up_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)
    model_s: list[float] = field(default_factory=list)
    given: int = 0
    dropped: int = 0
    miscounted: int = 0
    frame_s: float = 0.0
    rss_mb: tuple[float, float] = (0.0, 0.0)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run, then say what was seen; 1 where a frame was too old or not accounted for."""
    flags = parser("python -m tests.slow_model", "Run a slow model on a fast scripted camera.")
    flags.add_argument("--minutes", type=_positive, default=10.0, metavar="M", help="how long")
    flags.add_argument(
        "--model-ms", type=_positive, default=250.0, metavar="MS", help="what the model takes for a frame"
    )
    flags.add_argument(
        "--frame-ms", type=_positive, default=10.0, metavar="MS", help="between two frames of the camera"
    )
    given = flags.parse_args(argv)
    course = run(given.minutes * 60, given.model_ms / 1000, given.frame_ms / 1000)
    bounds = [course.frame_s + model_s for model_s in course.model_s]
    excess = [age - bound for age, bound in zip(course.answered_s, bounds, strict=True)]
    model_ms, frame_ms = 1e3 * _median(course.model_s), 1e3 * course.frame_s
    print(f"{len(course.answered_s):,} answers; the model took {model_ms:.1f} ms, a frame {frame_ms:.1f} ms")
    print(f"age taken up: median {1e3 * _median(course.taken_up_s):.1f} ms, most {1e3 * max(course.taken_up_s):.1f} ms")
    print(f"age answered: median {1e3 * _median(course.answered_s):.1f} ms, most {1e3 * max(course.answered_s):.1f} ms")
    over = sum(each > 0 for each in excess)
    print(f"older than one frame plus the model's time: {over:,}, by at most {1e3 * max(0.0, *excess):.1f} ms")
    print(f"{course.given:,} frames given, {course.dropped:,} dropped; {course.miscounted} answers miscounted")
    print(f"memory {course.rss_mb[0]:.1f} MB after a tenth of the time, {course.rss_mb[1]:.1f} MB at the end")
    is_exact = course.miscounted == 0 and course.given == course.dropped + len(course.answered_s)
    return 0 if is_exact and over <= len(excess) / 100 else 1


def run(seconds: float, model_s: float, frame_s: float) -> Course:
    """Ask the slow model about frame after frame.

    Args:
        seconds: How long.
        model_s: What the model takes.
        frame_s: Time between two frames of the camera.
    """
    course = Course()
    with (
        tempfile.TemporaryDirectory(prefix="tinysight-") as folder,
        Bench(Path(folder), interval_s=frame_s).installed() as bench,
    ):
        bench.plug_in(0)
        start = time.monotonic()
        early = 0.0
        with open_shots(parse_source("0")) as shots:
            for answered, shot in enumerate(shots):
                begun = time.time()
                time.sleep(model_s)
                done = time.time()
                course.taken_up_s.append(begun - shot.taken)
                course.answered_s.append(done - shot.taken)
                course.model_s.append(done - begun)
                in_pixels = int(shot.frame[0, 0, 0]) - 1  # the camera counts from 1, up to 250
                course.miscounted += shot.number != answered + shot.dropped or shot.number % 251 != in_pixels % 251
                course.given, course.dropped = shot.number + 1, shot.dropped
                elapsed = time.monotonic() - start
                if not early and elapsed > seconds / 10:
                    early = read_rss_mb()
                if elapsed > seconds:
                    break
        course.frame_s = elapsed / course.given
        course.rss_mb = early, read_rss_mb()
    return course


def _median(values: list[float]) -> float:
    """Return the middle one."""
    return sorted(values)[len(values) // 2]


def _positive(text: str) -> float:
    """Parse a positive number, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
