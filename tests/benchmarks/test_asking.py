import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.asking import File, add_references, ask_all, load, load_all
from benchmarks.photos import Photos
from edge import Classifier
from edge.errors import UserError


def stand_in(path, labels=("a", "b"), scores=(0.75, 0.25), image_size=(4, 4)):
    """Return a loaded file that always answers the same."""
    classifier = SimpleNamespace(
        labels=list(labels),
        image_size=image_size,
        metadata={},
        scores=lambda image: np.array(scores, np.float32),
    )
    return File(path, classifier, 1, 1.0, 0.0)


def photos(*broken, count=4):
    def read(number):
        if number in broken:
            raise UserError(f"photo {number} is broken")
        return np.zeros((4, 4, 3), np.uint8)

    return Photos("eval.npz", np.zeros(count, np.int64), range(count), read)


def test_a_file_brings_its_temperature_and_threshold(digits_run):
    file = load(digits_run / "model_int8.tflite", 1, None)
    metadata = Classifier(digits_run / "model_int8.tflite").metadata
    assert (file.temperature, file.threshold) == (metadata["temperature"], metadata["threshold"])
    scores = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]], np.float32)
    powered = scores.astype(float) ** (1 / file.temperature)
    assert file.temper(scores) == pytest.approx(powered / powered.sum(axis=1, keepdims=True), abs=1e-6)


def test_what_a_strangers_scheme_says_stays_off_the_terminal(tmp_path):
    for scheme in ("\x1b[31mred", 5, None, "x" * 40, "[red]"):
        file = stand_in(tmp_path / "m.tflite")
        file.classifier.metadata["scheme"] = scheme
        assert file.scheme == "unknown"


def test_every_file_is_asked_about_every_photo_that_can_be_read(tmp_path):
    files = [stand_in(tmp_path / "m.tflite"), stand_in(tmp_path / "n.tflite", scores=(0.5, 0.5))]
    done = []
    asked = ask_all(files, photos(2), [0, 2, 3], lambda: done.append(1))
    assert asked.positions == [0, 3]
    assert asked.unreadable == {2: "photo 2 is broken"}
    assert [scores.tolist() for scores in asked.scores] == [[[0.75, 0.25]] * 2, [[0.5, 0.5]] * 2]
    assert len(done) == 3
    with pytest.raises(UserError, match="none of 2 can be read: photo 1 is broken"):
        ask_all(files, photos(1, 2), [1, 2], lambda: None)


def test_scores_that_are_no_numbers_are_refused(tmp_path):
    with pytest.raises(UserError, match="not finite"):
        ask_all([stand_in(tmp_path / "m.tflite", scores=(np.nan, 1))], photos(), [0], lambda: None)


def test_the_reference_is_of_the_same_format_or_else_of_the_other(digits_run, tmp_path):
    files = load_all([digits_run / "model_int8.tflite", digits_run / "model_float32.onnx"], 1, None, None)
    references = add_references(files, None)
    assert {path.name: file.path.name for path, file in references.items()} == {
        "model_int8.tflite": "model_float32.tflite"
    }
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    (file,) = load_all([tmp_path / "model_int8.tflite"], 1, None, None)
    assert add_references([file], None) == {}
    shutil.copy(digits_run / "model_float32.onnx", tmp_path)
    assert add_references([file], None)[file.path].path == tmp_path / "model_float32.onnx"
    (tmp_path / "model_float32.tflite").write_text("no model")  # broken: the other serves
    assert add_references([file], None)[file.path].path == tmp_path / "model_float32.onnx"


def test_a_float32_file_of_other_classes_is_no_reference(digits_run, tmp_path):
    shutil.copy(digits_run / "model_float32.tflite", tmp_path)
    assert add_references([stand_in(tmp_path / "model_int8.tflite")], None) == {}


def test_broken_files_are_left_out_or_an_error(digits_run, tmp_path):
    (tmp_path / "text.tflite").write_text("I am no model")
    paths = [tmp_path / "text.tflite", digits_run / "model_int8.tflite"]
    with pytest.raises(UserError, match=r"text\.tflite"):
        load_all(paths, 1, None, None)
    said = []
    assert [file.path for file in load_all(paths, 1, None, said.append)] == paths[1:]
    assert json.dumps(said).count("left out text.tflite") == 1
    with pytest.raises(UserError, match=r"text\.tflite"):
        load_all(paths[:1], 1, None, said.append)
