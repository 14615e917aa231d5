import json
import warnings

import numpy as np
import pytest
import tensorflow
import tf_keras as keras

from edge.errors import UserError
from train.models import MODELS, build, find_model

# What each model's first layer makes of a pixel's value.
SCALED = {
    "cnn": lambda pixels: pixels / 255,
    "cnn_gap": lambda pixels: pixels / 255,
    "mobilenet_v2": lambda pixels: pixels / 127.5 - 1,
    "resnet50": lambda pixels: (pixels - 127) / 128,
    "efficientnet_lite0": lambda pixels: (pixels - 127) / 128,
}
WITH_BACKBONE = [name for name in MODELS if name != "cnn"]


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    """Each model for 3 classes of images 32x32."""
    return build(request.param, (32, 32), 3)


def test_the_cnn_is_the_layers_that_it_says():
    model = build("cnn", (128, 128), 2)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D"]
    assert kinds == ["InputLayer", "Rescaling", *block * 3, "Flatten", "Dense", "Dropout", "Dense"]
    assert [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")] == [
        *("relu", "relu", "relu", "relu", "softmax")
    ]
    convolutions = (27 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128)
    assert model.count_params() == convolutions + (16 * 16 * 128 * 128 + 128) + (128 * 2 + 2)


def test_the_lighter_cnn_has_a_fifteenth_of_the_weights_and_norms_that_fold():
    model = build("cnn_gap", (128, 128), 2)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = [*["Conv2D", "BatchNormalization", "ReLU"] * 2, "MaxPooling2D"]
    head = ["GlobalAveragePooling2D", "Dropout", "Dense"]
    assert kinds == ["InputLayer", "Rescaling", *block * 3, *head]
    kernels = 9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
    norms = 4 * 2 * (32 + 64 + 128)
    assert model.count_params() == kernels + norms + (128 * 2 + 2)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_raw_pixels_and_gives_float32_scores(name):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build(name, (32, 48), 5)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), np.uint8)
    scores = model(pixels)
    assert (tuple(scores.shape), scores.dtype.name) == ((4, 5), "float32")
    np.testing.assert_allclose(scores.numpy().sum(axis=1), 1, rtol=1e-5)
    scaled = keras.Model(model.input, model.get_layer("scale").output)(pixels)
    np.testing.assert_allclose(scaled, SCALED[name](pixels.astype(float)), atol=1e-6)


def test_behind_the_scaling_is_one_flat_graph_that_can_be_trained_for_int8(model, pixels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_model_optimization as tfmot
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    rest = keras.Model(model.get_layer("scale").output, model.output)
    scaled = SCALED[model.name](pixels)
    np.testing.assert_allclose(rest(scaled), model(pixels), atol=1e-5)
    quantized = tfmot.quantization.keras.quantize_model(rest)
    np.testing.assert_allclose(quantized(scaled).numpy().sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", WITH_BACKBONE)
def test_a_classifier_is_put_on_a_vector_of_features(name):
    model = build(name, (64, 32), 3)
    features, dropout, scores = model.layers[-3:]
    assert [layer.name for layer in (features, dropout, scores)] == ["features", "dropout", "scores"]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3))
    maps, vectors = keras.Model(model.input, [features.input, features.output])(pixels)
    np.testing.assert_allclose(vectors, maps.numpy().mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    kernel, bias = scores.get_weights()
    logits = vectors.numpy() @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model(pixels), expected, atol=1e-5)


def test_a_model_is_rebuilt_from_what_a_file_says_of_it(model, pixels):
    again = keras.Model.from_config(json.loads(model.to_json())["config"])
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(pixels), model(pixels))


def test_a_step_along_the_gradient_makes_the_loss_smaller(model, pixels):
    def loss():
        return keras.losses.sparse_categorical_crossentropy([0, 2], model(pixels))[0]

    with tensorflow.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, model.trainable_weights)
    length = sum(float(tensorflow.reduce_sum(each**2)) for each in gradients)
    step = 0.01 * float(before) / length  # as far as the loss falls by a hundredth
    weights = model.get_weights()
    for variable, gradient in zip(model.trainable_weights, gradients, strict=True):
        variable.assign_sub(step * gradient)
    after = loss()
    model.set_weights(weights)
    assert float(after) == pytest.approx(0.99 * float(before), rel=0.005)


def test_resnets_colours_are_what_keras_makes_of_them(pixels):
    model = build("resnet50", (32, 32), 3)
    ours = keras.Model(model.input, model.get_layer("bgr").output)(pixels)
    np.testing.assert_allclose(ours, keras.applications.resnet50.preprocess_input(pixels.copy()), atol=1e-4)
    assert not model.get_layer("bgr").trainable


def test_mobilenet_comes_in_several_widths():
    counts = {alpha: build("mobilenet_v2", (32, 32), 2, alpha=alpha).count_params() for alpha in (0.35, 1.0)}
    own = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    assert counts[1.0] == own.count_params() + 1280 * 2 + 2
    assert counts[0.35] < counts[1.0] / 4
    with pytest.raises(UserError, match=r"--alpha for mobilenet_v2 only, got 0.5 for cnn"):
        build("cnn", (32, 32), 2, alpha=0.5)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_its_smallest_side_and_none_below(name):
    side = MODELS[name].smallest_side
    assert build(name, (side, side), 2).output_shape == (None, 2)
    with pytest.raises(UserError, match=f"at least {side} for {name}, got 99x{side - 1}"):
        build(name, (99, side - 1), 2)


def test_an_unknown_model_is_told(tmp_path):
    with pytest.raises(UserError, match=r"one of cnn, cnn_gap, .* as --model, got 'vgg'"):
        find_model("vgg")
    with pytest.raises(UserError, match="cnn_gap takes no weights; leave out --weights"):
        build("cnn_gap", (32, 32), 2, weights=tmp_path / "any.h5")
