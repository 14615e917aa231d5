"""Batches for Keras, made in a thread of their own while the last one is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from train.augment import Augmentation

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

_PREFETCH = 4  # batches made ahead; they cost a hundredth of the training, so that 4 bridge any hiccup


def training_batches(
    images: Images, labels: Labels, classes: int, batch_size: int, epochs: int, seed: int, augmentation: Augmentation
) -> Any:
    """Return a tf.data.Dataset of shuffled, augmented batches, epoch after epoch.

    Order and augmentation of an epoch depend on (seed, epoch) alone.

    Args:
        images: RGB (N, H, W, 3) uint8.
        labels: Class of each image (N,).
        classes: Number of classes, the length of a one-hot label.
        batch_size: Images in a batch; the last one of an epoch may be smaller.
        epochs: How many epochs to make.
        seed: Seed of order and augmentation.
        augmentation: What is done to each image.
    """

    def generate() -> Iterator[tuple[Images, npt.NDArray[np.float32]]]:
        for epoch in range(epochs):
            order = np.random.default_rng((seed, epoch)).permutation(len(images))
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                batch = np.empty((len(chosen), *images.shape[1:]), np.uint8)
                for place, index in enumerate(chosen):
                    augmentation.warp(images[index], seed, epoch, int(index), out=batch[place])
                yield batch, one_hot(labels[chosen], classes)

    return _dataset(generate, images.shape[1:], classes)


def plain_batches(images: Images, labels: Labels, classes: int, batch_size: int) -> Any:
    """Return a tf.data.Dataset of one pass over the images as they are, in order."""

    def generate() -> Iterator[tuple[Images, npt.NDArray[np.float32]]]:
        for start in range(0, len(images), batch_size):
            stop = start + batch_size
            yield images[start:stop], one_hot(labels[start:stop], classes)

    return _dataset(generate, images.shape[1:], classes)


def one_hot(labels: Labels, classes: int) -> npt.NDArray[np.float32]:
    """Return labels (N,) as rows (N, classes) float32 of zeros with a single one."""
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def _dataset(generate: Any, shape: tuple[int, ...], classes: int) -> Any:
    """Wrap a generator of batches as a dataset that runs ahead in a thread."""
    import tensorflow

    signature = (
        tensorflow.TensorSpec((None, *shape), tensorflow.uint8),
        tensorflow.TensorSpec((None, classes), tensorflow.float32),
    )
    options = tensorflow.data.Options()
    options.autotune.enabled = False  # it stalled epochs for seconds at a time (measured)
    return (
        tensorflow.data.Dataset.from_generator(generate, output_signature=signature)
        .prefetch(_PREFETCH)
        .with_options(options)
    )
