"""Shows frames in a window, each with its answer written on it."""

from __future__ import annotations

import os
import re
import sys

import cv2

from edge.errors import UserError
from edge.extras import install_line
from edge.preprocess import Frame

_TITLE = "tinysight"
_ESCAPE = 27


def draw_text(frame: Frame, text: str) -> Frame:
    """Return a copy of a frame with a line of text in a dark band at its foot.

    Args:
        frame: (H, W), (H, W, 1), BGR (H, W, 3) or BGRA (H, W, 4) uint8.
        text: One line; it shrinks to the frame's width where it would be cut.

    Returns:
        Array of the frame's shape, uint8.
    """
    canvas = frame.copy()
    height, width = canvas.shape[:2]
    scale = max(0.4, height / 480)
    (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale *= min(1.0, 0.94 * width / max(1, text_width))
    (_, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    margin = below + 2
    # A band, not an outline: OpenCV 5 widens a thick text, so that it no longer lies under a thin one.
    cv2.rectangle(canvas, (0, height - text_height - 2 * margin), (width, height), (0, 0, 0, 255), cv2.FILLED)
    corner = round(0.02 * width), height - margin
    cv2.putText(canvas, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255, 255), 1, cv2.LINE_AA)
    return canvas


class Window:
    """A window on the desktop."""

    def __init__(self) -> None:
        """Open the window.

        Raises:
            UserError: If this OpenCV has no windows, or there is no display.
        """
        if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
            # Both packages put their files into the same folder, so the one has to go first.
            raise UserError(
                "--show needs an OpenCV with windows, this one is headless. Install it: "
                f"{sys.executable} -m pip uninstall -y opencv-python-headless && {install_line('cv2.highgui')}"
            )
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise UserError("--show needs a display, but neither DISPLAY nor WAYLAND_DISPLAY is set; leave --show out")
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise UserError("--show could not open a window on this display; leave --show out") from error

    def show(self, frame: Frame, text: str) -> bool:
        """Show a frame with its answer; False where the user closed the window or pressed q or Escape."""
        cv2.imshow(_TITLE, draw_text(frame, text))
        key = cv2.waitKey(1) & 0xFF
        return key not in (ord("q"), _ESCAPE) and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
