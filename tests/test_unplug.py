import random

from tests import unplug


def test_an_unplugged_camera_is_found_and_answered_and_nothing_is_left_behind(monkeypatch):
    monkeypatch.setattr(unplug, "_DRIVER_S", 0.6)
    times, before, after = unplug.drill(10, random.Random(1), away_s=(0, 0.2), stall_s=0.3)
    assert {way: (len(each.found), len(each.answered)) for way, each in times.items()} == dict.fromkeys(
        unplug.WAYS, (2, 2)
    )
    assert after == before
