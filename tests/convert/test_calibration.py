import collections
import dataclasses
import hashlib
import re

import cv2
import numpy as np
import pytest

from convert import calibration
from edge.errors import TinySightError
from train.dataset import Manifest, Photo, SplitSettings


@pytest.fixture
def manifest(tmp_path):
    """Grey photos: 30 of class a, 5 of class b for training; others for validation and test."""
    photos = []
    counts = [("a", "train", 30, 100), ("b", "train", 5, 100), ("a", "validation", 4, 200), ("b", "test", 4, 210)]
    for label, split, count, grey in counts:
        for number in range(count):
            path = tmp_path / f"{label}-{split}-{number}.png"
            cv2.imwrite(str(path), np.full((6, 8, 3), grey + number, np.uint8))
            photos.append(Photo(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), label, split))
    return Manifest("grey", "made here", "", tmp_path, ("a", "b"), SplitSettings(), tuple(photos))


def counts(sample):
    return collections.Counter((photo.label, photo.split) for photo in sample.files)


def test_the_sample_is_balanced_and_from_the_training_split_alone(manifest):
    assert counts(calibration.choose_sample(manifest, 8, 0)) == {("a", "train"): 4, ("b", "train"): 4}


def test_a_small_class_gives_what_it_has(manifest):
    assert counts(calibration.choose_sample(manifest, 20, 0)) == {("a", "train"): 15, ("b", "train"): 5}
    assert counts(calibration.choose_sample(manifest, 999, 0)) == {("a", "train"): 30, ("b", "train"): 5}


def test_the_seed_fixes_the_sample(manifest):
    assert calibration.choose_sample(manifest, 8, 1) == calibration.choose_sample(manifest, 8, 1)
    assert calibration.choose_sample(manifest, 8, 1) != calibration.choose_sample(manifest, 8, 2)


def test_the_images_span_black_to_white_and_are_otherwise_the_photos(manifest):
    sample = calibration.choose_sample(manifest, 6, 0)
    images = calibration.calibration_images(sample, (6, 8))
    assert images.shape == (6, 6, 8, 3)
    assert (images.min(), images.max()) == (0, 255)
    assert np.sum((images == 0) | (images == 255)) == 6  # two pixels of three channels
    expected = sorted(100 + int(photo.path.split("-")[-1].removesuffix(".png")) for photo in sample.files)
    assert sorted(int(image[2, 2, 0]) for image in images) == expected


def test_a_copy_of_a_photo_that_is_judged_on_is_passed_over(manifest):
    judged = manifest.of("validation")[0]
    copy = dataclasses.replace(manifest.of("train")[0], sha256=judged.sha256)
    leaky = dataclasses.replace(manifest, files=(copy, *(f for f in manifest.files if f.path != copy.path)))
    assert calibration.passed_over(manifest) == ()
    assert calibration.passed_over(leaky) == (copy,)
    assert set(leaky.files) - set(calibration.without_copies(leaky).files) == {copy}
    assert calibration.without_copies(manifest) == manifest
    sample = calibration.choose_sample(leaky, 999, 0)
    assert len(sample.files) == 34
    assert {photo.sha256 for photo in sample.files}.isdisjoint(
        photo.sha256 for photo in leaky.files if photo.split != "train"
    )
    described = calibration.describe_sample(sample, leaky, 999, 0)
    assert described["passed_over"] == [copy.path]
    assert described["n"] == 34
    calibration.prove_unseen(sample.files, leaky)
    with pytest.raises(TinySightError, match=re.escape(copy.path)):
        calibration.prove_unseen(leaky.of("train"), leaky)


def test_pinning_leaves_the_photos_themselves_alone():
    grey = np.full((2, 4, 4, 3), 99, np.uint8)
    pinned = calibration.pin_range(grey)
    assert (pinned.min(), pinned.max()) == (0, 255)
    assert (grey == 99).all()
