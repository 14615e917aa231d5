from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import sklearn
import tf_keras as keras

from edge import preprocess
from edge.errors import UserError
from train.models import MODELS, build
from train.torch_file import read_tensors
from train.weights import find_weights

NAME = "efficientnet_lite0"
GRACE_HOPPER = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")  # in the Navy's uniform
FLOWER = Path(sklearn.__file__).parent / "datasets" / "images" / "flower.jpg"


@pytest.fixture(scope="module")
def path():
    return find_weights(MODELS[NAME].pretrained, "imagenet", (224, 224))


@pytest.fixture(scope="module")
def tensors(path):
    return read_tensors(path)


@pytest.fixture(scope="module")
def model(path):
    return build(NAME, (224, 224), 1000, weights=path)


def convolve(x, kernel, stride, groups):
    """Convolve (H, W, C) with torch's (out, C / groups, side, side), padded as TensorFlow's SAME does."""
    out, _, side, _ = kernel.shape
    height, width = (-(-size // stride) for size in x.shape[:2])
    missing = [max((n - 1) * stride + side - size, 0) for n, size in zip((height, width), x.shape, strict=False)]
    x = np.pad(x, [*((each // 2, each - each // 2) for each in missing), (0, 0)])
    result = np.zeros((height, width, out))
    for row in range(side):
        for column in range(side):
            part = x[row : row + height * stride : stride, column : column + width * stride : stride]
            weights = kernel[:, :, row, column]
            result += part * weights[:, 0] if groups > 1 else part @ weights.T
    return result


def normalise(x, tensors, name):
    weight, bias, mean, variance = (
        tensors[f"{name}.{part}"].astype(float) for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * weight + bias


def relu6(x):
    return np.clip(x, 0, 6)


def test_the_first_blocks_are_what_numpy_works_out(model, tensors):
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3))
    x = relu6(normalise(convolve((pixels - 127) / 128, tensors["_conv_stem.weight"], 2, 1), tensors, "_bn0"))
    for number, stride in ((0, 1), (1, 2), (2, 1)):
        block, start = f"_blocks.{number}", x
        if number:
            x = convolve(x, tensors[f"{block}._expand_conv.weight"], 1, 1)
            x = relu6(normalise(x, tensors, f"{block}._bn0"))
        x = convolve(x, tensors[f"{block}._depthwise_conv.weight"], stride, x.shape[-1])
        x = relu6(normalise(x, tensors, f"{block}._bn1"))
        x = normalise(convolve(x, tensors[f"{block}._project_conv.weight"], 1, 1), tensors, f"{block}._bn2")
        if number == 2:  # same shape as its input
            x = x + start
    ours = keras.Model(model.input, model.get_layer("block_2_add").output)(pixels[None].astype(np.float32))[0]
    np.testing.assert_allclose(ours, x, atol=1e-3)


def test_it_has_the_weights_that_it_was_published_with(model, tensors):
    counted = sum(array.size for name, array in tensors.items() if not name.endswith("num_batches_tracked"))
    assert model.count_params() == counted


@pytest.mark.parametrize(("photo", "expected"), [(GRACE_HOPPER, "military uniform"), (FLOWER, "daisy")])
def test_it_knows_what_is_in_a_photo(photo, expected, model, tensors):
    index = {"military uniform": 652, "daisy": 985}[expected]  # of ImageNet's 1,000 classes
    model.get_layer("scores").set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    image = preprocess.to_image(cv2.imread(str(photo)), (224, 224))
    assert model(image[None]).numpy().argmax() == index


def test_another_networks_file_is_refused_in_one_line(tensors, path, monkeypatch):
    strange = dict(tensors) | {"_blocks.1._depthwise_conv.weight": np.zeros((96, 1, 5, 5), np.float32)}
    for found, expected in (({}, r"_conv_stem.weight for \(3, 3, 3, 32\) is none"), (strange, r"\(96, 1, 5, 5\)")):
        monkeypatch.setattr("train.efficientnet_lite.read_tensors", lambda _, found=found: found)
        with pytest.raises(UserError, match=f"Expected EfficientNet-Lite0's weights in .*{expected}") as error:
            build(NAME, (64, 64), 2, weights=path)
        assert "\n" not in str(error.value)
