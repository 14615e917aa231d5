"""The two ways of training that `train.throughput` compares, each run for a turn in a process of its own.

Ours: what train.run does, from the cache of decoded pixels. The other: what Keras's guides show, a folder per class
through `image_dataset_from_directory`, Keras's augmentation layers in its `map`, `model.fit` in float32.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import UserError

KERAS_READS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png"})  # by name; others it leaves out silently


@dataclass(frozen=True)
class Turn:
    """What is done in a turn.

    Attributes:
        contender: "keras" or "tinysight".
        folder: Holds dataset.json and `photos`, the training photos in a folder per class.
        model: Name in `train.models.MODELS`.
        image_size: (height, width).
        batch_size: Images in a batch.
        precision: Ours; the other's is float32.
        cache: The cache's folder; None for none.
        warmup: Steps that don't count.
        steps: Steps that count.
    """

    contender: str
    folder: Path
    model: str
    image_size: tuple[int, int]
    batch_size: int
    precision: str
    cache: Path | None
    warmup: int
    steps: int


@dataclass(frozen=True)
class Outcome:
    """What a turn came to.

    Attributes:
        images_per_second: Over all steps that count.
        peak_bytes: The most memory that the process had.
        precision: What was trained in.
    """

    images_per_second: float
    peak_bytes: int
    precision: str


def take_turn(turn: Turn) -> Outcome:
    """Train for a turn; to be called in a fresh process.

    Raises:
        UserError: If the data doesn't fit.
    """
    from train import native_log

    with native_log.to_file(Path(os.devnull)), contextlib.redirect_stdout(io.StringIO()):  # Keras counts files
        return _train_ours(turn) if turn.contender == "tinysight" else _train_keras(turn)


def _train_ours(turn: Turn) -> Outcome:
    """Train as train.run does."""
    from train import device

    device.prepare(0)
    from functools import partial

    from train.augment import AUGMENTATIONS
    from train.cache import open_pixels
    from train.dataset import read_manifest
    from train.learner import Learner
    from train.loss import Loss
    from train.models import build
    from train.precision import choose_precision
    from train.progress import stderr_console
    from train.recipe import Recipe, image_feed

    manifest = read_manifest(turn.folder / "dataset.json")
    pixels, classes = open_pixels(manifest, turn.image_size, turn.cache, stderr_console()), len(manifest.labels)
    make = partial(build, turn.model, turn.image_size, classes)
    precision = choose_precision(turn.precision, make, turn.batch_size, 10_000).policy
    steps = turn.warmup + turn.steps
    epochs = math.ceil(steps / math.ceil(len(pixels["train"][0]) / turn.batch_size))
    recipe = Recipe(
        epochs, turn.batch_size, 3e-4, epochs, seed=0, precision=precision, augmentation=AUGMENTATIONS["light"]
    )
    batches = image_feed(recipe, pixels["train"], pixels["validation"], classes).training(0, 0)
    learner = Learner(make, Loss(np.ones(classes, np.float32)), batches.element_spec, seed=0, precision=precision)
    watch = _StopWatch(turn)
    for images, labels in batches.take(steps):
        learner.step(images, labels, recipe.learning_rate)
        watch.end_step(len(images))
    return watch.outcome(precision)


def _train_keras(turn: Turn) -> Outcome:
    """Train as Keras's guides do."""
    from train.device import import_tensorflow

    tensorflow = import_tensorflow()
    import tf_keras as keras

    from train.models import build

    found: Any = keras.utils.image_dataset_from_directory(
        turn.folder / "photos", label_mode="categorical", image_size=turn.image_size, batch_size=turn.batch_size, seed=0
    )
    classes = len(found.class_names)
    augment = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(15 / 360),
            keras.layers.RandomZoom((-0.1, 0.1)),
        ]
    )
    anew = tensorflow.data.AUTOTUNE
    batches = found.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=anew).prefetch(anew).repeat()
    model = build(turn.model, turn.image_size, classes)
    model.compile(keras.optimizers.Adam(3e-4), "categorical_crossentropy", metrics=["accuracy"])
    watch = _StopWatch(turn)

    class Steps(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, _batch: int, _logs: Any = None) -> None:
            watch.end_step(turn.batch_size)

    try:
        model.fit(batches, steps_per_epoch=turn.warmup + turn.steps, callbacks=[Steps()], verbose=0)
    except tensorflow.errors.OpError as error:
        raise UserError(f"Expected photos that Keras can read too, got {error.message.splitlines()[0]}") from error
    return watch.outcome("float32")


class _StopWatch:
    """Counts images and time after the warm-up."""

    def __init__(self, turn: Turn) -> None:
        self._turn, self._step, self._images = turn, 0, 0
        self._started = self._ended = 0.0

    def end_step(self, images: int) -> None:
        """Count a step."""
        self._step += 1
        self._ended = time.perf_counter()
        if self._step <= self._turn.warmup:
            self._started = self._ended
        else:
            self._images += images

    def outcome(self, precision: str) -> Outcome:
        """Return what the turn came to."""
        return Outcome(self._images / (self._ended - self._started), peak_bytes(), precision)


def peak_bytes() -> int:
    """Return the most memory that this process has had so far, as Linux counts it (VmHWM); 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
