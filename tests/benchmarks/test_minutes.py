import pytest

from benchmarks.minutes import Minutes


class Board:
    """A clock and a thermometer."""

    def __init__(self):
        self.now, self.celsius, self.closed = 100.0, 40.0, []
        self.minutes = Minutes(
            self.closed.append, clock=lambda: self.now, condition=lambda: {"temperature_c": self.celsius}
        )

    def answer(self, seconds, latency_ms, dropped=0):
        """Give an answer a second for so long."""
        for _ in range(seconds):
            self.now += 1
            self.minutes.roll()
            self.minutes.add(latency_ms, latency_ms / 2, dropped)


def test_each_minute_is_closed_when_it_is_over():
    board = Board()
    board.answer(59, 5.0)
    assert board.closed == []
    board.celsius = 60.0
    board.answer(61, 10.0, dropped=7)
    board.minutes.roll()
    first, second = board.closed
    assert (first["minute"], first["seconds"], first["answers"], first["fps"]) == (0, 60, 59, 0.98)
    assert (first["camera_to_label_ms"]["p50"], first["classify_ms"]["p50"]) == (5.0, 2.5)
    assert (first["dropped"], second["dropped"]) == (0, 7)
    assert (second["camera_to_label_ms"]["p50"], second["temperature_c"]) == (10.0, 60.0)


def test_all_minutes_together():
    board = Board()
    board.answer(60, 5.0)
    board.answer(60, 10.0, dropped=3)
    board.answer(30, 10.0, dropped=4)
    board.minutes.end()
    summary = board.minutes.summary()
    assert (summary["seconds"], summary["answers"], summary["dropped"], summary["fps"]) == (150, 150, 4, 1)
    assert summary["camera_to_label_ms"]["p50"] == 10
    assert summary["slowdown"] == 2.0  # of the last whole minute over the first
    assert [minute["seconds"] for minute in summary["minutes"]] == [60, 60, 30]


def test_minutes_without_a_frame_are_told_too():
    board = Board()
    board.answer(30, 5.0)
    board.now += 150  # the camera was away
    assert board.minutes.roll()
    assert not board.minutes.roll()
    assert [minute["answers"] for minute in board.closed] == [30, 0, 0]
    assert board.closed[1]["camera_to_label_ms"] is None
    board.minutes.end()
    assert len(board.minutes.closed) == 3  # nothing happened in the fourth


def test_an_end_before_the_first_answer():
    board = Board()
    board.minutes.end()
    summary = board.minutes.summary()
    assert (summary["answers"], summary["fps"], summary["camera_to_label_ms"], summary["slowdown"]) == (
        0,
        0,
        None,
        None,
    )
    assert len(summary["minutes"]) == 1


@pytest.mark.parametrize("seconds", [0, 61])
def test_one_minute_has_no_slowdown(seconds):
    board = Board()
    board.answer(seconds, 5.0)
    board.minutes.end()
    assert board.minutes.summary()["slowdown"] is None
