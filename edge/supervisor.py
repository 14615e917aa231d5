"""Tells systemd how the loop is, by the protocol of sd_notify(3), with nothing but a socket.

Where the process was started by somebody else (no NOTIFY_SOCKET), nothing is told. A message that can't be sent is
lost: the watchdog is there for the day when nothing works, and telling must never be what stops the loop.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType

_PROGRESS_S = 10.0


class Supervisor:
    """Whoever started this process and wants to know how it is."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Find out who wants to know what: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        self._clock = clock
        address = environment.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            # "@" stands for the null byte of an address that is no file.
            self._address = "\0" + address[1:] if address.startswith("@") else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self.interval_s = _watchdog_s(environment) / 2
        self._next = self._next_progress = 0.0

    def ready(self) -> None:
        """Say that the start is over: the model is loaded, the camera open or waited for."""
        self._send("READY=1")
        self._next = 0.0
        self.alive()

    def alive(self) -> None:
        """Say that the loop goes on, at half the watchdog's interval however often it is called."""
        if self.interval_s and (now := self._clock()) >= self._next:
            self._send("WATCHDOG=1")
            self._next = now + self.interval_s

    def status(self, line: str) -> None:
        """Say in a line what `systemctl status` shows."""
        self._send(f"STATUS={' '.join(line.split())}")

    def progress(self, state: object) -> None:
        """Say how far the loop is, every ten seconds however often it is called."""
        if self._socket is not None and (now := self._clock()) >= self._next_progress:
            self.status(str(state))
            self._next_progress = now + _PROGRESS_S

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        """Send a message, or lose it."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(errors="replace"), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Return the watchdog's interval in seconds; 0 where there is none, or it watches another process."""
    text = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not text.isdecimal():
        return 0.0
    return int(text) / 1e6
