"""What is done with an answer: written as JSON or as a line to read, and counted."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import UserError

if TYPE_CHECKING:
    from edge.camera import Shot
    from edge.classifier import Prediction


@dataclass(frozen=True)
class Answer:
    """What the model said about a frame.

    Attributes:
        shot: The frame.
        prediction: The likeliest class.
        latency_ms: From frame to label.
    """

    shot: Shot
    prediction: Prediction
    latency_ms: float

    def to_json(self) -> str:
        """Return the answer as a line of JSON, without the line's end."""
        return json.dumps(
            {
                "frame": self.shot.number,
                "time": datetime.fromtimestamp(self.shot.taken, timezone.utc).isoformat(timespec="milliseconds"),
                "label": self.prediction.label,
                "index": self.prediction.index,
                "confidence": round(self.prediction.confidence, 6),
                "latency_ms": round(self.latency_ms, 3),
                "dropped": self.shot.dropped,
            }
        )

    def to_text(self) -> str:
        """Return the answer as a line to read, without the line's end."""
        # A label comes out of somebody's file: no escape sequences for the terminal.
        label = "".join(letter if letter.isprintable() else "?" for letter in self.prediction.label)
        where = f"  {self.shot.path}" if self.shot.path else f"  dropped {self.shot.dropped}"
        return f"{self.shot.number:>6}  {label}  {self.prediction.confidence:.1%}  {self.latency_ms:.1f} ms{where}"


@dataclass
class Tally:
    """What the loop did.

    Attributes:
        answered: Frames that got an answer.
        dropped: Frames left out for newer ones, up to the last answer.
        skipped: Photos that could not be read.
        latencies_ms: The latest thousand, so that a loop of months needs no more memory than one of minutes.
        started: When the first frame came, by time.perf_counter.
    """

    answered: int = 0
    dropped: int = 0
    skipped: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    started: float = 0.0

    def add(self, answer: Answer, started: float) -> None:
        """Count an answer that was begun at `started`, by time.perf_counter."""
        self.started = self.started or started
        self.answered += 1
        self.dropped = answer.shot.dropped
        self.latencies_ms.append(answer.latency_ms)

    def __str__(self) -> str:
        counts = f"{self.answered:,} frames answered, {self.dropped:,} dropped"
        if self.skipped:
            counts += f", {self.skipped:,} broken photos skipped"
        if self.latencies_ms:
            fps = self.answered / (time.perf_counter() - self.started)
            counts += f", {fps:.1f} fps, median latency {statistics.median(self.latencies_ms):.2f} ms"
        return counts


@contextlib.contextmanager
def open_sink(jsonl: Path | None) -> Iterator[Callable[[Answer], None]]:
    """Give what writes an answer to where the user wants it, each line at once.

    Args:
        jsonl: File to append JSON lines to, "-" for JSON on stdout, None for lines to read on stdout.

    Raises:
        UserError: If the file can't be written.
    """
    if jsonl is None:
        yield lambda answer: print(answer.to_text(), flush=True)
    elif str(jsonl) == "-":
        yield lambda answer: print(answer.to_json(), flush=True)
    else:
        is_new = not jsonl.exists()
        with _explained_writing(jsonl):
            # Unbuffered: a line reaches the file whole and at once, and nothing is left to fail in close().
            file = jsonl.open("ab", buffering=0)
        with file:

            def write(answer: Answer) -> None:
                with _explained_writing(jsonl):
                    file.write(answer.to_json().encode() + b"\n")

            try:
                yield write
            except UserError:
                if is_new and file.tell() == 0:  # a start that failed leaves nothing behind
                    jsonl.unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def _explained_writing(path: Path) -> Iterator[None]:
    """Turn an OSError into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"Expected to write answers to {path}: {error.strerror}; name another --jsonl") from error
