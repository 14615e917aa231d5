"""The accuracy budget: climbs from the cheapest way to quantize to the costliest, and stops at the first that holds.

Knows nothing of models: a rung is a name and a function that makes a file, the judge says what the file does on the
validation split. The test split never comes near it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from edge.errors import UserError

_EXACT = 1e-9  # points: less is the arithmetic's doing, not the model's


@dataclass(frozen=True)
class Rung:
    """One way to quantize.

    Attributes:
        name: In words, such as "3 layers in float".
        make: Makes the file's content; called only when the climb gets here. A `UserError` says that this way is none
            for this model; the climb goes on.
    """

    name: str
    make: Callable[[], bytes]


@dataclass(frozen=True)
class Judged:
    """What a file does on the validation split.

    Attributes:
        n: Photos.
        accuracy: Share of right answers, 0-1.
        drop_points: Accuracy lost against the float model, in points of 100; negative when it gained.
        agreement: Share of photos with the float model's answer, 0-1.
        latency_ratio: Latency over that of float32.
    """

    n: int
    accuracy: float
    drop_points: float
    agreement: float
    latency_ratio: float


@dataclass(frozen=True)
class Attempt:
    """A rung that was tried.

    Attributes:
        name: The rung's.
        size_bytes: Of its file; 0 where there is none.
        judged: What the file does; None where there is none.
        holds: Whether the drop is within the budget.
        reason: Why there is no file; empty where there is one.
    """

    name: str
    size_bytes: int
    judged: Judged | None
    holds: bool
    reason: str = ""


@dataclass(frozen=True)
class Climb:
    """How a climb went.

    Attributes:
        max_drop: The budget, in points of 100.
        attempts: All rungs that were tried, in order.
        attempt: The one whose file is kept: it holds, or else is the best that there was.
        content: That file.
    """

    max_drop: float
    attempts: tuple[Attempt, ...]
    attempt: Attempt
    content: bytes

    @property
    def kept(self) -> str:
        """The name of the rung whose file is kept."""
        return self.attempt.name

    @property
    def holds(self) -> bool:
        """Whether that file keeps the budget."""
        return self.attempt.holds

    def describe(self) -> dict[str, Any]:
        """Return the climb as conversion.json tells it."""
        return {
            "max_drop": self.max_drop,
            "judged_on": "validation",
            "holds": self.holds,
            "kept": self.kept,
            "rungs": [
                {"name": each.name, "holds": each.holds}
                | (
                    {"reason": each.reason}
                    if each.judged is None
                    else {"size_bytes": each.size_bytes, **asdict(each.judged)}
                )
                for each in self.attempts
            ],
        }


def climb(
    rungs: Iterable[Rung],
    judge: Callable[[bytes], Judged],
    max_drop: float,
    tell: Callable[[str], object],
    require_speedup: float | None = None,
) -> Climb:
    """Try rungs in their order, the cheapest first, until one keeps the budget.

    Args:
        rungs: Taken one by one, so that a generator may put its next rungs together from what was learnt so far.
        judge: What a file does on the validation split.
        max_drop: Points of 100 that may be lost there; at 0 none.
        tell: Called with a line as each rung has been tried.
        require_speedup: How many times as fast as float32 it has to be, too.

    Returns:
        The first that holds or, where none does, the best: the least drop, then the most agreement, then the earliest.

    Raises:
        UserError: If no rung gave a file at all.
    """
    attempts: list[Attempt] = []
    best: tuple[Attempt, bytes] | None = None
    for rung in rungs:
        try:
            content = rung.make()
        except UserError as error:
            attempts.append(Attempt(rung.name, 0, None, False, str(error)))
            tell(describe_attempt(attempts[-1]))
            continue
        judged = judge(content)
        is_quick = require_speedup is None or judged.latency_ratio * require_speedup <= 1
        attempt = Attempt(rung.name, len(content), judged, judged.drop_points <= max_drop + _EXACT and is_quick)
        attempts.append(attempt)
        tell(describe_attempt(attempt))
        if best is None or attempt.holds or rank(attempt) < rank(best[0]):
            best = attempt, content
        if attempt.holds:
            break
    if best is None:
        reasons = "; ".join(f"{each.name}: {each.reason}" for each in attempts) or "there is none"
        raise UserError(f"Expected a way to quantize within {max_drop:g} points, none works ({reasons})")
    return Climb(max_drop, tuple(attempts), *best)


def rank(attempt: Attempt) -> tuple[float, float]:
    """Return what is smaller the better a file is: the drop, then the disagreement; infinite without a file."""
    if attempt.judged is None:
        return math.inf, math.inf
    return attempt.judged.drop_points, -attempt.judged.agreement


def describe_attempt(attempt: Attempt) -> str:
    """Return a rung that was tried as one line for a person."""
    if attempt.judged is None:
        return f"{attempt.name}: not possible here. {attempt.reason}"
    judged = attempt.judged
    return (
        f"{attempt.name}: {'holds' if attempt.holds else 'not enough'}. Validation {judged.accuracy:.2%}, "
        f"{describe_drop(judged.drop_points)}, agrees {judged.agreement:.2%}, {attempt.size_bytes / 1e6:.2f} MB, "
        f"x {judged.latency_ratio:.2f} of float32's latency"
    )


def describe_drop(points: float) -> str:
    """Return a drop in words; what rounds to nothing is nothing lost."""
    word = "gained" if points < -0.005 else "lost"
    return f"{abs(points):.2f} points {word}"
