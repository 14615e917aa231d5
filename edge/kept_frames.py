"""Keeps frames as photos in a folder that never outgrows its bounds: the oldest go."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime, timezone
from pathlib import Path

import cv2

from edge.answers import Answer
from edge.errors import UserError

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z_[\w.-]*_[01]\.\d{3}(_\d+)?\.jpg")
_QUALITY = 95  # as good as the photos that a model is trained on


class FrameFolder:
    """A folder of frames, named by time, label and confidence: `20260102T030405.678Z_cat_0.412.jpg`.

    Files of other names in it are left alone and don't count.
    """

    def __init__(self, folder: Path, max_files: int, max_bytes: int) -> None:
        """Make the folder, and count what earlier runs left there.

        Raises:
            UserError: If it can't be written.
        """
        self._folder, self._max_files, self._max_bytes = folder, max_files, max_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".tinysight-probe"
            probe.touch()
            probe.unlink()
            for path in folder.glob("*.part"):  # what a power cut left
                if _NAME.fullmatch(f"{path.stem}.jpg"):
                    path.unlink()
            names = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
            self._kept = deque((path, path.stat().st_size) for path in names)
        except OSError as error:
            raise UserError(f"Expected to keep frames in {folder}: {error.strerror}; name another folder") from error
        self._bytes = sum(size for _, size in self._kept)

    def save(self, answer: Answer) -> None:
        """Keep an answer's frame; OSError where that fails, and then nothing of it stays."""
        encoded, jpeg = cv2.imencode(".jpg", answer.shot.frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not encoded:
            raise OSError("the frame can't be encoded")
        data = jpeg.tobytes()
        path = self._free_path(answer)
        # Room is made first, so that a full disk gets better by it.
        while self._kept and (len(self._kept) >= self._max_files or self._bytes + len(data) > self._max_bytes):
            oldest, size = self._kept[0]
            oldest.unlink(missing_ok=True)  # counted until it is gone: the folder may be read-only for a while
            self._kept.popleft()
            self._bytes -= size
        if len(data) > self._max_bytes:
            raise OSError(f"one frame takes {len(data):,} bytes, more than all may")
        temporary = path.with_suffix(".part")
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        self._kept.append((path, len(data)))
        self._bytes += len(data)

    def _free_path(self, answer: Answer) -> Path:
        """Return a path that no other frame has."""
        taken = datetime.fromtimestamp(answer.shot.taken, timezone.utc)
        time = f"{taken:%Y%m%dT%H%M%S}.{taken.microsecond // 1000:03}Z"
        # A label comes out of somebody's file: nothing in it may lead out of the folder.
        label = re.sub(r"[^A-Za-z0-9-]+", "-", answer.prediction.label)[:60].strip("-")
        stem = f"{time}_{label}_{answer.prediction.confidence:.3f}"
        path, number = self._folder / f"{stem}.jpg", 1
        while path.exists():
            path, number = self._folder / f"{stem}_{number}.jpg", number + 1
        return path
