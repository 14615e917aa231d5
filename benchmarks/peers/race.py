"""Times programs on the same frames in turn, lap by lap, so that a machine whose speed drifts favours nobody."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.peers.environments import clean_environment

_LAP = 10  # frames timed of one before the next has its turn


class Fallen(Exception):
    """A program ended or said something else than it should; the text is its last word."""


@dataclass
class Racer:
    """A program that runs.

    Attributes:
        name: Whose it is.
        command: Its command line.
        version: Of its runtime.
        answers: Index of the best class for each frame.
        laps: Times of each lap's frames in ms.
        fallen: Why it left; None while it runs.
    """

    name: str
    command: Sequence[str]
    version: str = ""
    answers: list[int] = field(default_factory=list)
    laps: list[list[float]] = field(default_factory=list)
    fallen: str | None = None

    def start(self, stack: contextlib.ExitStack, cores: int) -> None:
        """Start it on as many cores and wait for its answers.

        Raises:
            Fallen: If it doesn't get there.
        """
        self._errors: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        with _on_cores(cores):
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=clean_environment(),
                text=True,
            )
        stack.callback(self._stop)
        if self._process.stdin is None or self._process.stdout is None:  # for the types; PIPE gives both
            raise Fallen("no pipes")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        told = self._read()
        answers = told.get("answers") if isinstance(told, dict) else None
        if not isinstance(answers, list) or not all(isinstance(each, int) for each in answers):
            raise Fallen(f"expected its version and answers, got {json.dumps(told):.80}")
        self.version, self.answers = str(told.get("version")), answers

    def run_lap(self, frames: int) -> None:
        """Let it time so many frames.

        Raises:
            Fallen: If it doesn't.
        """
        try:
            self._stdin.write(f"{frames}\n")
            self._stdin.flush()
        except OSError:
            raise Fallen(self._last_word()) from None
        times = self._read()
        if not isinstance(times, list) or len(times) != frames:
            raise Fallen(f"expected {frames} times, got {json.dumps(times):.80}")
        self.laps.append([float(each) for each in times])

    def _read(self) -> Any:
        """Return what the next line on its stdout says; libraries may talk there too."""
        while line := self._stdout.readline():
            with contextlib.suppress(ValueError):
                return json.loads(line)
        raise Fallen(self._last_word())

    def _last_word(self) -> str:
        """Return the last line of its stderr."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:200] if said else f"it left with exit code {self._process.poll()}"

    def _stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def race(racers: Sequence[Racer], cores: int, min_runs: int, min_s: float) -> None:
    """Start all, then time a lap of each in turn until each has had its runs and its seconds.

    What falls is noted in its `fallen`, and the others go on. All run on the same cores, since not everybody can be
    told how many threads to use: MediaPipe takes more than one unasked.

    Args:
        racers: Who takes part; filled in.
        cores: How many cores of those that this process may use; where the system can't bind to cores, all.
        min_runs: Timed frames of each at least.
        min_s: Timed seconds of each at least.
    """
    with contextlib.ExitStack() as stack:
        for racer in racers:
            try:
                racer.start(stack, cores)
            except (Fallen, OSError) as error:
                racer.fallen = str(error)
        while running := [racer for racer in racers if racer.fallen is None]:
            if all(_count(racer) >= min_runs and _total_s(racer) >= min_s for racer in running):
                break
            for racer in running:
                try:
                    racer.run_lap(_LAP)
                except Fallen as error:
                    racer.fallen = str(error)


@contextlib.contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """Let processes that are started in the block run on so many of our cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(usable)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)


def _count(racer: Racer) -> int:
    return sum(map(len, racer.laps))


def _total_s(racer: Racer) -> float:
    return sum(map(sum, racer.laps)) / 1e3


def write_frames(frames: Sequence[Any], folder: Path) -> Path:
    """Write frames where every program finds them."""
    import numpy as np

    path = folder / "frames.npz"
    np.savez(path, frames=np.stack(frames))
    return path
