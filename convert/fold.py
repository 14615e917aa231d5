"""Rewrites a model as an int8 device computes it: batch norms inside the convolutions before them, a whole zero point.

The rewritten model gives the scores of the old one. It has layers that training alone needs no more, and what
quantization measures, the output of each layer, is what a device stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from edge.errors import UserError

SCALE = "scale"  # the layer that turns raw pixels into what the network wants

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)

Weights = dict[str, list[npt.NDArray[np.float32]]]


def fold(model: keras.Model) -> keras.Model:
    """Return the model without batch norms and dropout, with the softmax as a layer of its own.

    Its layers keep their names; "softmax" is new, and the layer before it gives logits. Its input is the raw pixels as
    before, and "scale" subtracts a whole number of grey levels, so that an int8 input can be the pixels' very bytes.

    Where "scale" adds a part of a grey level, as MobileNetV2's p / 127.5 - 1 does, that part moves into the bias of the
    layer behind it. Only what a padding adds around the picture is then another grey, by half a level at most.

    Args:
        model: A flat functional model with a Rescaling "scale" behind its input and a convolution or dense layer before
            each batch norm.

    Raises:
        UserError: If the model is of another kind.
    """
    layers = list(model.layers)
    sources = connections(model)
    _check(model, sources)
    weights: Weights = {layer.name: layer.get_weights() for layer in layers}
    stand_ins = _fold_batch_norms(layers, sources, weights)
    scale, zero_point, rest = _whole_zero_point(layers[1])
    if rest:
        _move_offset(rest, [layer for layer in layers if SCALE in sources[layer.name]], weights)

    image = keras.Input(model.input_shape[1:], name=layers[0].name)
    outputs = {layers[0].name: image}
    rebuilt = []
    for layer in layers[1:]:
        inputs = [outputs[name] for name in sources[layer.name]]
        if layer.name in stand_ins or isinstance(layer, keras.layers.Dropout):
            outputs[layer.name] = inputs[0]
            continue
        if layer.name == SCALE:
            copy = keras.layers.Rescaling(scale, -zero_point * scale, name=SCALE, dtype="float32")
        else:
            copy = _copy(layer, len(weights[layer.name]))
            rebuilt.append((copy, weights[layer.name]))
        outputs[layer.name] = copy(inputs[0] if len(inputs) == 1 else inputs)
    scores = outputs[layers[-1].name]
    if isinstance(layers[-1], keras.layers.Dense):
        scores = keras.layers.Softmax(name="softmax", dtype="float32")(scores)
    folded = keras.Model(image, scores, name=model.name)
    for copy, values in rebuilt:
        copy.set_weights(values)
    return folded


def connections(model: keras.Model) -> dict[str, list[str]]:
    """Return the names of the layers whose outputs each layer of a flat functional model takes, in order.

    Raises:
        UserError: If the model isn't one flat graph.
    """
    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential) or not model._is_graph_network:
        raise UserError(
            f"Expected a functional model for quantization-aware training, got {model.name}, a "
            f"{type(model).__name__}; quantize without --qat"
        )
    sources: dict[str, list[str]] = {}
    # of the model, not of its layers: one that was cut out of another model shares layers with it
    for node in (node for nodes in model._nodes_by_depth.values() for node in nodes):
        layer = node.layer
        if isinstance(layer, keras.Model) or layer.name in sources:
            what = "is a model by itself" if isinstance(layer, keras.Model) else "is used twice"
            raise UserError(
                f"Expected one flat graph for quantization-aware training, {layer.name} in {model.name} {what}; "
                "quantize without --qat"
            )
        sources[layer.name] = [tensor.node.layer.name for tensor in node.keras_inputs]
    return sources


def scaling(folded: keras.Model) -> tuple[float, int]:
    """Return a folded model's scale and zero point: of a grey level p its layers see scale * (p - zero point)."""
    layer = folded.get_layer(SCALE)
    return float(layer.scale), round(-float(layer.offset) / float(layer.scale))


def behind_scale(folded: keras.Model) -> keras.Model:
    """Return the part of a model that tfmot can quantize: from the scaled image to the scores; it shares the layers."""
    return keras.Model(folded.get_layer(SCALE).output, folded.output, name=folded.name)


def _check(model: keras.Model, sources: dict[str, list[str]]) -> None:
    """Refuse what has no layer "scale" behind its input, or more behind its input than that."""
    layers = model.layers
    is_scaled = len(layers) > 1 and type(layers[1]) is keras.layers.Rescaling and layers[1].name == SCALE
    if not is_scaled or any(layers[0].name in sources[layer.name] for layer in layers[2:]):
        raise UserError(
            f'Expected a layer "{SCALE}" of the type Rescaling behind the pixels for quantization-aware training, '
            f"{model.name} has none; quantize without --qat"
        )


def _fold_batch_norms(
    layers: Sequence[keras.layers.Layer], sources: dict[str, list[str]], weights: Weights
) -> set[str]:
    """Multiply what batch norms do into the weights before them; return the names of those batch norms."""
    by_name = {layer.name: layer for layer in layers}
    folded = set()
    for layer in layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        before = by_name[sources[layer.name][0]]
        consumers = [name for name, names in sources.items() if before.name in names]
        is_linear = type(before) in _LINEAR and before.activation is keras.activations.linear
        if not is_linear or consumers != [layer.name]:
            raise UserError(
                f"Expected a convolution without activation before each batch norm for quantization-aware training, "
                f"{layer.name} follows {before.name}; quantize without --qat"
            )
        factor, shift = _factor_and_shift(layer)
        kernel, bias = weights[before.name][0], _bias(weights[before.name])
        weights[before.name] = [kernel * _along_outputs(before, kernel, factor), bias * factor + shift]
        folded.add(layer.name)
    return folded


def _factor_and_shift(norm: keras.layers.BatchNormalization) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return what a batch norm multiplies by and adds once it is trained, each (channels,) float64."""
    mean, variance = (each.numpy().astype(np.float64) for each in (norm.moving_mean, norm.moving_variance))
    factor = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        factor = factor * norm.gamma.numpy()
    return factor, (norm.beta.numpy() if norm.center else 0) - mean * factor


def _bias(weights: list[npt.NDArray[np.float32]]) -> npt.NDArray[Any] | float:
    """Return a layer's bias; 0 where it has none."""
    return weights[1] if len(weights) > 1 else 0.0


def _along_outputs(layer: keras.layers.Layer, kernel: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Shape a value for each output channel so that it broadcasts along a layer's kernel."""
    return values.reshape(kernel.shape[2:]) if isinstance(layer, keras.layers.DepthwiseConv2D) else values


def _whole_zero_point(layer: keras.layers.Rescaling) -> tuple[float, int, float]:
    """Return scale, zero point and the rest of p * scale + offset = (p - zero point) * scale + rest."""
    scale, offset = float(layer.scale), float(layer.offset)
    zero_point = round(-offset / scale)
    rest = zero_point * scale + offset
    if not 0 <= zero_point <= 255 or scale <= 0:
        raise UserError(
            f"Expected a {SCALE} that maps a grey level of 0 to 255 to 0 for quantization-aware training, got "
            f"{scale:g} * p + {offset:g}; quantize without --qat"
        )
    return scale, zero_point, rest if abs(rest) > 1e-6 * scale else 0.0


def _move_offset(rest: float, layers: Sequence[keras.layers.Layer], weights: Weights) -> None:
    """Let the layers behind "scale" add what it adds no more: `rest` times the sum of their weights."""
    for layer in layers:
        if type(layer) not in _LINEAR:
            raise UserError(
                f"Expected a convolution behind {SCALE} for quantization-aware training, since it maps no whole grey "
                f"level to 0, got {layer.name}; quantize without --qat"
            )
        kernel = weights[layer.name][0].astype(np.float64)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            added = kernel.sum(axis=(0, 1)).ravel()
        else:
            added = kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)
        weights[layer.name] = [weights[layer.name][0], _bias(weights[layer.name]) + rest * added]


def _copy(layer: keras.layers.Layer, count: int) -> keras.layers.Layer:
    """Return a layer of the same kind with room for `count` weights, without a softmax of its own."""
    config = layer.get_config()
    if type(layer) in _LINEAR and count > 1:
        config["use_bias"] = True
    if isinstance(layer, keras.layers.Dense) and layer.activation is keras.activations.softmax:
        config["activation"] = "linear"
    return type(layer).from_config(config)
