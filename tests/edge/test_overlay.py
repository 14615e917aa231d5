import cv2
import numpy as np
import pytest

from edge import overlay
from edge.errors import UserError
from edge.overlay import Window, draw_text


@pytest.mark.parametrize("shape", [(480, 640, 3), (480, 640), (480, 640, 1), (480, 640, 4), (90, 60, 3), (8, 8, 3)])
@pytest.mark.parametrize("background", [0, 128, 255])
def test_the_text_is_on_a_copy_and_seen_on_any_background(shape, background):
    frame = np.full(shape, background, np.uint8)
    drawn = draw_text(frame, "functional 99.1%")
    assert (drawn.shape, drawn.dtype) == (frame.shape, np.uint8)
    assert (frame == background).all()
    if shape[0] > 8:
        assert drawn.min() < 30
        assert drawn.max() > 225


@pytest.mark.parametrize("text", ["a", "a rather long label that no small frame has room for  12.3%"])
@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (240, 60)])
def test_the_text_stays_inside_the_lower_part(text, size):
    drawn = draw_text(np.full((*size, 3), 128, np.uint8), text)
    assert (drawn > 200).any()
    assert (drawn[: size[0] // 2] == 128).all()
    assert not (drawn[:, -1] > 128).any()


def test_a_view_can_be_drawn_on():
    assert draw_text(np.zeros((60, 80, 3), np.uint8)[:, ::-1], "x").max() > 200


@pytest.fixture
def desktop(monkeypatch):
    """Pretend that OpenCV has windows and that there is a display; return what the user does."""
    user = {"key": -1, "visible": 1.0, "shown": []}
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           GTK3\n")
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, frame: user["shown"].append(frame))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: user["key"])
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *arguments: user["visible"])
    monkeypatch.setenv("DISPLAY", ":0")
    return user


def test_a_window_shows_frames_until_the_user_has_seen_enough(desktop):
    window, frame = Window(), np.zeros((60, 80, 3), np.uint8)
    assert window.show(frame, "x")
    assert np.array_equal(desktop["shown"][0], draw_text(frame, "x"))
    for action in ({"key": ord("q")}, {"key": 27}, {"visible": 0.0}):
        desktop.update({"key": -1, "visible": 1.0}, **action)
        assert not window.show(frame, "x")


def test_a_headless_opencv_is_told_with_its_mend(desktop, monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    with pytest.raises(UserError, match=r"uninstall -y opencv-python-headless && .*edge-display"):
        Window()


def test_no_display_is_told(desktop, monkeypatch):
    monkeypatch.setattr(overlay.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="needs a display"):
        Window()


def test_a_display_that_refuses_is_told(desktop, monkeypatch):
    def refuse(*arguments):
        raise cv2.error("no")

    monkeypatch.setattr(cv2, "namedWindow", refuse)
    with pytest.raises(UserError, match="could not open a window"):
        Window()
