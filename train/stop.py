"""Ctrl-C and SIGTERM ask training to save and leave; it has five seconds for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

_SECONDS = 4.5  # of the five that service managers and clusters commonly give; the rest is for the process to end


class Stopped(Exception):
    """Training was asked to stop and did.

    Attributes:
        signum: The signal that asked.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum


@dataclass
class StopRequest:
    """Whether a signal has asked training to stop.

    Attributes:
        signum: The signal, or None.
    """

    signum: int | None = None


@contextlib.contextmanager
def stop_requests(seconds: float = _SECONDS) -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM while the block runs, instead of dying of them.

    The block looks at the request between two steps and leaves. A step of a large model may take longer than there is
    time for; Python code can't run meanwhile, so a thread ends the process then: what was saved before stays.

    Args:
        seconds: How long the block may take to leave.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # Python hands signals to the main thread alone
        yield request
        return

    def note(signum: int, frame: FrameType | None) -> None:
        request.signum = signum

    near, far = socket.socketpair()
    far.setblocking(False)
    left = threading.Event()
    threading.Thread(target=_end_late, args=(near, left, seconds), daemon=True).start()
    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
    try:
        yield request
    finally:
        left.set()
        signal.set_wakeup_fd(wakeup)
        for signum, handler in before.items():
            signal.signal(signum, handler)
        far.close()


def _end_late(signals: socket.socket, left: threading.Event, seconds: float) -> None:
    """Wait for a signal's number; end the process unless the block is left in time."""
    with signals:
        while number := signals.recv(1):
            if number[0] in (signal.SIGINT, signal.SIGTERM):
                if not left.wait(seconds):
                    late = "error: no time to save before leaving; the checkpoint before stays"
                    print(late, file=sys.stderr, flush=True)
                    os._exit(128 + number[0])
                return
