"""How much each layer of an int8 .tflite is off from float32, and which layers cost the answer most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from convert.activations import Activations
from convert.graph import CONVERSIONS, PASSING, Layer, match_layers, read_layers

_HEAVY = 0.1, 100_000  # of the float file, and bytes: a dense layer behind a flattening can be nearly all of it
_PHOTOS = 32  # one layer's SQNR differs by less than 0.5 dB from that of 300 photos


@dataclass(frozen=True)
class LayerError:
    """How far a layer's output in an int8 file is from the float32 file's, errors from before it included.

    Attributes:
        name: The output's name in the float32 file.
        title: The layer as the Keras model calls it.
        operation: Such as "CONV_2D".
        sqnr_db: Signal to quantization noise, 10 log10(sum x^2 / sum (x - x_q)^2), over all photos; infinite where both
            are equal.
        added: Noise over signal here, less that of the noisiest input: what this layer brings in. At least 0.
    """

    name: str
    title: str
    operation: str
    sqnr_db: float
    added: float


def sqnr_db(signal: float, noise: float) -> float:
    """Return 10 log10(signal / noise), of sums of squares; infinite without noise, minus infinity without signal."""
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(signal / noise)) if signal > 0 else float("-inf")


def layer_errors(float_model: bytes, quantized: bytes, images: npt.NDArray[np.uint8]) -> list[LayerError]:
    """Compare what each layer gives in a quantized .tflite with what it gives in float32, on the same photos.

    Args:
        float_model: A .tflite without quantization.
        quantized: The same model quantized, whole or in part, at a batch of 1.
        images: Photos (N, height, width, 3) uint8 RGB of the training split; a few dozen are enough.

    Returns:
        In the order of execution, for the layers that both files have.
    """
    pairs = match_layers(read_layers(float_model), read_layers(quantized))
    noise_to_signal = np.zeros((len(pairs), 2))  # sums of squares: noise, signal
    exact, rounded = Activations(float_model), Activations(quantized)
    for image in images:
        exact.run(image)
        rounded.run(image)
        for sums, (ours, theirs) in zip(noise_to_signal, pairs, strict=True):
            real = exact.read(ours.output).astype(np.float64)
            sums += np.square(real - rounded.read(theirs.output)).sum(), np.square(real).sum()
    ratios = {
        layer.output: (noise / signal if signal else float(noise > 0))
        for (layer, _), (noise, signal) in zip(pairs, noise_to_signal, strict=True)
    }
    return [
        LayerError(
            name=layer.name,
            title=layer.title,
            operation=layer.operation,
            sqnr_db=sqnr_db(signal, noise),
            added=max(0.0, float(ratios[layer.output] - max(ratios.get(tensor, 0.0) for tensor in layer.inputs))),
        )
        for (layer, _), (noise, signal) in zip(pairs, noise_to_signal, strict=True)
    ]


def rank_layers(
    float_model: bytes,
    quantize: Callable[[Sequence[str]], bytes],
    images: npt.NDArray[np.uint8],
    most: int = 24,
) -> list[tuple[str, float]]:
    """Find the layers whose return to float32 helps the answer most, by trying each by itself.

    Half of those that are tried are the first ones, whose noise, however small, goes through all that follow: on
    EfficientNet-Lite0 the first eight layers gained 8 dB, though none of them looked bad. The others are those that
    bring in most noise by `layer_errors`.

    Args:
        float_model: A .tflite without quantization.
        quantize: From the names of the layers that stay in float to the quantized .tflite.
        images: Photos (N, height, width, 3) uint8 RGB of the training split; the first 32 are looked at.
        most: Layers to try; each costs a quantization.

    Returns:
        Names of layers and the decibels that each gains in the SQNR of the answer, the best first, but behind all
        others those that would make the file much larger. One that gains nothing alone may gain 8 dB with others.
    """
    images = images[:_PHOTOS]
    answer = answer_layer(float_model)
    exact = _answers(float_model, answer, images)

    def sqnr_of(quantized: bytes) -> float:
        noise = np.square(_answers(quantized, _same(float_model, quantized, answer), images) - exact).sum()
        return sqnr_db(float(np.square(exact).sum()), float(noise))

    whole = quantize([])
    before = sqnr_of(whole)
    errors = layer_errors(float_model, whole, images)
    suspects = [each for each in errors if each.operation not in {*PASSING, "SOFTMAX"}]
    noisiest = sorted(suspects[most // 2 :], key=lambda each: -each.added)[: most - most // 2]
    tried = suspects[: most // 2] + noisiest
    gains = []
    for each in tried:
        content = quantize([each.name])
        more = len(content) - len(whole)
        is_heavy = more > max(_HEAVY[0] * len(float_model), _HEAVY[1])
        gains.append((is_heavy, each.name, sqnr_of(content) - before))
    return [(name, gain) for _, name, gain in sorted(gains, key=lambda each: (each[0], -each[2]))]


def answer_layer(float_model: bytes) -> Layer:
    """Return the layer that the answer is read from: the last before the softmax, whose 1/256 steps hide small errors.

    The last of all where the model ends without a softmax.
    """
    layers = [layer for layer in read_layers(float_model) if layer.operation not in CONVERSIONS]
    return layers[-2] if layers[-1].operation == "SOFTMAX" and len(layers) > 1 else layers[-1]


def _same(float_model: bytes, quantized: bytes, layer: Layer) -> Layer:
    """Return a layer of the float model as it is in the quantized one."""
    pairs = match_layers(read_layers(float_model), read_layers(quantized))
    return next(theirs for ours, theirs in pairs if ours.name == layer.name)


def _answers(content: bytes, layer: Layer, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what a layer gives for each image, (N, values)."""
    activations = Activations(content)
    rows = []
    for image in images:
        activations.run(image)
        rows.append(activations.read(layer.output).reshape(-1).astype(np.float64))
    return np.stack(rows)
