"""Chooses the golden samples that a model file carries: small photos of the training split, of each class some.

Of the training split, since they travel to everybody who gets the file, and the test split is not to be looked at. The
smallest photos of a random handful, since they make every file larger. A photo that tells where it was taken stays out.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge import preprocess
from edge.classifier import Classifier
from edge.golden import GoldenSample
from train.dataset import Manifest, Photo
from train.pixels import read_photo

MOST = 8
LARGEST_BYTES = 200_000  # of all samples' files together: 5 % of an int8 MobileNetV2
_A_CLASS = 2  # photos of each class where there are few
_HANDFUL = 16  # photos of a class that are looked at
# What is added to the difference of decoders: two steps for resizing, whose fixed-point sums differ by processor.
_RESIZING = 2
# Above it a sample would let a wrong resize pass: reading nearest pixels differed by 140 and more on colour photos.
_LARGEST_DIFFERENCE = 40
_GPS = 0x8825  # the EXIF tag that leads to where a photo was taken


def choose_golden(
    manifest: Manifest,
    image_size: tuple[int, int],
    *,
    seed: int = 0,
    most: int = MOST,
    largest_bytes: int = LARGEST_BYTES,
) -> list[GoldenSample]:
    """Choose photos of the training split and make the images of them; their scores are left empty.

    Args:
        manifest: The locked dataset.
        image_size: (height, width) that the model takes.
        seed: Fixes the choice.
        most: Samples at most; two of each class where the classes are few, and never more classes than samples.
        largest_bytes: Photos and PNGs together; a photo that would go beyond it is passed over for the next.

    Returns:
        Samples, the classes in turn; fewer, or none, where the photos are too large or of other formats.

    Raises:
        UserError: If a photo is gone, or isn't the one that was locked into the manifest.
    """
    random = np.random.default_rng(seed)
    labels = [manifest.labels[index] for index in sorted(random.permutation(len(manifest.labels))[:most])]
    train = manifest.of("train")
    queues = {
        label: _smallest(manifest, [photo for photo in train if photo.label == label], random) for label in labels
    }
    wanted = min(most, _A_CLASS * len(labels))
    samples: list[GoldenSample] = []
    left = largest_bytes
    while len(samples) < wanted and any(queues.values()):
        for queue in queues.values():
            while queue and len(samples) < wanted:
                sample = _make_sample(manifest, queue.pop(0), image_size, str(len(samples) + 1), left)
                if sample is not None:
                    samples.append(sample)
                    left -= len(sample.photo) + len(sample.png)
                    break
    return samples


def expect_scores(samples: Sequence[GoldenSample], path: Path) -> list[GoldenSample]:
    """Return the samples with the scores that a model file gives for their images on the device's own runtime.

    Args:
        samples: Golden samples, with or without scores of another file.
        path: The very model that will carry them, embedded in or not yet.
    """
    if not samples:
        return []
    classifier = Classifier(path)
    return [
        dataclasses.replace(
            sample,
            scores=tuple(
                round(float(score), 8)
                for score in classifier.scores(
                    preprocess.to_image(preprocess.decode(sample.png), classifier.image_size)
                )
            ),
        )
        for sample in samples
    ]


def _smallest(manifest: Manifest, photos: list[Photo], random: np.random.Generator) -> list[Photo]:
    """Return a random handful of the photos, the smallest file first; those that are gone come last."""
    handful = [photos[index] for index in random.permutation(len(photos))[:_HANDFUL]]

    def size(photo: Photo) -> int:
        path = manifest.root / photo.path
        return path.stat().st_size if path.is_file() else 1 << 62

    return sorted(handful, key=lambda photo: (size(photo), photo.path))


def _make_sample(
    manifest: Manifest, photo: Photo, image_size: tuple[int, int], name: str, largest_bytes: int
) -> GoldenSample | None:
    """Return a photo as a sample; None where it is of another format, too large, or says where it was taken."""
    data = read_photo(manifest, photo)
    is_jpeg = data.startswith(b"\xff\xd8")
    if not (is_jpeg or data.startswith(b"\x89PNG")) or len(data) > largest_bytes or _tells_place(data):
        return None
    image = preprocess.to_image(preprocess.decode(data), image_size)
    png = _encode(image)
    difference = _RESIZING + (_difference_of_decoders(data, image_size) if is_jpeg else 0)
    if len(data) + len(png) > largest_bytes or difference > _LARGEST_DIFFERENCE:
        return None
    return GoldenSample(name, photo.label, data, png, (), manifest.source, manifest.licence, difference)


def _encode(image: preprocess.Image) -> bytes:
    """Return an RGB image as a PNG file."""
    _, png = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return png.tobytes()


def _difference_of_decoders(jpeg: bytes, image_size: tuple[int, int]) -> int:
    """Return by how much an image differs, 0-255, between the finest sound way to decode its JPEG and the roughest.

    The standard leaves the precision of the cosine transform and how colours are scaled up to the decoder. On real
    photos it made up to 14 where every pixel has its colour, up to 30 where four share one, none in a PNG.
    """
    import tensorflow as tf

    fine = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)
    rough = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_FAST", fancy_upscaling=False)
    images = [preprocess.to_image(each.numpy(), image_size).astype(int) for each in (fine, rough)]
    return int(np.abs(images[0] - images[1]).max())


def _tells_place(photo: bytes) -> bool:
    """Tell whether a photo's EXIF or XMP holds where it was taken."""
    from PIL import Image

    with Image.open(io.BytesIO(photo)) as image:
        return _GPS in image.getexif() or b"GPSLatitude" in photo
