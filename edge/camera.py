"""Frames of a camera, a stream, a video or a folder, one after another: `with open_shots(source) as shots`.

A camera goes on while the model thinks, so a thread reads it and keeps only the newest frame: answers are never about
the past, and what they had to leave out is counted.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError
from edge.preprocess import Frame, read_frame
from edge.reader import Open, Reader, Report
from edge.sources import STALL_S, Source, list_photos, open_source

_POLL_S = 0.1  # how soon a loop without frames sees that it is to stop
_MOST_HANGING = 2  # readers that hang in a driver and are left behind; each may hold a device, memory, a thread


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
    stall_s: float = STALL_S,
    stopped: Callable[[], bool] = lambda: False,
    alive: Callable[[], None] = lambda: None,
    report: Report = lambda line: None,
    skip: Callable[[UserError], None] = lambda error: None,
) -> Iterator[Iterator[Shot]]:
    """Open a source and give its shots: all photos of a folder, else the newest frame each time one is asked for.

    Args:
        source: What to open.
        every_frame: Give every frame of a video, as fast as it is asked for, instead of playing it at its own pace.
        wait: Wait for a camera or stream that isn't there yet, instead of raising.
        stall_s: Seconds without a frame after which a camera or stream hangs and is opened again.
        stopped: Asked while there is no frame; where it says True the shots end.
        alive: Called again and again while there is no frame but one is worked for.
        report: Is told when a source is waited for, lost, or back.
        skip: Is told about each photo that can't be read.

    Raises:
        UserError: If the source doesn't open, or has no end and `every_frame` is asked for.
    """
    if source.kind == "photos":
        yield _read_photos(list_photos(source), skip, stopped, alive)
        return
    endless = UserError(
        f"Expected a video file or photos for --every-frame, but {source.name} has no end; leave the flag out"
    )
    if every_frame and source.kind not in ("video", "address"):
        raise endless
    newest = NewestFrame(
        source,
        every_frame=every_frame,
        wait=wait and source.kind != "video",
        stall_s=stall_s,
        alive=alive,
        report=report,
    )
    try:
        newest.await_opened(stopped)
        if every_frame and not newest.has_end and not stopped():
            raise endless
        yield newest.shots(stopped)
    finally:
        newest.close()


class NewestFrame:
    """The newest frame of a source, read by a thread.

    A recording ends. A camera or stream that is lost is opened again, for ever, with pauses that grow. Where a read
    hangs, its thread is left behind and another one opens the source anew; at most `_MOST_HANGING` are left behind at
    a time, and while there are so many, nobody is told that all is well (`alive`): then only a new process helps, and
    systemd's watchdog starts one.
    """

    def __init__(
        self,
        source: Source,
        *,
        every_frame: bool = False,
        wait: bool = False,
        stall_s: float = STALL_S,
        alive: Callable[[], None] = lambda: None,
        report: Report = lambda line: None,
        open_capture: Open | None = None,
    ) -> None:
        """Begin to open the source; see `open_shots`."""
        self._source, self._every_frame, self._wait = source, every_frame, wait
        self._alive, self._report, self._stall_s = alive, report, stall_s
        self._open = open_capture or functools.partial(open_source, stall_s=stall_s)
        self._changed = threading.Condition()
        self._newest: Shot | None = None
        self._delivered = self._dropped = 0
        self._begun = threading.Event()
        self._hanging: list[Reader] = []
        self._hangs = 0
        self._is_stuck = False
        self._reader = self._start()

    @property
    def has_end(self) -> bool:
        """Whether the source is a recording."""
        return self._reader.fps is not None

    def await_opened(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until the source is open.

        Raises:
            UserError: If it doesn't open and isn't to be waited for.
        """
        while not (self._reader.opened or stopped()):
            with self._changed:
                if not (self._reader.opened or self._reader.ended):
                    self._changed.wait(_POLL_S)
            if self._reader.error is not None:
                raise self._reader.error
            if self._reader.hangs() and not self._wait:
                raise UserError(f"Expected a frame of {self._source.name}, it does not answer; is it busy or broken?")
            self._look_after()

    def shots(self, stopped: Callable[[], bool] = lambda: False) -> Iterator[Shot]:
        """Give the newest frame, each at most once, until a recording ends or `stopped` says so."""
        self._begun.set()
        while not stopped():
            ended = self._reader.ended  # before the last look, so that no frame slips through between
            with self._changed:
                if self._newest is None and not ended:
                    self._changed.wait(_POLL_S)
                shot, self._newest = self._newest, None
                self._changed.notify_all()
            if shot is not None:
                yield shot
            elif self._reader.error is not None:
                raise self._reader.error
            elif ended:
                return
            else:
                self._look_after()

    def close(self) -> None:
        """Let go of the source; a thread that hangs in a driver is left behind."""
        self._reader.abandon()
        self._begun.set()
        self._notify()
        self._reader.join(timeout=1)

    def _start(self, last: Reader | None = None) -> Reader:
        """Start a reader, in place of `last` where there was one."""
        return Reader(
            self._source,
            self._open,
            self._publish,
            self._notify,
            self._begun,
            self._report,
            wait=self._wait,
            keeps_pace=not self._every_frame,
            stall_s=self._stall_s,
            last=last,
        )

    def _look_after(self) -> None:
        """See to it that somebody reads, while there is no frame."""
        self._hanging = [reader for reader in self._hanging if reader.is_alive()]
        if not self._reader.hangs():
            self._is_stuck = False
        elif len(self._hanging) < _MOST_HANGING:
            self._hangs += 1
            # Told once, where it is no longer an accident.
            hint = f" (--stall-timeout gives it more than {self._stall_s:g} s for a frame)" if self._hangs == 2 else ""
            self._report(f"lost {self._source.name}, it hangs{hint}; opening it again until it is back")
            self._reader.abandon()
            self._hanging.append(self._reader)
            self._reader = self._start(self._reader)
        elif not self._is_stuck:
            self._is_stuck = True
            self._report(
                f"{self._source.name} hangs again while {len(self._hanging)} earlier reads hang; waiting for one to "
                "return, or for a new start"
            )
        if not self._is_stuck:
            self._alive()

    def _notify(self) -> None:
        """Wake whoever waits for a change."""
        with self._changed:
            self._changed.notify_all()

    def _publish(self, reader: Reader, frame: Frame) -> None:
        """Replace the newest frame, and count the one that nobody asked for; or wait until it is asked for."""
        with self._changed:
            if self._every_frame:
                self._changed.wait_for(lambda: self._newest is None or not reader.is_wanted())
            if not reader.is_wanted():
                return
            self._dropped += self._newest is not None
            self._newest = Shot(frame, self._delivered, time.time(), self._dropped)
            self._delivered += 1
            self._changed.notify_all()


def _read_photos(
    paths: list[Path], skip: Callable[[UserError], None], stopped: Callable[[], bool], alive: Callable[[], None]
) -> Iterator[Shot]:
    """Give photo after photo; the number of a broken one is left out. A folder may hold thousands of those."""
    for number, path in enumerate(paths):
        try:
            frame = read_frame(path)
        except UserError as error:
            skip(error)
            if stopped():
                return
            alive()
            continue
        yield Shot(frame, number, time.time(), path=path)
