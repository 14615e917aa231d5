import numpy as np
import pytest
import tf_keras as keras
from tf_keras import layers

from convert.fold import behind_scale, fold, scaling
from edge.errors import UserError
from tests.convert.toys import SIZE, make_blobs, make_toy
from train.models import MODELS, build


def scores(model, images):
    return model(images.astype(np.float32), training=False).numpy()


def test_the_folded_model_gives_the_same_scores_without_batch_norms_and_dropout():
    model, (images, _) = make_toy(), make_blobs(20, 1)
    before = [weight.numpy() for weight in model.weights]
    folded = fold(model)
    np.testing.assert_allclose(scores(folded, images), scores(model, images), atol=1e-5)
    assert np.ptp(scores(model, images)[:, 0]) > 0.02  # it does tell images apart
    assert [layer.name for layer in folded.layers] == [
        "image", "scale", "conv", "conv_relu", "depth", "depth_relu", "project", "add", "pool", "features", "scores",
        "softmax"
    ]  # fmt: skip
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.weights, strict=True))


def test_a_folded_kernel_by_hand():
    model = make_toy()
    (kernel,) = model.get_layer("depth").get_weights()
    gamma, beta, mean, variance = model.get_layer("depth_bn").get_weights()
    folded_kernel, folded_bias = fold(model).get_layer("depth").get_weights()
    for channel in range(8):
        factor = gamma[channel] / np.sqrt(variance[channel] + 1e-3)
        np.testing.assert_allclose(folded_kernel[:, :, channel, 0], kernel[:, :, channel, 0] * factor, rtol=1e-5)
        np.testing.assert_allclose(folded_bias[channel], beta[channel] - mean[channel] * factor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_train_folds(name):
    keras.utils.set_random_seed(0)
    model = build(name, (32, 32), 3)
    folded = fold(model)
    kinds = {type(layer).__name__ for layer in folded.layers}
    assert not kinds & {"BatchNormalization", "Dropout"}
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    np.testing.assert_allclose(scores(folded, images), scores(model, images), atol=2e-3)


@pytest.mark.parametrize(
    ("scale", "offset", "zero_point"), [(1 / 255, 0, 0), (1 / 128, -127 / 128, 127), (1 / 127.5, -1, 128)]
)
def test_the_zero_point_is_a_whole_grey_level(scale, offset, zero_point):
    folded = fold(make_toy(scale, offset))
    assert scaling(folded) == (pytest.approx(scale), zero_point)
    grey = np.full((1, *SIZE, 3), zero_point, np.float32)
    assert np.abs(keras.Model(folded.input, folded.get_layer("scale").output)(grey)).max() < 1e-6


def test_half_a_grey_level_goes_into_the_bias_and_only_the_padding_is_another_grey():
    images, _ = make_blobs(6, 2)
    for padding in ("valid", "same"):
        keras.utils.set_random_seed(0)
        image = keras.Input((*SIZE, 3))
        x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
        x = layers.Conv2D(4, 3, padding=padding, use_bias=False, name="conv")(x)
        x = layers.GlobalAveragePooling2D()(x)
        model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
        folded = fold(model)
        conv, plain = (keras.Model(each.input, each.get_layer("conv").output) for each in (folded, model))
        difference = np.abs(scores(conv, images) - scores(plain, images))
        if padding == "valid":
            assert difference.max() < 1e-5
            continue
        assert difference[:, 1:-1, 1:-1].max() < 1e-5
        # what the folded model sees round the picture is grey 128, where the model saw 127.5
        framed = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128) / 127.5 - 1
        (kernel,) = plain.get_layer("conv").get_weights()
        expected = sum(
            framed[:, row : row + SIZE[0], column : column + SIZE[1]] @ kernel[row, column]
            for row in range(3)
            for column in range(3)
        )
        np.testing.assert_allclose(scores(conv, images), expected, atol=1e-5)
        assert 0 < difference.max() <= 0.5 / 127.5 * np.abs(kernel).sum(axis=(0, 1, 2)).max()


def test_the_part_behind_scale_is_equal_to_the_bit():
    folded, (images, _) = fold(make_toy()), make_blobs(4, 3)
    scaled = keras.Model(folded.input, folded.get_layer("scale").output)(images.astype(np.float32))
    np.testing.assert_array_equal(behind_scale(folded)(scaled), scores(folded, images))
    fold(folded)  # whose layers are now in two models


def wrapped(*, scaled=True, **layers_by_name):
    """A model of some layers one after the other."""
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale")(image) if scaled else image
    for layer in layers_by_name.values():
        x = layer(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)), name="wrapped")


def sequential():
    return keras.Sequential([keras.Input((*SIZE, 3)), layers.Rescaling(1 / 255, name="scale"), layers.Flatten()])


def shared():
    conv = layers.Conv2D(3, 1, name="twice")
    return wrapped(one=conv, two=conv)


def half_a_level_before_pooling():
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.MaxPooling2D(name="pool")(layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image))
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (sequential, "Expected a functional model .* a Sequential"),
        (lambda: wrapped(nested=wrapped_backbone()), "backbone in wrapped is a model by itself"),
        (shared, "twice in wrapped is used twice"),
        (lambda: wrapped(scaled=False), 'layer "scale" .* wrapped has none'),
        (lambda: wrapped(relu=layers.ReLU(name="r"), norm=layers.BatchNormalization(name="n")), "n follows r"),
        (
            lambda: wrapped(
                conv=layers.Conv2D(3, 1, activation="relu", name="c"), n=layers.BatchNormalization(name="n")
            ),
            "n follows c",
        ),
        (half_a_level_before_pooling, "no whole grey level .* got pool"),
        (lambda: make_toy(1 / 255, 0.5), "grey level of 0 to 255"),
    ],
)
def test_what_cannot_be_folded_is_one_line(make, told):
    with pytest.raises(UserError, match=told) as refusal:
        fold(make())
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith("quantize without --qat")


def wrapped_backbone():
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, layers.Conv2D(3, 1)(image), name="backbone")
