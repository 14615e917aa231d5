"""Small pictures of photos for a page, as data addresses; where a photo can't be shown, why."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import cv2

from edge import preprocess
from edge.errors import UserError
from train.dataset import Manifest, Photo

_LONGEST_SIDE = 160
_JPEG_QUALITY = 82
_TINY = 64  # below it JPEG shows more of itself than of the photo


@dataclass(frozen=True)
class Thumbnail:
    """A photo made small, or the reason why there is none.

    Attributes:
        uri: Picture as a data: address; empty where there is none.
        width: In pixels.
        height: In pixels.
        reason: Why the photo can't be shown; empty where it can.
    """

    uri: str = ""
    width: int = 0
    height: int = 0
    reason: str = ""


def thumbnail(manifest: Manifest, photo: Photo) -> Thumbnail:
    """Make a photo small, its sides in proportion, by the same road as the model's pixels; small ones stay."""
    try:
        data = (manifest.root / photo.path).read_bytes()
    except OSError as error:
        return Thumbnail(reason=f"can't be read: {error.strerror}")
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        return Thumbnail(reason="has changed since training")
    try:
        frame = preprocess.decode(data)
    except UserError:
        return Thumbnail(reason="does not decode any more")
    height, width = frame.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    return to_thumbnail(preprocess.to_image(frame, (height, width)))


def to_thumbnail(image: preprocess.Image) -> Thumbnail:
    """Return an RGB image (height, width, 3) uint8 as it is, as a data address: PNG where it is tiny, else JPEG."""
    height, width = image.shape[:2]
    kind, suffix, flags = "jpeg", ".jpg", [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    if max(height, width) <= _TINY:
        kind, suffix, flags = "png", ".png", []
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
    return Thumbnail(f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode()}", width, height)
