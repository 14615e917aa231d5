import numpy as np
import pytest
import tf_keras as keras

from convert import to_tflite
from convert.evaluation import judge, run_file
from convert.graph import read_layers
from convert.ladder import Judged, Rung, climb
from convert.rungs import ptq_rungs, slow_in_int8


@pytest.fixture(scope="module")
def verdict(lopsided_model, images, tmp_path_factory):
    """What a file does beside Keras; the truth is Keras's answer, so that each other answer is a loss."""
    reference = lopsided_model(images.astype(np.float32)).numpy()
    assert len(set(reference.argmax(axis=1))) > 1

    def ask(content):
        path = tmp_path_factory.mktemp("model") / "model.tflite"
        path.write_bytes(content)
        scores = run_file(path, images)
        told = judge(scores, reference, reference.argmax(axis=1))
        return Judged(told.n, told.accuracy, told.drop_points, told.agreement, 1.0)

    return ask


def test_a_model_that_int8_ruins_is_climbed_for_and_landed(lopsided_tflite, images, verdict):
    told = []
    found = climb(ptq_rungs(lopsided_tflite, images), verdict, 0.0, told.append)
    assert found.holds
    assert found.attempts[0].judged.drop_points > 10
    assert "in float with what they read" in found.kept
    assert "reader" in found.kept
    assert len(found.content) > found.attempts[0].size_bytes
    assert len(told) == len(found.attempts) > 2
    assert verdict(found.content).agreement == 1.0


def test_the_callers_own_first_rung_and_last_rung_count_too(lopsided_tflite, images, verdict):
    trained = []

    def rungs():
        yield from ptq_rungs(lopsided_tflite, images, plain=lambda: lopsided_tflite)
        yield Rung("qat", lambda: trained.append(1) or b"")

    found = climb(rungs(), verdict, 0.0, lambda _: None)
    assert (found.content, len(found.attempts), trained) == (lopsided_tflite, 1, [])


def test_hard_swish_goes_to_float_and_the_rest_stays(images):
    pixels = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
    x = keras.layers.Conv2D(8, 3, name="conv")(x)
    x = x * keras.layers.ReLU(6.0)(x + 3.0) * (1 / 6)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(4, activation="softmax")(x))
    exact = to_tflite.to_float32(model)
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    slow = slow_in_int8(exact, to_tflite.to_int8(model, pinned))
    assert slow == [layer.name for layer in read_layers(exact) if layer.operation == "HARD_SWISH"]
    assert len(slow) == 1
