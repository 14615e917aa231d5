import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.errors import UserError
from train.dataset import read_manifest
from train.run import main


@pytest.fixture(scope="module")
def manifest(digits_run):
    return read_manifest(digits_run / "dataset.json")


def load(*arguments):
    from train.teacher import load_teacher

    return load_teacher(*arguments)


def test_the_teacher_is_the_runs_model(digits_run, manifest):
    import tf_keras as keras

    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    model, digest = load(digits_run, manifest, (32, 32))
    assert np.array_equal(model(images), keras.models.load_model(digits_run / "model.keras")(images))
    assert len(digest) == 64


def test_a_teacher_of_another_size_sees_scaled_images(digits_run, manifest):
    import tf_keras as keras

    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    scaled = np.stack([cv2.resize(image.astype(np.float32), (32, 32)) for image in images])
    expected = keras.models.load_model(digits_run / "model.keras")(scaled).numpy()
    assert load(digits_run, manifest, (16, 16))[0](images).numpy() == pytest.approx(expected, abs=1e-4)


def test_other_classes_are_refused(digits_run, manifest):
    with pytest.raises(UserError, match="a teacher of the classes a, b, the model in"):
        load(digits_run, replace(manifest, labels=("a", "b")), (32, 32))


def test_a_teacher_that_knows_the_exam_is_refused(digits_run, manifest):
    swapped = {"train": "test", "test": "train", "validation": "validation"}
    files = tuple(replace(photo, split=swapped[photo.split]) for photo in manifest.files)
    count = len(manifest.of("train"))
    with pytest.raises(UserError, match=rf"not trained on this run's test photos, .* was on {count:,}, such as"):
        load(digits_run, replace(manifest, files=files), (32, 32))


def test_no_model_there(digits_run, manifest, tmp_path):
    with pytest.raises(UserError, match="Expected a run's folder"):
        load(tmp_path / "none", manifest, (32, 32))
    shutil.copy(digits_run / "dataset.json", tmp_path)
    with pytest.raises(UserError, match="Expected a trained model in"):
        load(tmp_path, manifest, (32, 32))
    (tmp_path / "model.keras").write_text("no model")
    with pytest.raises(UserError, match="Expected a trained model in"):
        load(tmp_path, manifest, (32, 32))


def test_training_with_a_teacher(digits_run, digits_photos, tmp_path):
    flags = ["--data", str(digits_photos), "--image-size", "16", "--epochs", "1", "--teacher", str(digits_run)]
    assert main([*flags, "--output", str(tmp_path / "run")]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["teacher"] == str(digits_run)
    assert len(config["teacher_sha256"]) == 64
