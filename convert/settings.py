"""What a conversion is asked for, and who is told how it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console


@dataclass(frozen=True)
class Watch:
    """Who is told how a conversion goes.

    Attributes:
        step: Called with a description as each step begins.
        advance: Called after each answer.
        console: Where lines go that are worth keeping.
    """

    step: Callable[[str], object]
    advance: Callable[[], object]
    console: Console


@dataclass(frozen=True)
class Settings:
    """What a conversion was asked for.

    Attributes:
        schemes: Names of the schemes; the float32 files, which the others are judged by, are made in any case.
        batch: Images in a call of the files; None leaves it free.
        calibration_size: Photos that set the int8 ranges.
        seed: Fixes the choice of those photos.
        num_threads: Threads of the runtimes while they answer and are timed.
        golden: Whether a few photos of the training split travel in the files, for devices to replay.
        max_drop: Points of 100 that int8 files may lose on validation; None where nobody minds.
        require_speedup: How many times as fast as float32 they have to be; None where nobody minds.
    """

    schemes: tuple[str, ...]
    batch: int | None = 1
    calibration_size: int = 300  # with 20, 100, 300 an unpinned input's scale came out 3, 1 and 0 bits wrong
    seed: int = 0
    num_threads: int = 1
    golden: bool = True
    max_drop: float | None = None
    require_speedup: float | None = None
