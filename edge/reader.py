"""The thread that opens a source and reads it, lets go of what it lost, and opens it again.

A read may hang in a driver, and a thread can't be stopped from outside. So whoever owns a reader may abandon it: it
then publishes nothing more, and lets go of the device and ends as soon as its read returns.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from edge.devices import Identity
from edge.errors import UserError
from edge.preprocess import Frame
from edge.sources import STALL_S, Capture, Opened, Source, patience

Open = Callable[[Source, "Identity | None"], Opened]
Report = Callable[[str], None]  # takes one line about the source's state
OPENING_S = 20.0  # an opening that takes longer hangs; FFmpeg gives up after 15
_MISSES = 5  # reads in a row that fail before a camera counts as lost: a USB camera may send a broken frame
_MISSES_RECORDED = 100  # before a recording counts as over: its end looks like a broken frame
_QUICK_S = 1.0  # a read that fails after this long was no broken frame
_BACK_OFF_S = 0.25, 2.0  # first and longest pause before a source is opened again
_SETTLED_S = 2.0  # a source that held for this long is opened again at once


class Reader:
    """Reads a source in a thread of its own.

    Attributes:
        camera: Which camera is or was open.
        opened: Whether it is open.
        fps: Pace of a recording; None before it is open, and for all else.
        ended: Whether it has published its last frame.
        error: What ended it, where that was no ordinary end.
    """

    def __init__(
        self,
        source: Source,
        open_capture: Open,
        publish: Callable[[Reader, Frame], None],
        changed: Callable[[], None],
        begun: threading.Event,
        report: Report,
        *,
        wait: bool,
        keeps_pace: bool = True,
        stall_s: float = STALL_S,
        last: Reader | None = None,
    ) -> None:
        """Start.

        Args:
            source: What to read.
            open_capture: Opens it.
            publish: Takes each frame.
            changed: Is called when the source is open or the thread ends.
            begun: The frames after the first are read once this is set.
            report: Is told when the source is waited for, lost, or back.
            wait: Wait for a source that isn't there, instead of ending with an error.
            keeps_pace: Play a recording at its own pace, instead of as fast as `publish` takes it.
            stall_s: Seconds without a frame after which a camera or stream hangs.
            last: The reader that hangs, where this one takes its place.
        """
        self.camera: Identity | None = last.camera if last else None
        self.opened = False
        self.fps: float | None = None
        self.ended = False
        self.error: Exception | None = None
        self._source, self._open, self._publish, self._changed = source, open_capture, publish, changed
        self._begun, self._report, self._wait = begun, report, wait or last is not None
        self._keeps_pace, self._stall_s = keeps_pace, stall_s
        self._announced = self._is_again = last is not None
        self._pause = _BACK_OFF_S[0] if last else 0.0
        self._fault: str | None = None  # told of last
        self._deadline = math.inf
        self._abandoned = threading.Event()
        # A daemon, since a read that hangs in a driver must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def hangs(self) -> bool:
        """Tell whether it has been opening or waiting for a frame for too long."""
        return time.monotonic() > self._deadline

    def abandon(self) -> None:
        """Let it end as soon as it can."""
        self._abandoned.set()

    def is_wanted(self) -> bool:
        """Tell whether it is not abandoned."""
        return not self._abandoned.is_set()

    def is_alive(self) -> bool:
        """Tell whether its thread, and so maybe its device, is still there."""
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for its end, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        """Read until abandoned; the thread's body."""
        try:
            opened = self._open_patiently()
            self._begun.wait()
            while opened is not None and self._read_all(opened) and self.is_wanted():
                self._report(f"lost {self._source.name}; opening it again until it is back")
                self._wait = self._announced = self._is_again = True
                opened = self._open_patiently()
        except Exception as error:  # for the thread that asks for frames
            self.error = error
        finally:
            self.ended = True
            self._changed()

    def _open_patiently(self) -> Opened | None:
        """Open the source, again and again where it is to be waited for; None where abandoned meanwhile."""
        while not self._abandoned.wait(self._pause):
            self._deadline = time.monotonic() + OPENING_S * patience(self._stall_s)
            try:
                opened = self._open_whole()
            except UserError as error:
                if not self._wait:
                    hint = "" if self._source.kind == "video" else " (--wait tries until it opens)"
                    raise UserError(f"{error}{hint}") from error
                if not self._announced:
                    self._report(f"waiting for {self._source.name}: {error}")
                self._announced = True
            else:
                if not self.is_wanted():  # it came too late
                    opened.capture.release()
                    return None
                self._accept(opened)
                return opened
            finally:
                self._deadline = math.inf
            self._back_off()
        return None

    def _open_whole(self) -> Opened:
        """Open the source and look at its first frame."""
        try:
            opened = self._open(self._source, self.camera)
        except (cv2.error, OSError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"Expected a frame of {self._source.name}, it does not open: {reason}") from error
        fault = find_fault(opened.first)
        if fault is not None:
            opened.capture.release()
            raise UserError(f"{self._source.name} {fault}; set the camera to another format or name another --source")
        return opened

    def _accept(self, opened: Opened) -> None:
        """Say that the source is open, and where that was in doubt, which it is."""
        if self._is_again:
            moved = self.camera and opened.camera and self.camera.device != opened.camera.device
            self._report(f"{self._source.name} is back{f' as {opened.camera}' if moved else ''}")
        elif self._source.kind == "auto" and opened.camera is not None:
            self._report(f"{self._source.name}: {opened.camera}")
        self.camera, self.fps, self.opened = opened.camera, opened.fps, True
        self._changed()

    def _back_off(self) -> None:
        """Make the pause before the next opening longer."""
        first, longest = _BACK_OFF_S
        self._pause = min(2 * self._pause, longest) or first

    def _read_all(self, opened: Opened) -> bool:
        """Publish frames until there are no more; True where there should have been."""
        start, count, frame = time.monotonic(), 0, opened.first
        try:
            while self.is_wanted():
                self._publish(self, frame)
                count += 1
                if opened.fps is not None and self._keeps_pace:
                    self._abandoned.wait(max(0.0, start + count / opened.fps - time.monotonic()))
                delivered = self._read_one(opened)
                if delivered is None:
                    return opened.fps is None
                frame = delivered
        finally:
            opened.capture.release()
            self._deadline = math.inf
            self.opened = False
            if time.monotonic() - start >= _SETTLED_S:
                self._pause = 0.0
            else:
                self._back_off()
        return False

    def _read_one(self, opened: Opened) -> Frame | None:
        """Read the next frame, over broken ones; None where the source has ended or is lost."""
        is_recorded = opened.fps is not None
        since = time.monotonic()
        self._deadline = math.inf if is_recorded else since + self._stall_s
        for misses in range(_MISSES_RECORDED if is_recorded else _MISSES):
            frame: Frame | None = _read(opened.capture)
            fault = None if frame is None else find_fault(frame)
            if frame is not None and fault is None:
                self._deadline = math.inf
                if misses and is_recorded:
                    self._tell_once("has broken frames")
                return frame
            if fault is not None:
                self._tell_once(fault)
            if time.monotonic() - since > _QUICK_S:
                return None
        return None

    def _tell_once(self, fault: str) -> None:
        """Report what is wrong with frames, unless it is what was reported last."""
        if fault != self._fault:
            self._report(f"{self._source.name} {fault}; such frames are left out")
            self._fault = fault


def find_fault(frame: Any) -> str | None:
    """Say what is wrong with what a camera gave; None where it is a frame that the model can be shown.

    Frames are (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8; grey cameras and those with a fourth channel exist.
    """
    if not isinstance(frame, np.ndarray):
        return f"gives no frames but {type(frame).__name__}"
    channels = frame.shape[2:] or (1,)
    if frame.dtype != np.uint8 or frame.size == 0 or frame.ndim not in (2, 3) or channels[0] not in (1, 3, 4):
        return f"gives frames of shape {frame.shape} and {frame.dtype}, expected 1, 3 or 4 channels of uint8"
    return None


def _read(capture: Capture) -> Any:
    """Read a frame; None where there is none or it is broken."""
    try:
        delivered, frame = capture.read()
    except (cv2.error, OSError):
        return None
    return frame if delivered else None
