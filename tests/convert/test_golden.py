import dataclasses
import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from convert import golden, one_file, to_tflite
from edge import UserError
from train.dataset import Manifest, Photo, SplitSettings

SIZE = (24, 16)


def photo_of(number, suffix, side=40, **settings):
    """Return a photo of blobs as a file's bytes, made by Pillow."""
    coarse = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, suffix, **settings)
    return file.getvalue()


@pytest.fixture
def make_manifest(tmp_path):
    def make(photos):
        """Write {path: (label, split, bytes)} and return the manifest."""
        files = []
        for path, (label, split, data) in photos.items():
            (tmp_path / path).write_bytes(data)
            files.append(Photo(path, hashlib.sha256(data).hexdigest(), label, split))
        labels = tuple(sorted({photo.label for photo in files}))
        return Manifest("pets", "a garden", "CC0", tmp_path, labels, SplitSettings(), tuple(files))

    return make


@pytest.fixture
def pets(make_manifest):
    photos = {}
    for number, split in enumerate(["train"] * 12 + ["validation", "test"]):
        for label in ("cat", "dog", "owl"):
            suffix = "PNG" if label == "dog" else "JPEG"
            photos[f"{label}{number}"] = label, split, photo_of(len(photos), suffix)
    return make_manifest(photos)


def test_two_small_photos_of_each_class_come_from_the_training_split_as_they_are(pets):
    samples = golden.choose_golden(pets, SIZE)
    assert [sample.label for sample in samples] == ["cat", "dog", "owl"] * 2
    assert [sample.name for sample in samples] == list("123456")
    train = {(pets.root / photo.path).read_bytes(): photo.label for photo in pets.of("train")}
    assert all(train[sample.photo] == sample.label for sample in samples)
    assert len({sample.photo for sample in samples}) == 6
    assert {(sample.source, sample.licence) for sample in samples} == {("a garden", "CC0")}
    sizes = sorted(len(data) for data, label in train.items() if label == "cat")
    assert [len(sample.photo) for sample in samples if sample.label == "cat"] == sizes[:2]


def test_the_png_is_the_image_that_the_model_takes(pets):
    for sample in golden.choose_golden(pets, SIZE):
        with Image.open(io.BytesIO(sample.png)) as png:
            assert png.size == (16, 24)
            image = np.array(png.convert("RGB"))
        frame = cv2.imdecode(np.frombuffer(sample.photo, np.uint8), cv2.IMREAD_COLOR)
        expected = cv2.resize(frame, (16, 24), interpolation=cv2.INTER_LINEAR)[..., ::-1]  # 40 is below twice 24
        assert np.array_equal(image, expected)


def test_the_stated_difference_holds_for_another_decoder_and_is_small_for_png(pets):
    import tensorflow as tf

    kinds = set()
    for sample in golden.choose_golden(pets, SIZE):
        is_jpeg = sample.photo.startswith(b"\xff\xd8")
        kinds.add(is_jpeg)
        assert 2 <= sample.largest_pixel_difference <= (40 if is_jpeg else 2)
        if is_jpeg:
            rough = tf.io.decode_jpeg(sample.photo, 3, dct_method="INTEGER_FAST", fancy_upscaling=False).numpy()
            image = cv2.resize(rough, (16, 24), interpolation=cv2.INTER_LINEAR).astype(int)
            expected = np.array(Image.open(io.BytesIO(sample.png)).convert("RGB")).astype(int)
            assert np.abs(image - expected).max() <= sample.largest_pixel_difference
    assert kinds == {True, False}


def test_the_choice_is_fixed_by_the_seed(pets):
    assert golden.choose_golden(pets, SIZE) == golden.choose_golden(pets, SIZE)


def test_all_files_together_stay_below_the_bound(pets):
    everything = golden.choose_golden(pets, SIZE)
    bound = sum(len(sample.photo) + len(sample.png) for sample in everything[:3])
    few = golden.choose_golden(pets, SIZE, largest_bytes=bound)
    assert 1 <= len(few) < len(everything)
    assert sum(len(sample.photo) + len(sample.png) for sample in few) <= bound
    assert golden.choose_golden(pets, SIZE, largest_bytes=10) == []


def test_of_many_classes_some_are_covered(make_manifest):
    photos = {f"{label}{n}": (label, "train", photo_of(n, "PNG")) for label in "abcdefghijkl" for n in range(2)}
    samples = golden.choose_golden(make_manifest(photos), SIZE)
    assert len({sample.label for sample in samples}) == len(samples) == golden.MOST


def test_photos_that_tell_their_place_or_are_of_other_formats_are_passed_over(make_manifest):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    photos = {
        "with-place": ("cat", "train", photo_of(1, "JPEG", exif=exif.tobytes())),
        "webp": ("cat", "train", photo_of(2, "WEBP")),
        "bmp": ("cat", "train", photo_of(3, "BMP")),
        "good": ("cat", "train", photo_of(4, "JPEG", side=60)),
        "dog": ("dog", "train", photo_of(5, "PNG")),
    }
    manifest = make_manifest(photos)
    good = (manifest.root / "good").read_bytes()
    assert [sample.photo for sample in golden.choose_golden(manifest, SIZE) if sample.label == "cat"] == [good]


def test_a_photo_that_changed_since_the_training_is_told(pets):
    for photo in pets.of("train"):
        (pets.root / photo.path).write_bytes(b"other")
    with pytest.raises(UserError, match="has changed since"):
        golden.choose_golden(pets, SIZE)


def test_expected_scores_are_those_of_the_bare_runtime(pets, small_model, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    model = to_tflite.to_float32(small_model)
    path = tmp_path / "bare.tflite"
    path.write_bytes(model)
    samples = golden.choose_golden(pets, SIZE)
    filled = golden.expect_scores(samples, path)
    assert [dataclasses.replace(sample, scores=()) for sample in filled] == samples
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    for sample in filled:
        image = np.array(Image.open(io.BytesIO(sample.png)).convert("RGB"))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None].astype(np.float32))
        interpreter.invoke()
        expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        assert np.allclose(sample.scores, expected, atol=1e-6)
    sealed = tmp_path / "sealed.tflite"
    sealed.write_bytes(one_file.embed_in_tflite(model, {"labels": list("abcd"), "image_size": [24, 16]}, filled))
    assert golden.expect_scores(filled, sealed) == filled
