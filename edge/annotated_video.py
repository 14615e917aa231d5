"""Writes a video of the frames, each with its answer written on it."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.answers import Answer
from edge.errors import UserError
from edge.overlay import draw_text

_CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "MJPG"}


class AnnotatedVideo:
    """A video file that is begun with the first answer, in the size of that frame."""

    def __init__(self, path: Path, fps: float) -> None:
        """Check that it can be written.

        Raises:
            UserError: If it can't, or its ending is of no format that is written here.
        """
        if path.suffix.lower() not in _CODECS:
            raise UserError(f"Expected --video-out to end in {', '.join(_CODECS)}, got {path}; name it so")
        try:
            with path.open("ab"):
                pass
        except OSError as error:
            raise UserError(f"Expected to write a video to {path}: {error.strerror}; name another") from error
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)  # (width, height), OpenCV's order

    def write(self, answer: Answer) -> None:
        """Add an answer's frame; one of another size is squashed to that of the first. OSError where that fails."""
        frame = answer.shot.frame
        if frame.ndim == 2 or frame.shape[2] == 1:
            frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)  # type: ignore[assignment]
        elif frame.shape[2] == 4:
            frame = cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)  # type: ignore[assignment]
        drawn = draw_text(frame, answer.to_caption())
        if self._writer is None:
            self._size = drawn.shape[1], drawn.shape[0]
            fourcc = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
            # An absolute path, since FFmpeg takes what stands before a colon for a protocol.
            self._writer = cv2.VideoWriter(str(self._path.absolute()), fourcc, self._fps, self._size)
        if not self._writer.isOpened():
            self._writer = None
            raise OSError("this OpenCV can't write such a video")
        if (drawn.shape[1], drawn.shape[0]) != self._size:
            drawn = cv2.resize(drawn, self._size)  # type: ignore[assignment]
        self._writer.write(drawn)

    def close(self) -> None:
        """Finish the file; a .mp4 that isn't finished can't be played."""
        if self._writer is not None:
            self._writer.release()
        elif self._path.exists() and self._path.stat().st_size == 0:
            self._path.unlink()
