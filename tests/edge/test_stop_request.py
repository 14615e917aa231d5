import os
import signal

import pytest

from edge.stop_request import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_a_signal_is_noted_and_the_second_one_works_as_before(number):
    before = signal.signal(number, lambda number, frame: heard.append(number))
    heard, stop = [], StopRequest()
    try:
        with stop.listening():
            assert not stop.came()
            os.kill(os.getpid(), number)
            assert stop.came()
            assert heard == []
            os.kill(os.getpid(), number)
            assert heard == [number]
        os.kill(os.getpid(), number)
        assert heard == [number] * 2
    finally:
        signal.signal(number, before)


def test_under_nohup_a_closed_terminal_ends_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = StopRequest()
    try:
        with stop.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.came()
    finally:
        signal.signal(signal.SIGHUP, before)
