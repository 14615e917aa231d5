"""Which layers' outputs an int8 device rounds, and between which lowest and highest value: measured on a folded model.

`convert.ranges` measures the operations of a .tflite file; training with rounding needs the layers of Keras, whose
weights it changes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from convert.fold import SCALE, connections, scaling
from convert.ranges import CLIPPED
from edge.errors import UserError

Ranges = dict[str, tuple[float, float]]

KERNELS = {
    keras.layers.Conv2D: "kernel",
    keras.layers.DepthwiseConv2D: "depthwise_kernel",
    keras.layers.Dense: "kernel",
}
# What computes new values, which are rounded, and what hands on those that came in, in the steps that they came in.
_COMPUTES = (
    *KERNELS,
    keras.layers.Add,
    keras.layers.ReLU,
    keras.layers.Activation,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
)
_HANDS_ON = (
    keras.layers.MaxPooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Softmax,
)
_BATCH = 16  # images whose activations are looked at together
_KEPT = 2048  # values of an image and a layer that the choice of a range looks at
_TINY = 1e-6  # the least width of a range; a layer that gives 0 always would have none


def rounded_outputs(folded: keras.Model) -> list[str]:
    """Return the names of the layers of a folded model whose outputs an int8 device rounds, in order.

    Raises:
        UserError: If there is a layer that can't be trained with rounding.
    """
    names = []
    sources = connections(folded)
    for layer in folded.layers[2:]:
        if type(layer) in _COMPUTES:
            _check_activation(layer)
            after = [folded.get_layer(name) for name, taken in sources.items() if layer.name in taken]
            # a device computes such a pair as one
            if not (len(after) == 1 and _is_relu(after[0]) and not _is_relu(layer)):
                names.append(layer.name)
        elif type(layer) not in _HANDS_ON:
            raise UserError(
                f"Expected layers that quantization-aware training knows, got {layer.name} of the type "
                f"{type(layer).__name__}; quantize without --qat"
            )
    return names


def measure_ranges(folded: keras.Model, images: npt.NDArray[np.uint8], share: float = CLIPPED, seed: int = 0) -> Ranges:
    """Return the range of what each layer in `rounded_outputs` gives for images, and of what "scale" can give.

    Args:
        folded: The float model.
        images: Calibration images (N, height, width, 3) uint8 RGB.
        share: Of the values that are cut off on each side, 0-1; 0 for none.
        seed: Fixes which values are looked at.
    """
    names = rounded_outputs(folded)
    taps = keras.Model(folded.input, [folded.get_layer(name).output for name in names])

    @tf.function(
        input_signature=[tf.TensorSpec([None, *folded.input_shape[1:]], tf.uint8), tf.TensorSpec([], tf.int32)]
    )
    def look(batch: tf.Tensor, number: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs = tf.nest.flatten(taps(tf.cast(batch, tf.float32), training=False))
        extremes = tf.stack([[tf.reduce_min(each), tf.reduce_max(each)] for each in outputs])
        return extremes, [_draw(each, (seed, number)) for each in outputs] if share else []

    extremes, drawn = [], []
    for number, start in enumerate(range(0, len(images), _BATCH)):
        found, values = look(images[start : start + _BATCH], number)
        extremes.append(found.numpy())
        drawn.append([each.numpy().ravel() for each in values])
    if share:
        limits = [np.quantile(np.concatenate(values), (share, 1 - share)) for values in zip(*drawn, strict=True)]
    else:
        lowest, highest = np.min(extremes, axis=0)[:, 0], np.max(extremes, axis=0)[:, 1]
        limits = list(zip(lowest, highest, strict=True))
    return {SCALE: input_range(folded)} | {
        name: (min(float(low), 0.0), max(float(high), float(low) + _TINY, _TINY))
        for name, (low, high) in zip(names, limits, strict=True)
    }


def input_range(folded: keras.Model) -> tuple[float, float]:
    """Return what a folded model's layers see of black and of white."""
    scale, zero_point = scaling(folded)
    return -zero_point * scale, (255 - zero_point) * scale


def _draw(output: tf.Tensor, seed: tuple[int, tf.Tensor]) -> tf.Tensor:
    """Return values of a layer's output for some images, at most `_KEPT` an image, drawn at random."""
    images = tf.shape(output)[0]
    values = tf.reshape(output, [images, -1])
    if np.prod(output.shape[1:]) <= _KEPT:
        return values
    places = tf.random.stateless_uniform([images, _KEPT], seed, 0, tf.shape(values)[1], tf.int32)
    return tf.gather(values, places, batch_dims=1)


def _is_relu(layer: keras.layers.Layer) -> bool:
    """Tell whether a layer cuts off below 0, and above 6 or not at all: done along with the layer before it."""
    if type(layer) is keras.layers.ReLU:
        return not layer.negative_slope and not layer.threshold and layer.max_value in (None, 6)
    return type(layer) is keras.layers.Activation and layer.activation is keras.activations.relu


def _check_activation(layer: keras.layers.Layer) -> None:
    """Refuse an activation that a device computes by a table of its own."""
    activation = getattr(layer, "activation", keras.activations.linear)
    if activation not in (keras.activations.linear, keras.activations.relu):
        raise UserError(
            f"Expected activations linear or relu for quantization-aware training, {layer.name} has "
            f"{getattr(activation, '__name__', activation)}; quantize without --qat"
        )
