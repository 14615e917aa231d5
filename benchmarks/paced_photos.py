"""A camera that isn't there: photos as JPEGs at a camera's pace, decoded in the capture thread as from a webcam."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from edge.devices import Identity
from edge.preprocess import Frame, decode
from edge.sources import Opened, Source

FPS = 30.0  # what a webcam gives unasked


class PacedPhotos:
    """Gives photo after photo, over and over, each when its time has come; one that is asked for late comes at once."""

    def __init__(self, jpegs: Sequence[bytes]) -> None:
        """Take the photos, as JPEG files."""
        self.source = Source("camera", "", f"test photos at {FPS:g} a second")
        self._jpegs = itertools.cycle(jpegs)
        self._due = time.monotonic()

    def open(self, source: Source, last: Identity | None) -> Opened:
        """Open it, as `edge.camera.NewestFrame` wants it."""
        return Opened(self, self.read()[1], None)

    def read(self) -> tuple[bool, Frame]:
        """Return the next frame, when it is due."""
        now = time.monotonic()
        time.sleep(max(0.0, self._due - now))
        self._due = max(self._due, now) + 1 / FPS
        return True, decode(next(self._jpegs))

    def release(self) -> None:
        """Let go of nothing."""
