import os
import signal

import pytest

from edge.stop_request import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
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
