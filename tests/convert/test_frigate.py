import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.frigate import write_frigate
from edge import UserError

LABELS = ["none", "front door", "Tür"]
# Frigate's own rules, in a program that knows nothing of us.
PROGRAM = Path(__file__).parents[1] / "consumers" / "programs" / "frigate.py"


@pytest.fixture(scope="module")
def photos():
    """Smooth random images (12, 224, 224, 3) uint8."""
    coarse = np.random.default_rng(1).integers(0, 256, (12, 3, 3, 3), dtype=np.uint8)
    photos = np.stack([cv2.resize(each, (224, 224), interpolation=cv2.INTER_LINEAR) for each in coarse])
    photos[0, 0, 0], photos[0, -1, -1] = 0, 255  # calibration sets the input's range by them
    return photos


@pytest.fixture(scope="module")
def models(photos, tmp_path_factory):
    """Files of one tiny model for images of 224x224: int8 and float32."""
    import tf_keras as keras

    from convert import to_tflite

    keras.utils.set_random_seed(4)
    image = keras.Input((224, 224, 3))
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.AveragePooling2D(56)(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    folder = tmp_path_factory.mktemp("models")
    (folder / "model_int8.tflite").write_bytes(to_tflite.to_int8(model, photos))
    (folder / "model_float32.tflite").write_bytes(to_tflite.to_float32(model))
    return folder


def test_frigate_finds_the_labels_and_the_answers_of_the_bare_runtime(models, photos, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    folder = tmp_path / "model_cache" / "door"
    write_frigate(models / "model_int8.tflite", LABELS, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["labelmap.txt", "model.tflite"]
    np.savez(tmp_path / "photos.npz", images=photos)
    line = [sys.executable, "-I", str(PROGRAM), str(folder), str(tmp_path / "photos.npz"), str(tmp_path / "answer")]
    subprocess.run(line, check=True, capture_output=True)
    told = json.loads((tmp_path / "answer").read_text())
    assert told["labels"] == LABELS
    interpreter = Interpreter(model_path=str(models / "model_int8.tflite"))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    for photo, scores in zip(photos, told["scores"], strict=True):
        interpreter.set_tensor(given["index"], photo[np.newaxis])
        interpreter.invoke()
        assert scores == interpreter.get_tensor(answer["index"])[0].tolist()
    assert len({tuple(scores) for scores in told["scores"]}) > 1


def test_a_second_model_takes_the_first_ones_place(models, tmp_path):
    write_frigate(models / "model_int8.tflite", LABELS, tmp_path)
    write_frigate(models / "model_int8.tflite", ["one", "two", "three"], tmp_path)
    assert (tmp_path / "labelmap.txt").read_text() == "one\ntwo\nthree\n"
    assert (tmp_path / "model.tflite").read_bytes() == (models / "model_int8.tflite").read_bytes()


def test_what_frigate_could_not_use_is_refused_and_nothing_is_written(models, digits_run, tmp_path):
    folder = tmp_path / "folder"
    for model, words in [
        (models / "model_float32.tflite", "takes uint8 pixels, .* takes float32; convert with --int8"),
        (digits_run / "model_float32.onnx", "needs a .tflite file"),
        (digits_run / "model_int8.tflite", "images of 224x224, .* takes 32x32; train with --image-size 224"),
    ]:
        with pytest.raises(UserError, match=words):
            write_frigate(model, LABELS, folder)
    assert not folder.exists()


@pytest.mark.parametrize("label", ["", " ", "two\nlines", " door", "door\t", "a\u2028b"])
def test_a_label_that_a_line_can_not_hold(models, label, tmp_path):
    with pytest.raises(UserError, match="does not survive; rename the class"):
        write_frigate(models / "model_int8.tflite", ["none", "door", label], tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_labels_of_another_count_than_the_models_classes(models, tmp_path):
    with pytest.raises(UserError, match="3 classes, got 2 labels"):
        write_frigate(models / "model_int8.tflite", ["none", "door"], tmp_path)
