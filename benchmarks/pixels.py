"""The pixels that latency is measured on: a run's own test photos or, without them, something like a photo.

Not zeros: a network's speed hardly depends on what it sees, but a figure should be of the work that users have.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.errors import UserError
from edge.preprocess import Frame

FRAME_SIZE = 480, 640  # (height, width) that a webcam gives unasked
_JPEG_QUALITY = 90
_FRAMES = 16  # enough that frames come from memory, as a camera's do, and not from the processor's cache


@dataclass(frozen=True)
class Pixels:
    """Frames to measure on.

    Attributes:
        origin: Where they come from, for the reader of the figures.
        frames: BGR frames of FRAME_SIZE.
    """

    origin: str
    frames: list[Frame]

    def jpegs(self) -> list[bytes]:
        """Return the frames as JPEG files, as a camera or a phone sends them."""
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        return [cv2.imencode(".jpg", frame, quality)[1].tobytes() for frame in self.frames]


def pixels_beside(model: Path) -> Pixels:
    """Return frames made of the eval.npz in a model's folder, or synthetic ones where there is none.

    Raises:
        UserError: If eval.npz is there but isn't what convert.quantize writes.
    """
    evaluation = model.parent / "eval.npz"
    if not evaluation.exists():
        return Pixels("synthetic", [_synthetic_frame(seed) for seed in range(_FRAMES)])
    images = _read_images(evaluation)
    chosen = np.unique(np.linspace(0, len(images) - 1, _FRAMES).astype(int))  # all over it: it may be sorted by class
    return Pixels("eval.npz", [_blow_up(images[index]) for index in chosen])


def _read_images(evaluation: Path) -> Frame:
    """Return the images (N, H, W, 3) uint8 RGB of an eval.npz."""
    try:
        with evaluation.open("rb") as file:
            images: Frame = np.load(file, allow_pickle=False)["images"]
    except (OSError, ValueError, LookupError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{evaluation} is damaged ({error}); write it again: python -m convert.quantize") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.size == 0:
        raise UserError(
            f"Expected images (N, height, width, 3) of uint8 in {evaluation}, got {images.shape} of {images.dtype}; "
            "write it again: python -m convert.quantize"
        )
    return images


def _blow_up(image: Frame) -> Frame:
    """Enlarge an RGB image to a camera's BGR frame."""
    height, width = FRAME_SIZE
    frame = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), cv2.COLOR_RGB2BGR)
    return np.asarray(frame, np.uint8)


def _synthetic_frame(seed: int) -> Frame:
    """Draw a cloud whose amplitudes fall as 1 / frequency, as those of natural photos do (Field, 1987)."""
    height, width = FRAME_SIZE
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf  # no constant part
    noise = np.random.default_rng(seed).standard_normal((3, height, width))
    clouds = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=FRAME_SIZE)
    clouds = 128 + 50 * clouds / clouds.std()
    return np.ascontiguousarray(clouds.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
