import itertools

import pytest

from edge import timing


class Clock:
    """A clock that only the actions move on."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def action(clock, name, seconds, log):
    """Return an action that takes the next of `seconds`."""
    durations = itertools.cycle(seconds)

    def act():
        log.append(name)
        clock.now += next(durations)

    return act


def test_actions_take_turns(clock):
    log = []
    times = timing.time_alternating(
        [action(clock, "a", [0.125], log), action(clock, "b", [0.25, 0.5], log)], warmup_s=0, min_runs=4, min_s=0
    )
    assert log == ["a", "b"] * 4
    assert [list(each) for each in times] == [[125.0] * 4, [250.0, 500.0, 250.0, 500.0]]


def test_the_warm_up_is_not_timed(clock):
    log = []
    actions = [action(clock, "a", [1.0, 1.0, 0.5], log), action(clock, "b", [1.0], log)]
    times = timing.time_alternating(actions, warmup_s=2, min_runs=1, min_s=0)
    assert log == ["a", "a", "b", "b", "a", "b"]
    assert [list(each) for each in times] == [[500.0], [1000.0]]


def test_quick_actions_run_until_their_seconds_are_full(clock):
    (times,) = timing.time_alternating([action(clock, "a", [0.0625], [])], warmup_s=0, min_runs=2, min_s=1)
    assert len(times) == 16


def test_a_slow_action_sits_out_while_a_quick_one_fills_its_second(clock):
    log = []
    actions = [action(clock, "slow", [1.0], log), action(clock, "quick", [0.0625], log)]
    slow, quick = timing.time_alternating(actions, warmup_s=0, min_runs=2, min_s=4)
    assert len(quick) == 64
    assert 4 <= len(slow) < 64
