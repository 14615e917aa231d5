"""Cameras that do as they are told, in the place of OpenCV's and of the kernel's lists: for drills and tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt

NAME = "Scripted Camera: UVC"


class Bench:
    """A folder that looks like /dev and /sys, and what is plugged into it.

    The camera has a name by its driver and, unless told otherwise, one by udev.
    """

    def __init__(self, folder: Path, *, has_link: bool = True, interval_s: float = 0.02) -> None:
        self.dev, self.links, self.names = folder / "dev", folder / "dev/v4l/by-id", folder / "sys"
        for path in (self.dev, self.links, self.names):
            path.mkdir(parents=True)
        self.interval_s = interval_s
        self._has_link = has_link
        self._plugged: dict[Path, threading.Event] = {}  # set: whoever waits for a frame is told that it is gone
        self._hangs: set[Path] = set()
        self.changed = threading.Condition()
        self.opened = self.released = 0

    def plug_in(self, number: int, name: str = NAME, link: str = "usb-scripted-camera-index0") -> Path:
        """Make a camera appear as /dev/video<number>."""
        device = self.dev / f"video{number}"
        with self.changed:
            self._plugged[device] = threading.Event()
            self._hangs.discard(device)
        folder = self.names / device.name
        folder.mkdir(exist_ok=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text("0\n")
        device.touch()
        if self._has_link:
            (self.links / link).unlink(missing_ok=True)
            (self.links / link).symlink_to(device)
        return device

    def unplug(self, device: Path, *, hangs: bool = False) -> None:
        """Make a camera disappear; where it hangs, who reads it is told nothing until `let_go`."""
        with self.changed:
            if hangs:
                self._hangs.add(device)
            gone = self._plugged[device]
        for link in self.links.iterdir():
            if link.resolve() == device:
                link.unlink()
        for path in (self.names / device.name).iterdir():
            path.unlink()
        device.unlink()
        if not hangs:
            gone.set()

    def stall(self, device: Path) -> None:
        """Make a camera hang that stays where it is, until `let_go`."""
        with self.changed:
            self._hangs.add(device)

    def let_go(self, device: Path) -> None:
        """End the reads that hang, as a driver does after its own time."""
        with self.changed:
            self._hangs.discard(device)
            self._plugged[device].set()

    def open(self, device: str) -> Capture:
        """Open a device as OpenCV does: without an error, whatever it is."""
        return Capture(self, Path(device))

    @contextmanager
    def installed(self) -> Iterator[Bench]:
        """Put all this in the place of the real things."""
        with ExitStack() as stack:
            for target, value in [
                ("edge.devices._DEV", self.dev),
                ("edge.devices._LINKS", self.links),
                ("edge.devices._NAMES", self.names),
                ("edge.sources.cv2.VideoCapture", lambda device, *_: self.open(device)),
            ]:
                stack.enter_context(mock.patch(target, value))
            yield self


class Capture:
    """An open device. Holds a real descriptor, so that one that is forgotten shows."""

    def __init__(self, bench: Bench, device: Path) -> None:
        self._bench, self._device = bench, device
        with bench.changed:
            self._gone = bench._plugged.get(device)
            bench.opened += 1
        self._number = 0
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(device, os.O_RDONLY)
        except OSError:
            self._gone = None

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        """Wait for the next frame, or for ever."""
        if self._gone is None:
            return False, None
        if self._gone.wait(self._bench.interval_s):
            return False, None
        if self._device in self._bench._hangs:
            self._gone.wait()
            return False, None
        self._number += 1
        return True, np.full((12, 16, 3), self._number % 251, np.uint8)

    def get(self, prop: int) -> float:
        """Return no property but the frame's rate."""
        return 1 / self._bench.interval_s if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Let go of the device."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        with self._bench.changed:
            self._bench.released += 1
            self._bench.changed.notify_all()
