"""Ends a loop by Ctrl-C, SIGTERM or a terminal that closes where it is ready to end, not in the middle of an answer."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


class StopRequest:
    """Whether SIGINT, SIGTERM or SIGHUP came."""

    def __init__(self) -> None:
        self._came = False

    def came(self) -> bool:
        """Tell whether the loop is to end."""
        return self._came

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over; a second one ends the process as if nobody had."""
        former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as it is under nohup
            former[signal.SIGHUP] = signal.getsignal(signal.SIGHUP)

        def receive(number: int, _frame: object) -> None:
            self._came = True  # nothing else: a lock taken in a handler could be held by what it interrupted
            signal.signal(number, former[signal.Signals(number)])

        for number in former:
            signal.signal(number, receive)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
