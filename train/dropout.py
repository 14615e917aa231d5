"""Dropout that can be taken up again: its mask is a function of the seed and the step, not of a hidden generator."""

from __future__ import annotations

import zlib
from typing import Any

import tensorflow as tf
import tf_keras as keras


def with_stateless_dropout(model: keras.Model, seed: int, step: tf.Variable) -> keras.Model:
    """Return the same model, with the same weights, whose Dropout layers draw their masks from (seed, name, step).

    For training alone: what is saved is built of Keras's own layers.

    Args:
        model: A functional model; its weights go over to the new one.
        seed: Seed of all masks.
        step: Integer variable that is another number at each step.
    """

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) is keras.layers.Dropout:
            return _StatelessDropout(seed, step, **layer.get_config())
        return type(layer).from_config(layer.get_config())

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied


class _StatelessDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Dropout by stateless random numbers."""

    def __init__(self, run_seed: int, step: tf.Variable, **config: Any) -> None:
        super().__init__(**config)
        self._step = lambda: step  # as an attribute it would be a weight of the layer
        self._seeds = [run_seed, zlib.crc32(self.name.encode())]

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drop a part of `inputs` while training."""
        if not training or not self.rate:
            return inputs
        seeds = tf.random.experimental.stateless_fold_in(tf.constant(self._seeds, tf.int64), self._step())
        copies = tf.distribute.get_replica_context()
        if copies.num_replicas_in_sync > 1:  # each of them has other images, and gets another mask
            seeds = tf.random.experimental.stateless_fold_in(seeds, copies.replica_id_in_sync_group)
        shape = self._get_noise_shape(inputs)
        return tf.nn.experimental.stateless_dropout(inputs, self.rate, seeds, noise_shape=shape)
