"""Golden samples: photos in a model file with what the very file answered when it was converted.

A sample judges two stages apart. Its PNG is the image as the model takes it, so the scores on it are the model's own:
an int8 file must repeat them within one step, a float file within 1e-3. Its photo goes through decoding and resizing,
where decoders differ by a little: the image that comes out may differ from the PNG by `largest_pixel_difference`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import UserError


@dataclass(frozen=True)
class GoldenSample:
    """One photo, the image made of it, and the answer that is expected.

    Attributes:
        name: What it is called in the model file, such as "1"; unique in it.
        label: Its true class.
        photo: The photo's file as it came, a JPEG or a PNG.
        png: The image that `edge.preprocess` made of it, at `image_size`, as a PNG file.
        scores: What the file that carries it answered to the image, a number a class; empty until it was asked.
        source: Where the photo is from; empty where it isn't known.
        licence: The photo's licence; empty where it isn't known.
        largest_pixel_difference: By how much a sound decoding and resizing of `photo` may differ from `png`, 0-255.
    """

    name: str
    label: str
    photo: bytes
    png: bytes
    scores: tuple[float, ...]
    source: str
    licence: str
    largest_pixel_difference: int


def read_golden(embedded: Mapping[str, bytes]) -> list[GoldenSample]:
    """Return the golden samples of a model file; none where it carries none.

    Args:
        embedded: The files that travel in it, as `Classifier.embedded` has them.

    Raises:
        UserError: If the samples are not as `convert.one_file` writes them.
    """
    try:
        listed = json.loads(embedded.get("metadata.json", b"{}").decode()).get("golden", [])
        return [_parse(sample, embedded) for sample in listed]
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else ascii(str(error))[1:-1]
        raise UserError(f"The golden samples in the model are damaged: {reason}; convert the model again") from error


def _parse(sample: dict[str, Any], embedded: Mapping[str, bytes]) -> GoldenSample:
    """Build a sample of its entry in metadata.json; KeyError, TypeError or ValueError where it is none."""
    texts = [sample[key] for key in ("name", "label", "source", "licence", "photo", "png")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"expected texts, got {texts}"[:200])
    name, label, source, licence, photo, png = texts
    difference = int(sample["largest_pixel_difference"])
    scores = tuple(float(score) for score in sample["scores"])
    return GoldenSample(name, label, embedded[photo], embedded[png], scores, source, licence, difference)
