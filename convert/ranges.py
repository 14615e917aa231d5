"""Which range of real numbers the 256 steps of each int8 activation span: measured on photos, then chosen.

The converter takes from the smallest to the largest value that it met. One outlier in three hundred photos then makes
every step coarser; a narrower range clips it and is finer for all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from convert.activations import Activations, Reals
from convert.graph import PASSING, Layer, layers_of, read_layers, read_model

Ranges = Mapping[str, tuple[float, float]]

# On EfficientNet-Lite0 (solar cells, 300 and 1,000 photos) this brought the scores' error down by 4 to 12 %. A share of
# 1e-3 made it larger; the ranges of least squared error changed it by -9 to +1 % and took minutes to find.
CLIPPED = 1e-4

KEPT = 2048  # values a photo and activation that the choice of a range looks at


@dataclass
class Observed:
    """What one activation took on over the photos.

    Attributes:
        low: Smallest value.
        high: Largest value.
        some: Values drawn at random, an array a photo.
    """

    low: float = np.inf
    high: float = -np.inf
    some: list[Reals] = field(default_factory=list)

    def add(self, values: Reals, random: np.random.Generator) -> None:
        """Look at what it took on, (N,), for a further photo."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        chosen = random.integers(0, len(values), KEPT) if len(values) > KEPT else slice(None)
        self.some.append(values[chosen])


def observe(float_model: bytes, images: npt.NDArray[np.uint8], seed: int = 0) -> dict[str, Observed]:
    """Measure every activation of a float .tflite over the calibration photos.

    Args:
        float_model: A .tflite without quantization.
        images: Calibration images (N, height, width, 3) uint8 RGB.
        seed: Fixes which values are kept.

    Returns:
        By the activation's name, the model's input among them.
    """
    model = read_model(float_model)
    (graph,) = model.subgraphs
    tensors = {int(index): graph.tensors[index].name.decode() for index in graph.inputs}
    tensors |= {layer.output: layer.name for layer in layers_of(model)}
    observed = {name: Observed() for name in tensors.values()}
    activations, random = Activations(float_model), np.random.default_rng(seed)
    for image in images:
        activations.run(image)
        for tensor, name in tensors.items():
            observed[name].add(activations.read(tensor).reshape(-1), random)
    return observed


def widest(observed: Mapping[str, Observed]) -> dict[str, tuple[float, float]]:
    """Return the range from the smallest to the largest value of each activation, as the converter takes it."""
    return {name: (each.low, each.high) for name, each in observed.items()}


def clipped(
    observed: Mapping[str, Observed], float_model: bytes, share: float = CLIPPED
) -> dict[str, tuple[float, float]]:
    """Return for each activation the range without the few values that lie farthest out.

    Args:
        observed: From `observe`.
        float_model: The model that was observed; what only hands values on gets the range of what it hands on.
        share: Of the values that are cut off on each side, 0-1.
    """
    chosen = {name: span(each, share) for name, each in observed.items()}
    layers = read_layers(float_model)
    writers = {layer.output: layer for layer in layers}
    for layer in layers:
        chosen[layer.name] = chosen[_source(layer, writers).name]
    return chosen


def span(observed: Observed, share: float) -> tuple[float, float]:
    """Return the range without a share, 0-1, of the values on each side."""
    low, high = np.quantile(np.concatenate(observed.some), (share, 1 - share))
    return float(low), float(high)


def _source(layer: Layer, writers: Mapping[int, Layer]) -> Layer:
    """Return the layer whose values this one hands on; itself where it calculates."""
    while layer.operation in PASSING and layer.inputs[0] in writers:
        layer = writers[layer.inputs[0]]
    return layer
