"""A model that rounds as an int8 device does and can still be trained: tfmot's wrappers, started from what is known.

tfmot's own `quantize_model` starts every range at -6 to 6, takes one range for all channels of a depthwise kernel where
the device has one for each, and leaves the weights before a separate ReLU unrounded; so the layers are wrapped here.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from convert.fold import behind_scale
from convert.layer_ranges import KERNELS, rounded_outputs
from convert.onnx_weights import LARGEST, LARGEST_PAIR, SMALLEST

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it compares versions by distutils
    import tensorflow_model_optimization as tfmot

_MODEL = tfmot.quantization.keras
_PREFIX = "quant_"  # of a wrapper's name, before that of its layer


def with_rounding(
    folded: keras.Model, ranges: Mapping[str, tuple[float, float]], *, kernels: bool = True, in_pairs: bool = False
) -> keras.Model:
    """Return the part behind "scale" as a model that rounds outputs, and kernels if asked, from the same weights.

    Ranges of outputs stay as they are given, those of kernels follow the kernels.

    Args:
        folded: The float model.
        ranges: Of the outputs that are rounded, by the layer's name.
        kernels: Whether kernels are rounded too.
        in_pairs: Whether they are rounded in the wider steps of an int8 .onnx, see `convert.onnx_weights`.
    """
    rounded = set(rounded_outputs(folded))

    def wrap(layer: keras.layers.Layer) -> keras.layers.Layer:
        copy = type(layer).from_config(layer.get_config())
        return _MODEL.QuantizeWrapperV2(
            copy, _Rounding(KERNELS.get(type(layer)) if kernels else None, layer.name in rounded, in_pairs)
        )

    model = behind_scale(folded)
    rounding = keras.models.clone_model(model, clone_function=wrap)
    for layer in model.layers[1:]:
        wrapper = rounding.get_layer(f"{_PREFIX}{layer.name}")
        values = dict(zip(_weight_names(layer), layer.get_weights(), strict=True))
        if layer.name in rounded:
            values |= dict(zip(("output_min", "output_max"), ranges[layer.name], strict=True))
        for variable in wrapper.weights:
            name = variable.name.split("/")[-1].split(":")[0]
            if name in values:
                variable.assign(values[name])
    update_kernel_ranges(rounding)
    return rounding


def rounded_output(rounding: keras.Model, name: str) -> Any:
    """Return the symbolic output that the layer `name` of the folded model has in the model that rounds."""
    return rounding.get_layer(f"{_PREFIX}{name}").output


def update_kernel_ranges(rounding: keras.Model) -> None:
    """Set the ranges of weights by the weights: training does so before a step, not after it."""
    for wrapper in rounding.layers[1:]:
        for kernel, quantizer, variables in wrapper._weight_vars:
            quantizer(kernel, True, variables)


def trained_weights(rounding: keras.Model) -> list[tuple[str, tf.Variable]]:
    """Return the variables to train, each with its layer's name in the folded model.

    tfmot gives the kernels of frozen layers among the trainable ones.
    """
    wrappers = [wrapper for wrapper in rounding.layers[1:] if wrapper.layer.trainable]
    return [(wrapper.layer.name, weight) for wrapper in wrappers for weight in wrapper.trainable_weights]


def take_weights(folded: keras.Model, rounding: keras.Model) -> None:
    """Put the weights of the model that rounds into the float model that it was made from."""
    for wrapper in rounding.layers[1:]:
        layer = folded.get_layer(wrapper.layer.name)
        values = {each.name.split("/")[-1].split(":")[0]: each.numpy() for each in wrapper.weights}
        layer.set_weights([values[name] for name in _weight_names(layer)])


def paired_scales(kernel: tf.Tensor) -> tf.Tensor:
    """Return the scales (O,) of a kernel (..., I, O) by which no pair of weights overflows, as `convert.onnx_weights`.

    But for a last step there, of less than one in a hundred: what rounds up to a pair that is too large.
    """
    channels = kernel.shape[-1]
    rows = tf.reshape(tf.transpose(kernel, [kernel.shape.rank - 1, *range(kernel.shape.rank - 1)]), [channels, -1])
    largest = tf.reduce_max(tf.abs(rows), axis=1) / LARGEST
    if kernel.shape[-2] > 1:
        pairs = tf.reshape(tf.pad(rows, [[0, 0], [0, rows.shape[1] % 2]]), [channels, -1, 2])
        sums = [tf.reduce_sum(tf.nn.relu(sign * pairs), axis=2) for sign in (1.0, -1.0)]
        largest = tf.maximum(largest, tf.reduce_max(tf.maximum(*sums), axis=1) / (LARGEST_PAIR + 1))
    return tf.maximum(largest, SMALLEST)


class _OutputRange(_MODEL.quantizers.MovingAverageQuantizer):  # type: ignore[misc]
    """Rounds an output within a range that training doesn't move."""

    def __init__(self) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict[str, tf.Variable], **_: Any) -> tf.Tensor:
        """Round."""
        return super().__call__(inputs, False, weights)


class _ChannelRanges(_MODEL.quantizers.LastValueQuantizer):  # type: ignore[misc]
    """Rounds a kernel within a range for each output channel, -127 to 127 steps."""

    def __init__(self, depthwise: bool, in_pairs: bool) -> None:
        super().__init__(num_bits=8, per_axis=True, symmetric=True, narrow_range=True)
        self._depthwise, self._in_pairs = depthwise, in_pairs and not depthwise

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> dict[str, tf.Variable]:
        """Make the variables of the ranges."""
        built: dict[str, tf.Variable] = super().build(self._shape(tensor_shape), name, layer)
        return built

    def __call__(self, inputs: tf.Tensor, training: bool, weights: dict[str, tf.Variable], **_: Any) -> tf.Tensor:
        """Round."""
        kernel = tf.reshape(inputs, self._shape(inputs.shape))
        if not self._in_pairs:
            return tf.reshape(super().__call__(kernel, training, weights), inputs.shape)
        if training:
            span = 127 * paired_scales(kernel)
            weights["min_var"].assign(-span)
            weights["max_var"].assign(span)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, weights["min_var"], weights["max_var"], num_bits=8, narrow_range=True
        )

    def _shape(self, shape: Any) -> list[int]:
        """Return a kernel's shape with all output channels along the last axis."""
        return [*shape[:2], 1, shape[2] * shape[3]] if self._depthwise else list(shape)


class _Rounding(_MODEL.QuantizeConfig):  # type: ignore[misc]
    """What of a layer is rounded: its kernel, if it has one, and its output."""

    def __init__(self, kernel: str | None, output: bool, in_pairs: bool) -> None:
        self._kernel, self._output, self._in_pairs = kernel, output, in_pairs

    def get_weights_and_quantizers(self, layer: keras.layers.Layer) -> list[tuple[tf.Variable, Any]]:
        """Return the kernel."""
        if self._kernel is None:
            return []
        return [(getattr(layer, self._kernel), _ChannelRanges(self._kernel == "depthwise_kernel", self._in_pairs))]

    def get_activations_and_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """Return nothing: an activation within a layer is rounded as the layer's output."""
        return []

    def set_quantize_weights(self, layer: keras.layers.Layer, quantize_weights: list[tf.Tensor]) -> None:
        """Let the layer compute with the rounded kernel."""
        for weight in quantize_weights:
            setattr(layer, str(self._kernel), weight)

    def set_quantize_activations(self, layer: keras.layers.Layer, quantize_activations: list[Any]) -> None:
        """Do nothing."""

    def get_output_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """Return what rounds the output."""
        return [_OutputRange()] if self._output else []

    def get_config(self) -> dict[str, Any]:
        """Return what `__init__` takes."""
        return {"kernel": self._kernel, "output": self._output, "in_pairs": self._in_pairs}


def _weight_names(layer: keras.layers.Layer) -> list[str]:
    """Return the names of a layer's weights within it, such as "kernel"."""
    return [weight.name.split("/")[-1].split(":")[0] for weight in layer.weights]
