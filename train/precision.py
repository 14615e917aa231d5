"""Chooses the arithmetic to train in: by what the machine has, and on a processor by timing both."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from train import device

if TYPE_CHECKING:
    import tf_keras as keras

# What bfloat16 has to gain, as it keeps 8 bits of each number. Also more than a busy machine's noise: 1.7 to 2.1 times
# was measured for a CNN in ten timings on two loaded cores.
_WORTHWHILE = 1.2

_POLICIES = ("float32", "mixed_bfloat16")
_WORTH_TIMING = 500  # steps; timing takes 10 seconds, for TensorFlow's start above all
_ROUNDS = 6
_SECONDS = 6.0  # of timing, where steps are long


@dataclass(frozen=True)
class Precision:
    """What was chosen, and from what.

    Attributes:
        policy: Keras's: "float32", "mixed_bfloat16" or "mixed_float16".
        images_per_second: Policy -> images a second in training, both of them; empty where nothing was timed.
    """

    policy: str
    images_per_second: dict[str, float]

    def __str__(self) -> str:
        rates = ", ".join(f"{policy} {rate:.0f}" for policy, rate in self.images_per_second.items())
        return f"{self.policy} (timed, images/s: {rates})" if rates else self.policy


def choose_precision(asked: str, build: Callable[[], keras.Model], batch_size: int, steps: int) -> Precision:
    """Choose how to train.

    auto means mixed_float16 on GPUs; float32 on processors without bfloat16, where emulating it is slower; else the
    quicker of float32 and mixed_bfloat16 in a few steps of the model itself. Models differ: depthwise convolutions
    gain less than ordinary ones. For a short training it means mixed_bfloat16 without timing.

    Args:
        asked: One of `train.device.PRECISIONS`.
        build: Makes the model, under whatever policy is set globally; can be pickled.
        batch_size: Images in a batch.
        steps: Batches to be trained on, at most.
    """
    if asked != "auto":
        return Precision(asked, {})
    if device.gpu_names():
        return Precision("mixed_float16", {})
    if not device.multiplies_bfloat16():
        return Precision("float32", {})
    if steps < _WORTH_TIMING:
        return Precision("mixed_bfloat16", {})
    try:
        # apart, as TensorFlow doesn't give back the memory of a model that is no longer needed
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            seconds = pool.submit(time_steps, build, batch_size).result()
    except BrokenProcessPool:  # no memory for two models; bfloat16 takes less of it
        return Precision("mixed_bfloat16", {})
    gain = seconds["float32"] / seconds["mixed_bfloat16"]
    rates = {policy: round(batch_size / each, 1) for policy, each in seconds.items()}
    return Precision("mixed_bfloat16" if gain >= _WORTHWHILE else "float32", rates)


def time_steps(build: Callable[[], keras.Model], batch_size: int) -> dict[str, float]:
    """Return the seconds of the quickest training step in each precision; they take turns, so that noise hits both."""
    device.prepare(0)
    import tensorflow

    models = {policy: _trainable(build, policy) for policy in _POLICIES}
    rng = np.random.default_rng(0)
    some = models["float32"]
    images = tensorflow.constant(rng.integers(0, 256, (batch_size, *some.input_shape[1:]), np.uint8))
    classes = some.output_shape[-1]
    labels = tensorflow.one_hot(rng.integers(0, classes, batch_size), classes)
    for model in models.values():
        model.train_on_batch(images, labels)  # traces it
    best = dict.fromkeys(_POLICIES, float("inf"))
    started = time.perf_counter()
    for _round in range(_ROUNDS):
        for policy, model in models.items():
            begun = time.perf_counter()
            model.train_on_batch(images, labels)
            best[policy] = min(best[policy], time.perf_counter() - begun)
        if time.perf_counter() - started > _SECONDS:
            break
    return best


def _trainable(build: Callable[[], keras.Model], policy: str) -> keras.Model:
    """Make a model that computes under a policy."""
    import tf_keras as keras

    keras.mixed_precision.set_global_policy(policy)
    try:
        model = build()
        model.compile(keras.optimizers.Adam(0.0), "categorical_crossentropy")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    return model
