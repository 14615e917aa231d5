"""Frames of a camera, a stream, a video or a folder, one after another: `with open_shots(source) as shots`.

A camera goes on while the model thinks, so a thread reads it and keeps only the newest frame: answers are never about
the past, and what they had to leave out is counted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError
from edge.preprocess import Frame, read_frame
from edge.sources import Opened, Source, list_photos, open_source

Report = Callable[[str], None]  # takes one line about the source's state
_POLL_S = 0.1  # how soon a loop without frames sees that it is to stop
_BACK_OFF_S = 0.25, 2.0  # first and longest pause before a source is opened again


@dataclass(frozen=True)
class Shot:
    """A frame and its place in the source.

    Attributes:
        frame: The pixels.
        number: Position among all frames that the source gave, from 0.
        taken: When the frame was read, in seconds since the epoch.
        dropped: Frames before this one that were left out for newer ones.
        path: The photo's file; None for videos and cameras.
    """

    frame: Frame
    number: int
    taken: float
    dropped: int = 0
    path: Path | None = None


@contextlib.contextmanager
def open_shots(
    source: Source,
    *,
    every_frame: bool = False,
    wait: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    report: Report = lambda line: None,
    skip: Callable[[UserError], None] = lambda error: None,
) -> Iterator[Iterator[Shot]]:
    """Open a source and give its shots: all photos of a folder, else the newest frame each time one is asked for.

    Args:
        source: What to open.
        every_frame: Give every frame of a video, as fast as it is asked for, instead of playing it at its own pace.
        wait: Wait for a camera or stream that isn't there yet, instead of raising.
        stopped: Asked while there is no frame; where it says True the shots end.
        report: Is told when a source is waited for, lost, or back.
        skip: Is told about each photo that can't be read.

    Raises:
        UserError: If the source doesn't open, or has no end and `every_frame` is asked for.
    """
    if source.kind == "photos":
        yield _read_photos(list_photos(source), skip)
    elif every_frame:
        yield from _with_every_frame(source)
    else:
        newest = NewestFrame(source, wait=wait and source.kind != "video", report=report)
        try:
            newest.await_opened(stopped)
            yield newest.shots(stopped)
        finally:
            newest.close()


class NewestFrame:
    """The newest frame of a source, read by a thread.

    A recording ends. A camera or stream that is lost is opened again, for ever, with pauses that grow.
    """

    def __init__(
        self,
        source: Source,
        *,
        wait: bool = False,
        report: Report = lambda line: None,
        open_capture: Callable[[Source], Opened] = open_source,
    ) -> None:
        """Begin to open the source; see `open_shots`."""
        self._source, self._wait, self._report, self._open = source, wait, report, open_capture
        self._changed = threading.Condition()
        self._newest: Shot | None = None
        self._delivered = self._dropped = 0
        self._error: Exception | None = None
        self._ended = False
        self._opened, self._begun, self._closing = threading.Event(), threading.Event(), threading.Event()
        # A daemon, since a read that hangs in a driver must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def await_opened(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until the source is open.

        Raises:
            UserError: If it doesn't open and isn't to be waited for.
        """
        while not (self._opened.wait(_POLL_S) or self._ended or stopped()):
            pass
        if self._error is not None:
            raise self._error

    def shots(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[Shot]:
        """Give the newest frame, each at most once, until a recording ends or `stopped` says so."""
        self._begun.set()
        while not stopped():
            with self._changed:
                if self._newest is None and not self._ended:
                    self._changed.wait(_POLL_S)
                shot, self._newest = self._newest, None
                ended = self._ended
            if shot is not None:
                yield shot
            elif self._error is not None:
                raise self._error
            elif ended:
                return

    def close(self) -> None:
        """Let go of the source; a thread that hangs in a driver is left behind."""
        self._closing.set()
        self._begun.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        """Read until closed; the thread's body."""
        try:
            opened = self._open_patiently(self._wait)
            self._opened.set()
            self._begun.wait()
            while opened is not None and self._read_all(opened) and not self._closing.is_set():
                self._report(f"lost {self._source.name}; opening it again until it is back")
                opened = self._open_patiently(wait=True, announced=True)
                if opened is not None:
                    self._report(f"{self._source.name} is back")
        except Exception as error:  # for the thread that asks for frames
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _open_patiently(self, wait: bool, announced: bool = False) -> Opened | None:
        """Open the source, again and again where it is to be waited for; None where closed meanwhile."""
        pause, longest = _BACK_OFF_S
        while not self._closing.is_set():
            try:
                return self._open(self._source)
            except UserError as error:
                if not wait:
                    hint = "" if self._source.kind == "video" else " (--wait tries until it opens)"
                    raise UserError(f"{error}{hint}") from error
                if not announced:
                    self._report(f"waiting for {self._source.name}: {error}")
                announced = True
            self._closing.wait(pause)
            pause = min(2 * pause, longest)
        return None

    def _read_all(self, opened: Opened) -> bool:
        """Publish frames until there are no more; True where there should have been."""
        start, count, frame = time.monotonic(), 0, opened.first
        try:
            while not self._closing.is_set():
                self._publish(frame)
                count += 1
                if opened.fps is not None:
                    self._closing.wait(max(0.0, start + count / opened.fps - time.monotonic()))
                delivered, next_frame = opened.capture.read()
                if not delivered or next_frame is None:
                    return opened.fps is None
                frame = next_frame
        finally:
            opened.capture.release()
        return False

    def _publish(self, frame: Frame) -> None:
        """Replace the newest frame, and count the one that nobody asked for."""
        with self._changed:
            self._dropped += self._newest is not None
            self._newest = Shot(frame, self._delivered, time.time(), self._dropped)
            self._delivered += 1
            self._changed.notify()


def _with_every_frame(source: Source) -> Iterator[Iterator[Shot]]:
    """Give every frame of a recording; see `open_shots`."""
    opened = open_source(source) if source.kind in ("video", "address") else None
    if opened is None or opened.fps is None:
        if opened is not None:
            opened.capture.release()
        raise UserError(
            f"Expected a video file or photos for --every-frame, but {source.name} has no end; leave the flag out"
        )
    try:
        yield _read_every_frame(opened)
    finally:
        opened.capture.release()


def _read_every_frame(opened: Opened) -> Iterator[Shot]:
    """Give the frames of a recording, none left out."""
    number, frame = 0, opened.first
    while True:
        yield Shot(frame, number, time.time())
        delivered, next_frame = opened.capture.read()
        if not delivered or next_frame is None:
            return
        number, frame = number + 1, next_frame


def _read_photos(paths: list[Path], skip: Callable[[UserError], None]) -> Iterator[Shot]:
    """Give photo after photo; the number of a broken one is left out."""
    for number, path in enumerate(paths):
        try:
            frame = read_frame(path)
        except UserError as error:
            skip(error)
            continue
        yield Shot(frame, number, time.time(), path=path)
