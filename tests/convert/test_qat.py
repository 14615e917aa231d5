import dataclasses
import io

import numpy as np
import onnx
import onnxruntime
import pytest
import tf_keras as keras
from onnx import numpy_helper
from rich.console import Console
from tf_keras import layers

from convert import fixed_ranges, onnx_int8, qat, to_onnx, to_tflite
from convert.fold import fold
from edge.classifier import Classifier
from edge.errors import UserError
from tests.convert.test_fixed_ranges import interpret
from tests.convert.toys import CLASSES, SIZE, coarsen, learn, make_blobs, make_toy
from train.augment import AUGMENTATIONS

SETTINGS = qat.Settings(steps=12, rounds=3, batch_size=16, augmentation=AUGMENTATIONS["none"])
TRAIN, VALIDATION = make_blobs(96, 1), make_blobs(60, 2)


@pytest.fixture(scope="module")
def model():
    return coarsen(learn(make_toy(), *make_blobs(384, 0)))


def tune(model, **changes):
    """Fine-tune on the blobs; the result and what was printed."""
    text = io.StringIO()
    settings = dataclasses.replace(SETTINGS, **changes)
    calibration = TRAIN[0].copy()
    calibration[0, 0, 0], calibration[0, -1, -1] = 0, 255
    return qat.fine_tune(
        model, calibration, TRAIN, VALIDATION, settings, Console(file=text, width=200)
    ), text.getvalue()


@pytest.fixture(scope="module")
def tuned(model):
    return tune(model)


def test_it_starts_where_post_training_quantization_ends(model, tuned):
    images, labels = VALIDATION
    result, _ = tuned
    calibration = TRAIN[0].copy()
    calibration[0, 0, 0], calibration[0, -1, -1] = 0, 255
    _, plain = interpret(to_tflite.to_int8(model, calibration), images)
    expected = model(images.astype(np.float32)).numpy().argmax(axis=1)
    assert (expected == labels).mean() > 0.6  # it has learnt something
    assert result.start.accuracy == pytest.approx((plain.argmax(axis=1) == labels).mean(), abs=1.5 / 60)
    assert result.start.agreement == pytest.approx((plain.argmax(axis=1) == expected).mean(), abs=1.5 / 60)


def test_it_ends_no_worse_and_its_file_says_the_same(model, tuned):
    images, labels = VALIDATION
    result, _ = tuned
    assert result.best.loss < result.start.loss
    assert 0 < result.best_step <= SETTINGS.steps
    _, scores = interpret(fixed_ranges.to_int8(result.model, result.ranges), images)
    expected = model(images.astype(np.float32)).numpy()
    assert (scores.argmax(axis=1) == labels).mean() == pytest.approx(result.best.accuracy, abs=1.5 / 60)
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).mean() == pytest.approx(
        result.best.agreement, abs=1.5 / 60
    )
    clipped = np.maximum(scores / 256, 1e-3)
    divergence = (expected * np.log(np.maximum(expected, 1e-7) / clipped)).sum(axis=1).mean()
    assert divergence == pytest.approx(result.best.loss, abs=5e-3)


def test_the_model_that_was_given_stays_and_so_do_its_batch_norms(model, tuned):
    before = [weight.numpy() for weight in model.weights]
    result, _ = tune(model)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.weights, strict=True))
    moved = [
        not np.array_equal(a, b) for a, b in zip(fold(model).get_weights(), result.model.get_weights(), strict=True)
    ]
    assert all(moved)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(model, tuned):
    results = [tuned[0], tune(model)[0], tune(model, seed=1)[0]]
    first, again, other = (result.model.get_weights() for result in results)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert results[0].ranges == results[1].ranges
    files = [fixed_ranges.to_int8(result.model, result.ranges) for result in results[:2]]
    assert files[0] == files[1]


def test_where_no_step_helps_the_start_is_kept(model):
    result, _ = tune(model, learning_rate=100.0, steps=4)
    assert result.best_step == 0
    assert result.best == result.start
    assert all(np.array_equal(a, b) for a, b in zip(fold(model).get_weights(), result.model.get_weights(), strict=True))


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0), (1 / 127.5, -1)])
def test_its_onnx_answers_as_its_tflite_does(tmp_path, scale, offset):
    images, _ = VALIDATION
    result, _ = tune(learn(make_toy(scale, offset), *make_blobs(384, 0)), steps=6, rounds=1)
    float32 = to_onnx.to_float32(result.model)
    ranges = onnx_int8.ranges_by_layer(float32, result.ranges)
    layers = {name.partition("/")[0] for name in ranges}
    assert layers >= {"conv_relu", "depth_relu", "project", "add", "features", "scores"}
    (tmp_path / "model.onnx").write_bytes(onnx_int8.to_int8(float32, TRAIN[0], ranges=ranges))
    (tmp_path / "model.tflite").write_bytes(fixed_ranges.to_int8(result.model, result.ranges))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.type, given.shape) == ("tensor(uint8)", [1, *SIZE, 3])
    assert (answer.type, answer.shape) == ("tensor(uint8)", [1, CLASSES])
    theirs, ours = (
        np.array([Classifier(tmp_path / f"model.{ending}").scores(image) for image in images])
        for ending in ("onnx", "tflite")
    )
    assert np.ptp(ours, axis=0).max() > 0.2  # answers differ from photo to photo
    assert (theirs.argmax(axis=1) == ours.argmax(axis=1)).mean() >= 58 / 60
    np.testing.assert_allclose(theirs, ours, atol=8 / 255)
    assert np.abs(theirs - ours).mean() < 2 / 255


def test_the_onnx_file_has_the_ranges_that_training_had(tuned):
    result, _ = tuned
    float32 = to_onnx.to_float32(result.model)
    ranges = onnx_int8.ranges_by_layer(float32, result.ranges)
    graph = onnx.load_from_string(onnx_int8.to_int8(float32, TRAIN[0][:4], ranges=ranges)).graph
    scales = [numpy_helper.to_array(each) for each in graph.initializer]
    found = np.array([each.item() for each in scales if each.dtype == np.float32 and each.size == 1])
    for name in ("conv_relu", "depth_relu", "project", "add", "features", "scores"):
        low, high = result.ranges[name]
        assert np.abs(found / ((high - low) / 255) - 1).min() < 1e-5, name


def sequential():
    flat = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((*SIZE, 3)), layers.Rescaling(1 / 255, name="scale"), *flat])


def nested():
    image = keras.Input((*SIZE, 3))
    return behind_scaling(keras.Model(image, layers.Conv2D(3, 1)(image), name="backbone"))


def unscaled():
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(image)))


def unknown():
    return behind_scaling(layers.LayerNormalization())


def behind_scaling(layer):
    image = keras.Input((*SIZE, 3))
    x = layer(layers.Rescaling(1 / 255, name="scale")(image))
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


@pytest.mark.parametrize("make", [sequential, nested, unscaled, unknown])
def test_what_cannot_be_trained_so_is_one_line(make):
    with pytest.raises(UserError, match="quantization-aware training") as refusal:
        tune(make())
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith("quantize without --qat")


def test_it_says_how_it_goes(tuned):
    lines = tuned[1].splitlines()
    assert lines[0].startswith("quantized, not yet fine-tuned  validation: loss 0.")
    assert [line[:10] for line in lines[1:]] == ["step  4/12", "step  8/12", "step 12/12"]
    assert "best so far" in tuned[1]


def test_a_loss_that_is_no_number_is_one_line(model):
    broken = make_toy()
    broken.set_weights(model.get_weights())
    kernel, bias = broken.get_layer("scores").get_weights()
    broken.get_layer("scores").set_weights([kernel * np.nan, bias])
    with pytest.raises(UserError, match=r"finite loss .* quantize without --qat"):
        tune(broken)


def test_a_large_validation_split_is_asked_in_part(model):
    result, _ = tune(model, validation_size=7, steps=1, rounds=1)
    assert (result.start.accuracy * 7) % 1 == pytest.approx(0, abs=1e-6)
