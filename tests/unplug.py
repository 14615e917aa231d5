"""Unplugs a camera, again and again, in every way that one can go: is it found, and answered when it is back?

`python -m tests.unplug --times 100` runs the camera's thread on a scripted camera that is unplugged (its read fails),
hangs in its driver and comes back, hangs and is unplugged, or comes back under another number. It prints how long each
loss took to be found, how long the first frame took after the return, and the threads and descriptors before and after.
The loss is to be found within 3 s and answered within 5 s of the return.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.camera import Shot, open_shots
from edge.command import command, parser, positive_int
from edge.sources import STALL_S, parse_source
from tests.cameras import Bench
from tests.processes import count_descriptors, count_threads

WAYS = ("read fails", "read hangs", "hangs, then unplugged", "number changes", "hangs, number changes")
_FOUND_S, _ANSWERED_S = 3.0, 5.0
_DRIVER_S = 4.0  # after which the scripted driver lets a hanging read go
_PATIENCE_S = 60.0


@dataclass
class Times:
    """What one way of going took, in seconds, each time."""

    found: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Unplug, wait, count; 1 where a time was too long or something was left behind."""
    flags = parser("python -m tests.unplug", "Unplug a scripted camera again and again.")
    flags.add_argument("--times", type=positive_int, default=100, metavar="N", help="how often")
    flags.add_argument("--seed", type=int, default=0, metavar="N", help="of the order and the moments")
    given = flags.parse_args(argv)
    times, before, after = drill(given.times, random.Random(given.seed))
    print(f"{'':24}times   found: median, longest   answered: median, longest")
    for way, each in times.items():
        if each.found:
            print(f"{way:24}{len(each.found):5}{_summary(each.found):>25}{_summary(each.answered):>28}")
    print(f"threads {before[0]} before, {after[0]} after; descriptors {before[1]} before, {after[1]} after")
    found = [each for way in times.values() for each in way.found]
    answered = [each for way in times.values() for each in way.answered]
    holds = max(found) <= _FOUND_S and max(answered) <= _ANSWERED_S and before == after
    print(f"{len(found)} losses, {'all' if holds else 'NOT ALL'} within {_FOUND_S:g} s and {_ANSWERED_S:g} s")
    return 0 if holds else 1


def drill(
    rounds: int, moments: random.Random, away_s: tuple[float, float] = (0.2, 3.0), stall_s: float = STALL_S
) -> tuple[dict[str, Times], tuple[int, int], tuple[int, int]]:
    """Unplug a camera.

    Args:
        rounds: How often; the ways take turns.
        moments: How long it is away each time.
        away_s: The least and the most of that.
        stall_s: Seconds without a frame after which the camera hangs.

    Returns:
        The times by way; threads and descriptors while the camera runs, before and after all this.
    """
    times = {way: Times() for way in WAYS}
    lost = threading.Event()

    def report(line: str) -> None:
        if line.startswith("lost "):
            lost.set()

    with tempfile.TemporaryDirectory(prefix="tinysight-") as folder, Bench(Path(folder)).installed() as bench:
        device = bench.plug_in(0)
        stop = threading.Event()
        with open_shots(parse_source("0"), stall_s=stall_s, stopped=stop.is_set, report=report) as shots:
            answers = _Answers(shots)
            answers.await_next()
            before = _held()
            for number in range(rounds):
                way = WAYS[number % len(WAYS)]
                lost.clear()
                start = time.monotonic()
                if way == "read hangs":
                    bench.stall(device)
                else:
                    bench.unplug(device, hangs="hangs" in way)
                _demand(lost.wait(_PATIENCE_S), f"the loss was not found: {way}")
                times[way].found.append(time.monotonic() - start)
                time.sleep(moments.uniform(*away_s))
                if way == "read hangs":  # until the driver lets go; the camera is there again at once
                    time.sleep(max(0.0, start + _DRIVER_S - time.monotonic()))
                    bench.let_go(device)
                    bench.unplug(device)
                elif way == "hangs, then unplugged":
                    bench.let_go(device)
                old, number_now = device, int(device.name[5:])
                device = bench.plug_in(number_now ^ 1 if "number changes" in way else number_now)
                back = time.monotonic()
                answers.await_next()
                times[way].answered.append(time.monotonic() - back)
                if way == "hangs, number changes":  # the old read hangs on while the camera is already answered
                    bench.let_go(old)
                print(f"\r{number + 1} of {rounds}", end="", file=sys.stderr)
            print(file=sys.stderr)
            _settle(before)
            after = _held()
            stop.set()
            answers.join()
        _demand(bench.opened == bench.released, f"{bench.opened} captures opened, {bench.released} released")
    return times, before, after


class _Answers:
    """Asks for frame after frame, as the loop does, in a thread of its own."""

    def __init__(self, shots: Iterator[Shot]) -> None:
        self._shots = shots
        self._came = threading.Condition()
        self._latest = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for shot in self._shots:
            with self._came:
                self._latest = shot.taken
                self._came.notify_all()

    def await_next(self) -> None:
        """Wait for an answer to a frame that is taken after now."""
        now = time.time()
        with self._came:
            _demand(self._came.wait_for(lambda: self._latest > now, _PATIENCE_S), "no answer came")

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join(_PATIENCE_S)


def _held() -> tuple[int, int]:
    """Return how many threads and descriptors this process has, as the kernel counts them."""
    return count_threads(), count_descriptors()


def _settle(held: tuple[int, int]) -> None:
    """Give what is about to end a moment for it."""
    until = time.monotonic() + _DRIVER_S
    while _held() != held and time.monotonic() < until:
        time.sleep(0.05)


def _demand(holds: bool, otherwise: str) -> None:
    """Stop the drill where it is lost."""
    if not holds:
        raise RuntimeError(otherwise)


def _summary(times: list[float]) -> str:
    """Say the middle and the longest of some times."""
    return f"{sorted(times)[len(times) // 2]:.2f} s, {max(times):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
