import cv2
import numpy as np
import pytest

from edge.annotated_video import AnnotatedVideo
from edge.answers import Answer
from edge.camera import Shot
from edge.classifier import Prediction
from edge.errors import UserError


def answer(shape):
    return Answer(Shot(np.full(shape, 200, np.uint8), 0, 0.0), Prediction("cat", 0, 0.5), 1.0, decision="cat")


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv"])
def test_frames_of_all_kinds_become_one_video_with_a_band(suffix, tmp_path):
    path = tmp_path / f"out{suffix}"
    video = AnnotatedVideo(path, 10)
    for shape in [(120, 160, 3), (240, 320, 3), (120, 160), (120, 160, 1), (120, 160, 4)]:
        video.write(answer(shape))
    video.close()
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    assert [frame.shape for frame in frames] == [(120, 160, 3)] * 5
    for frame in frames:
        assert frame[:90].mean() == pytest.approx(200, abs=8)
        assert frame[-4:].mean() < 100  # the dark band


def test_what_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"to end in \.mp4, \.avi, \.mkv"):
        AnnotatedVideo(tmp_path / "x.gif", 10)
    with pytest.raises(UserError, match="No such file or directory; name another"):
        AnnotatedVideo(tmp_path / "none" / "x.avi", 10)


def test_a_video_without_frames_leaves_no_file(tmp_path):
    AnnotatedVideo(tmp_path / "x.avi", 10).close()
    assert not (tmp_path / "x.avi").exists()
