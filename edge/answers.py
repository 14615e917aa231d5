"""An answer: what it says as JSON and as a line to read, and how answers are counted."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.camera import Shot
    from edge.classifier import Prediction


@dataclass(frozen=True)
class Answer:
    """What the model said about a frame.

    Attributes:
        shot: The frame.
        prediction: The likeliest class, its confidence calibrated.
        latency_ms: From frame to label.
        decision: What is to be acted upon, after threshold and vote; None is unknown.
        top: The likeliest classes where more than one was asked for.
        is_sure: Whether this very frame's confidence reached the threshold, or a half where there is none.
    """

    shot: Shot
    prediction: Prediction
    latency_ms: float
    decision: str | None = None
    top: tuple[Prediction, ...] = ()
    is_sure: bool = True

    def to_json(self) -> str:
        """Return the answer as a line of JSON, without the line's end."""
        more = {"top": [_to_dict(prediction) for prediction in self.top]} if self.top else {}
        return json.dumps(
            {
                "frame": self.shot.number,
                "time": datetime.fromtimestamp(self.shot.taken, timezone.utc).isoformat(timespec="milliseconds"),
                **_to_dict(self.prediction),
                "latency_ms": round(self.latency_ms, 3),
                "dropped": self.shot.dropped,
                "decision": self.decision,
                **more,
            }
        )

    def to_text(self) -> str:
        """Return the answer as a line to read, without the line's end."""
        where = f"  {printable(str(self.shot.path))}" if self.shot.path else f"  dropped {self.shot.dropped}"
        return f"{self.shot.number:>6}  {self.to_caption()}  {self.latency_ms:.1f} ms{where}"

    def to_caption(self) -> str:
        """Return what was decided and how sure it is, to read: `cat  93.1%`, `unknown (cat 31.0%)`."""
        each = [f"{printable(one.label)}  {one.confidence:.1%}" for one in self.top or (self.prediction,)]
        if self.decision == self.prediction.label:
            return ", ".join(each)
        decided = "unknown" if self.decision is None else printable(self.decision)
        return f"{decided} ({', '.join(each)})"


def printable(label: str) -> str:
    """Return a label without escape sequences for the terminal: it comes out of somebody's file."""
    return "".join(letter if letter.isprintable() else "?" for letter in label)


def _to_dict(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as JSON has it."""
    return {
        "label": prediction.label,
        "index": prediction.index,
        "confidence": round(prediction.confidence, 6),
    }


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
            import statistics  # at the end, not on the way to the first answer

            fps = self.answered / (time.perf_counter() - self.started)
            counts += f", {fps:.1f} fps, median latency {statistics.median(self.latencies_ms):.2f} ms"
        return counts
