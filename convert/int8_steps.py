"""Steps of int8 as the measure of a training step: how far one moves a weight that int8 rounds, and Adam that does so.

What training has to change is which of two neighbouring steps a weight is rounded to. Channels of one kernel differ by
a factor of a hundred in the width of a step once batch norms are folded into them: at a learning rate of real numbers
some weights never reach the next step, others jump across many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from convert.fold import connections

Reals = npt.NDArray[np.float32]

_FIRST, _SECOND = 0.9, 0.999  # Adam's own, by which the gradients' mean and mean square fade
_TINY = 1e-12  # gradients of large kernels are small


def steps_of(
    folded: keras.Model, ranges: Mapping[str, tuple[float, float]], variables: Sequence[tuple[str, tf.Variable]]
) -> list[Reals]:
    """Return the width of an int8 step of each weight, an array that broadcasts to it.

    Of a kernel it is a 127th of the largest weight of each output channel. Biases are fine; what they move is counted
    in steps of the layer's output.

    Args:
        folded: The float model.
        ranges: Of the outputs that are rounded, by the layer's name.
        variables: The weights, each with its layer's name.
    """
    sources = connections(folded)
    steps = []
    for name, variable in variables:
        layer, values = folded.get_layer(name), variable.numpy()
        if values.ndim > 1:
            axes = (0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else tuple(range(values.ndim - 1))
            steps.append(np.abs(values).max(axis=axes, keepdims=True) / np.float32(127))
            continue
        rounded = name if name in ranges else next(each for each, taken in sources.items() if name in taken)
        low, high = ranges[rounded]
        steps.append(np.full(values.shape, (high - low) / 255, np.float32))
    return steps


class StepAdam:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980) whose rate is counted in a width of each weight's own."""

    def __init__(self, variables: Sequence[tf.Variable], steps: Sequence[Reals]) -> None:
        """Take the weights and what a rate of 1 moves each of them by, at most about."""
        self._variables, self._steps = variables, [tf.constant(each) for each in steps]
        self._means, self._squares = ([tf.Variable(tf.zeros_like(each)) for each in variables] for _ in range(2))
        self._count = tf.Variable(0.0)

    def apply(self, gradients: Sequence[tf.Tensor], rate: tf.Tensor) -> None:
        """Move the weights."""
        count = self._count.assign_add(1.0)
        for variable, step, gradient, mean, square in zip(
            self._variables, self._steps, gradients, self._means, self._squares, strict=True
        ):
            mean.assign(_FIRST * mean + (1 - _FIRST) * gradient)
            square.assign(_SECOND * square + (1 - _SECOND) * gradient**2)
            size = tf.sqrt(square / (1 - _SECOND**count)) + _TINY
            variable.assign_sub(rate * step * mean / (1 - _FIRST**count) / size)
