"""The architectures by name. Each is one flat graph from raw pixels, 0-255, to the scores of the classes.

Importable without TensorFlow, so that the names are at hand for flags.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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


MODELS: dict[str, Callable[[tuple[int, int], int], keras.Model]] = {"cnn": cnn}

SMALLEST_SIDE = 8  # three poolings leave one pixel of it
