import dataclasses

from tests import soak_camera


def test_the_loop_needs_no_more_and_writes_nothing_as_it_goes_on():
    early, late = soak_camera.soak(20_000)
    assert late.frame == 20_000
    assert soak_camera.is_flat(early, late), (early, late)


def test_what_becomes_more_is_found():
    state = soak_camera.State(1, 100.0, 5, 9, 4096)
    assert soak_camera.is_flat(state, state)
    for more in ({"rss_mb": 104.0}, {"threads": 6}, {"descriptors": 10}, {"written_bytes": 8192}):
        assert not soak_camera.is_flat(state, dataclasses.replace(state, **more))
