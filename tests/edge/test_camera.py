"""Drives the capture thread frame by frame: only the camera's cable is made up."""

import itertools
import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import reader
from edge.camera import NewestFrame, open_shots
from edge.devices import Identity
from edge.errors import UserError
from edge.sources import Opened, Source, parse_source
from tests.edge.conftest import VIDEO_FRAMES, frame_of, number_of

CAMERA = Source("camera", "/dev/video0", "/dev/video0")
RECORDING = Source("video", "/clip", "clip")


def pixel(number):
    return np.full((1, 1, 3), number, np.uint8)


class Cable:
    """A camera that gives a frame when the test says so; a frame has one pixel that holds its number."""

    def __init__(self):
        self._changed = threading.Condition()
        self._waiting = False
        self._left = 0
        self._unplugged = False
        self._numbers = itertools.count(1)
        self.released = False

    def opened(self, fps=None):
        return Opened(self, pixel(0), fps)

    def read(self):
        with self._changed:
            self._waiting = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._left or self._unplugged, timeout=10)
            self._waiting = False
            if not self._left:
                return False, None
            self._left -= 1
            return True, pixel(next(self._numbers))

    def release(self):
        self.released = True

    def settle(self):
        """Wait until every frame given so far was read and published."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting and not self._left, timeout=10)

    def give(self, frames):
        with self._changed:
            self._left += frames
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._waiting and not self._left, timeout=10)

    def unplug(self):
        with self._changed:
            self._unplugged = True
            self._changed.notify_all()


class Socket:
    """Opens cable after cable; where there is None, there is no camera at that time."""

    def __init__(self, *cables, fps=None):
        self._cables, self._fps = iter(cables), fps
        self.tries = 0

    def __call__(self, source, last=None):
        self.tries += 1
        cable = next(self._cables)
        if cable is None:
            raise UserError("nobody home")
        return cable.opened(self._fps)


@pytest.fixture
def newest():
    """Return what makes a NewestFrame, which is closed at the end."""
    made = []

    def make(*arguments, **keywords):
        made.append(NewestFrame(*arguments, **keywords))
        return made[-1]

    yield make
    for each in made:
        each.close()


@given(st.lists(st.integers(1, 5), max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_newest_frame_comes_and_drops_are_exact(bursts):
    cable = Cable()
    newest = NewestFrame(CAMERA, open_capture=Socket(cable))
    try:
        newest.await_opened()
        shots = newest.shots()
        first = next(shots)
        assert (first.number, first.dropped, first.frame[0, 0, 0]) == (0, 0, 0)
        cable.settle()
        delivered = 1
        for answered, burst in enumerate(bursts, start=1):
            cable.give(burst)
            delivered += burst
            shot = next(shots)
            assert shot.frame[0, 0, 0] == shot.number == delivered - 1
            assert shot.dropped == delivered - (answered + 1)
    finally:
        cable.unplug()
        newest.close()
    assert cable.released


def test_a_frame_comes_once_and_an_idle_camera_is_waited_for(newest):
    cable = Cable()
    loop = newest(CAMERA, open_capture=Socket(cable))
    shots = loop.shots()
    assert next(shots).number == 0
    timer = threading.Timer(0.25, lambda: cable.give(1))
    timer.start()
    assert next(shots).number == 1
    timer.join()
    cable.unplug()


def test_nothing_is_read_before_the_loop_begins(newest):
    cable = Cable()
    loop = newest(CAMERA, open_capture=Socket(cable))
    loop.await_opened()
    assert not cable._waiting
    shot = next(loop.shots())
    assert (shot.number, shot.dropped) == (0, 0)
    cable.unplug()


@pytest.mark.parametrize("slow", [False, True])
def test_a_recording_ends_with_its_last_frame(slow, newest):
    cable = Cable()
    loop = newest(RECORDING, open_capture=Socket(cable, fps=1000))
    shots = loop.shots()
    answered = [next(shots)]
    cable.settle()
    if slow:
        cable.give(6)
    else:
        for _ in range(6):
            cable.give(1)
            answered.append(next(shots))
    cable.unplug()
    answered.extend(shots)
    assert answered[-1].number == 6
    assert answered[-1].dropped == 7 - len(answered)
    assert len(answered) == (2 if slow else 7)


def test_a_recording_plays_at_its_own_pace(newest, monkeypatch):
    pauses = []
    cable = Cable()
    loop = newest(RECORDING, open_capture=Socket(cable, fps=2000))
    monkeypatch.setattr(loop._reader._abandoned, "wait", pauses.append)
    shots = loop.shots()
    next(shots)
    cable.settle()
    for _ in range(10):
        cable.give(1)
    cable.unplug()
    list(shots)
    assert len(pauses) == 11
    assert 0 < pauses[0] <= 1 / 2000


def test_a_lost_camera_is_opened_again_and_the_count_goes_on(newest):
    first, second = Cable(), Cable()
    lines = []
    socket = Socket(first, None, second)
    loop = newest(CAMERA, open_capture=socket, report=lines.append)
    shots = loop.shots()
    assert next(shots).number == 0
    first.unplug()
    shot = next(shots)
    assert (shot.number, shot.dropped, shot.frame[0, 0, 0]) == (1, 0, 0)
    assert socket.tries == 3
    assert first.released
    assert lines[0] == "lost /dev/video0; opening it again until it is back"
    assert lines[1:] in ([], ["/dev/video0 is back"])  # told at the time of the frame, by the other thread
    second.settle()
    second.give(3)
    assert next(shots).dropped == 2
    assert lines[1:] == ["/dev/video0 is back"]
    second.unplug()


@pytest.mark.parametrize("settled", [True, False])
def test_the_pauses_between_tries_grow_and_begin_anew_where_the_camera_had_settled(settled, newest, monkeypatch):
    first, second = Cable(), Cable()
    pauses, begin = [], threading.Event()

    def open_later(source, last, socket=Socket(*[None] * 6, first, None, None, second)):  # noqa: B008  # one for all calls
        assert begin.wait(10)
        return socket(source)

    monkeypatch.setattr(reader, "_SETTLED_S", 0 if settled else 60)
    loop = newest(CAMERA, wait=True, open_capture=open_later)
    monkeypatch.setattr(loop._reader._abandoned, "wait", pauses.append)
    begin.set()
    shots = loop.shots()
    assert next(shots).number == 0
    assert pauses == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    first.unplug()
    assert next(shots).number == 1
    assert pauses[6:] == ([0, 0.25, 0.5] if settled else [2.0, 2.0, 2.0])
    monkeypatch.undo()
    second.unplug()


def test_an_absent_camera_is_an_error(newest):
    loop = newest(CAMERA, open_capture=Socket(None))
    with pytest.raises(UserError, match=r"nobody home \(--wait tries until it opens\)"):
        loop.await_opened()


def test_an_absent_camera_is_waited_for(newest):
    cable, lines = Cable(), []
    loop = newest(CAMERA, wait=True, open_capture=Socket(None, None, cable), report=lines.append)
    loop.await_opened()
    assert lines == ["waiting for /dev/video0: nobody home"]
    assert next(loop.shots()).number == 0
    cable.unplug()


def test_waiting_ends_when_asked(newest):
    loop = newest(CAMERA, wait=True, open_capture=Socket(*[None] * 99))
    answers = itertools.chain([False, False], itertools.repeat(True))
    stopped = lambda: next(answers)  # noqa: E731
    loop.await_opened(stopped)
    assert list(loop.shots(stopped)) == []
    loop.close()
    assert not loop._reader.is_alive()


def test_an_idle_loop_ends_when_asked(newest):
    cable = Cable()
    loop = newest(CAMERA, open_capture=Socket(cable))
    answers = iter([False, False, False, True])
    assert [shot.number for shot in loop.shots(lambda: next(answers))] == [0]
    cable.unplug()


def test_a_fault_in_the_thread_reaches_the_loop(newest):
    class Broken(Cable):
        def read(self):
            raise MemoryError("no room for the frame")

    cable = Broken()
    shots = newest(CAMERA, open_capture=Socket(cable)).shots()
    assert next(shots).number == 0
    with pytest.raises(MemoryError, match="no room"):
        next(shots)
    assert cable.released


def test_every_frame_of_a_video_comes_in_order(video):
    with open_shots(parse_source(str(video)), every_frame=True) as shots:
        shots = list(shots)
    assert [number_of(shot.frame) for shot in shots] == list(range(VIDEO_FRAMES))
    assert [(shot.number, shot.dropped) for shot in shots] == [(number, 0) for number in range(VIDEO_FRAMES)]


def test_every_frame_of_a_video_on_the_network_comes(network):
    with open_shots(parse_source(f"{network}/video"), every_frame=True) as shots:
        assert len(list(shots)) == VIDEO_FRAMES


def test_a_video_as_camera_loses_none_uncounted(video):
    with open_shots(parse_source(str(video))) as shots:
        shots = list(shots)
    assert shots[-1].number == VIDEO_FRAMES - 1
    assert len(shots) + shots[-1].dropped == VIDEO_FRAMES
    assert all(number_of(shot.frame) == shot.number for shot in shots)


def test_a_stream_gives_newest_frames(network):
    with open_shots(parse_source(f"{network}/stream")) as shots:
        shots = list(itertools.islice(shots, 5))
    assert [shot.number - shot.dropped for shot in shots] == [0, 1, 2, 3, 4]
    assert all(number_of(shot.frame) == shot.number % 10 for shot in shots)


@pytest.mark.parametrize("source", ["0", "auto", "/dev/video97", "stream"])
def test_what_has_no_end_has_no_every_frame(source, network):
    source = f"{network}/stream" if source == "stream" else source
    with (
        pytest.raises(UserError, match=r"for --every-frame, but .* has no end"),
        open_shots(parse_source(source), every_frame=True),
    ):
        pass


def test_a_missing_video_is_not_waited_for(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(UserError, match=r"save it again$"), open_shots(parse_source(str(text)), wait=True):
        pass


def test_a_folder_gives_each_photo_and_names_the_broken(tmp_path):
    for number in (0, 1, 3):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), frame_of(number))
    (tmp_path / "2.jpg").write_bytes(b"\xff\xd8 cut")
    skipped = []
    with open_shots(parse_source(str(tmp_path)), skip=skipped.append) as shots:
        shots = list(shots)
    assert [(shot.number, shot.path.name, number_of(shot.frame)) for shot in shots] == [
        (0, "0.png", 0),
        (1, "1.png", 1),
        (3, "3.png", 3),
    ]
    assert "2.jpg: Expected a whole JPEG" in str(*skipped)


def test_a_read_that_hangs_is_left_behind_and_lets_go_once_it_returns(newest):
    first, second = Cable(), Cable()
    lines = []
    loop = newest(CAMERA, open_capture=Socket(first, None, second), report=lines.append, stall_s=0.2)
    shots = loop.shots()
    assert next(shots).number == 0
    hanging = loop._reader
    shot = next(shots)  # the second's first frame
    assert (shot.number, shot.dropped) == (1, 0)
    assert lines[0] == "lost /dev/video0, it hangs; opening it again until it is back"
    assert hanging.is_alive()
    assert not first.released
    with first._changed:
        first._left = 1  # too late: it counts for nothing
        first._changed.notify_all()
    hanging.join(timeout=10)
    assert first.released
    assert loop._delivered == 2
    second.unplug()


def test_a_source_that_is_slow_by_nature_is_waited_for_with_patience(newest):
    cable, lines = Cable(), []
    socket = Socket(cable)
    shots = newest(CAMERA, open_capture=socket, report=lines.append, stall_s=60).shots()
    assert next(shots).number == 0
    late = threading.Timer(0.5, cable.give, [1])
    late.start()
    shot = next(shots)
    late.join()
    assert (int(shot.frame.max()), socket.tries, lines) == (1, 1, [])
    cable.unplug()


def test_what_hangs_twice_may_be_slow_and_the_flag_for_it_is_named_once(newest):
    cables, lines = [Cable() for _ in range(3)], []
    shots = newest(CAMERA, open_capture=Socket(*cables), report=lines.append, stall_s=0.1).shots()
    assert [next(shots).number for _ in cables] == [0, 1, 2]
    lost = [line for line in lines if line.startswith("lost")]
    assert lost == [
        "lost /dev/video0, it hangs; opening it again until it is back",
        "lost /dev/video0, it hangs (--stall-timeout gives it more than 0.1 s for a frame); opening it again until it "
        "is back",
    ]
    for cable in cables:
        cable.unplug()


def test_an_opening_that_hangs_is_left_behind_too(newest, monkeypatch):
    monkeypatch.setattr(reader, "OPENING_S", 0.2)
    go_on, first, second = threading.Event(), Cable(), Cable()
    cables = iter([first, second])

    def open_slowly(source, last):
        cable = next(cables)
        if cable is first:
            go_on.wait(10)
        return cable.opened()

    loop = newest(CAMERA, wait=True, open_capture=open_slowly)
    loop.await_opened()
    assert next(loop.shots()).number == 0
    (hanging,) = loop._hanging
    go_on.set()
    hanging.join(timeout=10)
    assert first.released
    second.unplug()


def test_an_opening_that_hangs_is_an_error_where_it_is_not_waited_for(newest, monkeypatch):
    monkeypatch.setattr(reader, "OPENING_S", 0.1)
    go_on = threading.Event()
    loop = newest(CAMERA, open_capture=lambda source, last: go_on.wait(10))
    with pytest.raises(UserError, match="Expected a frame of /dev/video0, it does not answer"):
        loop.await_opened()
    go_on.set()


def test_only_so_many_reads_are_left_behind_and_nobody_says_that_all_is_well(newest):
    cables, lines, lives = [Cable() for _ in range(4)], [], []
    loop = newest(
        CAMERA,
        stall_s=0.1,
        open_capture=Socket(*cables),
        report=lines.append,
        alive=lambda: lives.append(loop._is_stuck),
    )
    stuck = threading.Event()
    polls = itertools.count()
    shots = loop.shots(lambda: stuck.is_set() or (loop._is_stuck and next(polls) > 5))
    assert [shot.number for shot in shots] == [0, 1, 2]
    assert lines[-1].startswith("/dev/video0 hangs again while 2 earlier reads hang; waiting for one to return")
    assert len([line for line in lines if "hangs again" in line]) == 1
    assert lives
    assert not any(lives)
    cables[0].unplug()  # one returns: there is room for the next
    shot = next(loop.shots())
    assert shot.number == 3
    assert not loop._is_stuck
    for cable in cables:
        cable.unplug()


def test_a_broken_frame_or_two_are_no_loss(newest):
    class Cracked(Cable):
        broken = iter([])

        def read(self):
            given = super().read()
            fault = next(self.broken, None)
            if isinstance(fault, Exception):
                raise fault
            return given if fault is None else fault

    cable, lines = Cracked(), []
    odd = np.zeros((4, 4, 2), np.uint8)
    cable.broken = iter([(False, None), cv2.error("broken JPEG"), (True, odd), (True, odd), None, (True, odd)])
    loop = newest(CAMERA, open_capture=Socket(cable), report=lines.append)
    shots = loop.shots()
    assert next(shots).number == 0
    cable.settle()
    cable.give(5)
    shot = next(shots)
    assert (shot.number, shot.dropped, shot.frame[0, 0, 0]) == (1, 0, 5)
    cable.give(2)
    assert next(shots).frame[0, 0, 0] == 7
    (line,) = lines
    assert line.startswith("/dev/video0 gives frames of shape (4, 4, 2) and uint8, expected 1, 3 or 4 channels")
    cable.unplug()


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 3), (6, 8, 4), (4320, 7680, 3)], ids=str)
def test_grey_four_channels_and_8k_are_frames(shape, newest):
    cable = Cable()
    first = np.zeros(shape, np.uint8)
    loop = newest(CAMERA, open_capture=lambda source, last: Opened(cable, first, None))
    assert next(loop.shots()).frame is first
    cable.unplug()


def test_a_frame_may_change_its_size(newest):
    cable = Cable()
    loop = newest(CAMERA, open_capture=lambda source, last: Opened(cable, np.zeros((6, 8), np.uint8), None))
    shots = loop.shots()
    shapes = [next(shots).frame.shape]
    cable.settle()
    cable.give(1)
    shapes.append(next(shots).frame.shape)
    assert shapes == [(6, 8), (1, 1, 3)]
    cable.unplug()


def test_a_camera_without_frames_is_one_line_and_let_go(newest):
    cable = Cable()
    loop = newest(CAMERA, open_capture=lambda source, last: Opened(cable, np.zeros((6, 8), np.uint16), None))
    with pytest.raises(
        UserError, match=r"gives frames of shape \(6, 8\) and uint16, .* set the camera to another format"
    ):
        loop.await_opened()
    assert cable.released


def test_an_opening_that_fails_in_any_way_is_tried_again(newest):
    first, second = Cable(), Cable()
    tries = iter([first, cv2.error("no memory"), OSError(24, "Too many open files"), second])

    def open_capture(source, last):
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found.opened()

    shots = newest(CAMERA, open_capture=open_capture).shots()
    assert next(shots).number == 0
    first.unplug()
    assert next(shots).number == 1
    second.unplug()


def test_auto_says_which_camera_it_took_and_where_it_is_again(newest, monkeypatch):
    first, second, lines = Cable(), Cable(), []
    opened = iter(
        [
            first.opened()._replace(camera=Identity("/dev/video0", name="HD Webcam")),
            second.opened()._replace(camera=Identity("/dev/video1", name="HD Webcam")),
        ]
    )
    seen = []

    def open_capture(source, last):
        seen.append(last and last.device)
        return next(opened)

    loop = newest(parse_source("auto"), open_capture=open_capture, report=lines.append)
    shots = loop.shots()
    next(shots)
    first.unplug()
    assert next(shots).number == 1
    assert seen == [None, "/dev/video0"]
    assert lines == [
        "the first camera: /dev/video0 (HD Webcam)",
        "lost the first camera; opening it again until it is back",
        "the first camera is back as /dev/video1 (HD Webcam)",
    ]
    second.unplug()


def test_with_every_frame_none_is_dropped_for_another(newest):
    cable = Cable()
    loop = newest(RECORDING, every_frame=True, open_capture=Socket(cable, fps=1))
    shots = loop.shots()
    assert next(shots).number == 0
    cable.settle()
    cable.give(1)
    with cable._changed:
        cable._left = 1  # the reader waits until its frame is taken before it asks for this one
    assert [next(shots).number, next(shots).number] == [1, 2]
    cable.unplug()
    assert list(shots) == []


def test_a_stream_of_cut_jpegs_in_two_sizes_goes_on(network):
    lines = []
    with open_shots(parse_source(f"{network}/odd"), report=lines.append) as shots:
        for shot in shots:
            assert shot.frame.shape == (48, 64, 3)  # OpenCV brings a stream's later frames to the first one's size
            assert number_of(shot.frame) == 5
            if shot.number > 60:
                break
    assert lines == []


def test_a_video_with_a_broken_frame_goes_on(video, tmp_path):
    data = bytearray(video.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xd8"]
    assert len(starts) == VIDEO_FRAMES
    data[starts[5] : starts[6] - 16] = b"\x55" * (starts[6] - 16 - starts[5])
    broken = tmp_path / "broken.avi"
    broken.write_bytes(data)
    lines = []
    with open_shots(parse_source(str(broken)), every_frame=True, report=lines.append) as shots:
        numbers = [number_of(shot.frame) for shot in shots]
    assert numbers == [number for number in range(VIDEO_FRAMES) if number != 5]
    assert lines == [f"{broken} has broken frames; such frames are left out"]


def test_a_folder_of_broken_photos_ends_when_asked(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"no photo")
    skipped = []
    source = parse_source(str(tmp_path))
    with open_shots(source, skip=skipped.append, stopped=lambda: len(skipped) == 2) as shots:
        assert [*shots] == []
    assert len(skipped) == 2
