import itertools
import os
import sys

import numpy as np
import pytest

from benchmarks.peers.catalogue import PROGRAMS
from benchmarks.peers.race import Racer, race, write_frames


def racer(tmp_path, name, body, head=""):
    """Return one whose program answers a frame with `body`."""
    program = tmp_path / f"{name}.py"
    program.write_text(
        f"import os, sys, time\nsys.path.insert(0, {str(PROGRAMS)!r})\nfrom lap import serve\n{head}\n"
        f"def answer(frame):\n    {body}\nserve('7', answer)\n"
    )
    frames = write_frames([np.full((2, 2, 3), value, np.uint8) for value in (5, 9)], tmp_path)
    return Racer(name, [sys.executable, str(program), "model", str(frames), "1"])


def test_all_get_the_same_frames_and_their_laps_in_turn(tmp_path):
    log = tmp_path / "log"
    racers = [
        racer(tmp_path, name, f"open({str(log)!r}, 'a').write({name!r}); return frame[0, 0, 0]") for name in ("a", "b")
    ]
    race(racers, 1, min_runs=25, min_s=0)
    for each in racers:
        assert each.fallen is None
        assert each.version == "7"
        assert each.answers == [5, 9]
        assert [len(lap) for lap in each.laps] == [10, 10, 10]
        assert all(time > 0 for lap in each.laps for time in lap)
    turns = [name for name, _ in itertools.groupby(log.read_text())]
    assert turns == ["a", "b"] * 4  # the answers, then three laps


def test_who_falls_is_told_and_the_others_go_on(tmp_path):
    racers = [
        racer(tmp_path, "good", "return 1"),
        racer(tmp_path, "absent", "return 1", "raise SystemExit('the library is not there')"),
        racer(tmp_path, "late", "answer.count = getattr(answer, 'count', 0) + 1; return 1 // (answer.count < 9)"),
        racer(tmp_path, "odd", "return 1", "print('[3, 4]')"),
        Racer("none", ["/nowhere/python"]),
    ]
    race(racers, 1, min_runs=10, min_s=0)
    assert [bool(each.fallen) for each in racers] == [False, True, True, True, True]
    assert racers[1].fallen == "the library is not there"
    assert "ZeroDivisionError" in racers[2].fallen
    assert "[3, 4]" in racers[3].fallen
    assert len(racers[0].laps) == 1


def test_what_libraries_say_on_stdout_is_no_answer(tmp_path):
    each = racer(tmp_path, "loud", "print('a warning'); return 1")
    race([each], 1, min_runs=10, min_s=0)
    assert each.fallen is None
    assert len(each.laps[0]) == 10


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system can't bind to cores")
def test_as_many_cores_as_threads(tmp_path):
    usable = os.sched_getaffinity(0)
    each = racer(tmp_path, "counts", "return len(os.sched_getaffinity(0))")
    race([each], 1, min_runs=1, min_s=0)
    assert each.answers == [1, 1]
    assert os.sched_getaffinity(0) == usable
