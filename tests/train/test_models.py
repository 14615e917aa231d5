import numpy as np
import pytest

from train.models import MODELS, cnn


@pytest.fixture
def keras():
    import tf_keras

    return tf_keras


def test_the_cnn_is_the_layers_that_it_says(keras):
    model = cnn((128, 128), 2)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D"]
    assert kinds == ["InputLayer", "Rescaling", *block * 3, "Flatten", "Dense", "Dropout", "Dense"]
    assert [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")] == [
        *("relu", "relu", "relu", "relu", "softmax")
    ]
    convolutions = (27 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128)
    assert model.count_params() == convolutions + (16 * 16 * 128 * 128 + 128) + (128 * 2 + 2)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_raw_pixels_and_gives_float32_scores(name, keras):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = MODELS[name]((32, 48), 5)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 48, 3), np.uint8)
    scores = model(pixels)
    assert (tuple(scores.shape), scores.dtype.name) == ((4, 5), "float32")
    np.testing.assert_allclose(scores.numpy().sum(axis=1), 1, rtol=1e-6)
    scaled = keras.Model(model.input, model.get_layer("scale").output)(pixels)
    np.testing.assert_allclose(scaled, pixels / 255, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_behind_the_scaling_is_one_flat_graph(name, keras):
    model = MODELS[name]((32, 32), 3)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    rest = keras.Model(model.get_layer("scale").output, model.output)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(rest(pixels / np.float32(255)), model(pixels), atol=1e-6)
