"""Batches for Keras, made in threads of their own while the last one is trained on."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.errors import UserError
from train.augment import Augmentation, mix
from train.pixels import Images, Labels

if TYPE_CHECKING:
    from train.workers import Workers

_PREFETCH = 4  # batches made ahead; they cost a tenth of the training, so that 4 bridge any hiccup
_MIXUP = 1  # parts mixup's random stream from the augmentation's

_Write = Callable[[int, npt.NDArray[np.uint8]], None]


def training_batches(
    images: Images,
    labels: Labels,
    classes: int,
    batch_size: int,
    epochs: int,
    seed: int,
    augmentation: Augmentation,
    *,
    mixup: float = 0.0,
    first_epoch: int = 0,
    first_step: int = 0,
    workers: Workers | None = None,
) -> Any:
    """Return a tf.data.Dataset of shuffled, augmented batches, epoch after epoch.

    Order, augmentation and mixup of an epoch depend on (seed, epoch) alone. Of `images` no more is read than the
    batches need that are made ahead.

    Args:
        images: RGB (N, H, W, 3) uint8.
        labels: Class of each image (N,).
        classes: Number of classes, the length of a one-hot label.
        batch_size: Images in a batch; the last one of an epoch may be smaller.
        epochs: The epoch to stop before.
        seed: Seed of order, augmentation and mixup.
        augmentation: What is done to each image.
        mixup: Alpha of `train.augment.mix`; 0 for none.
        first_epoch: The epoch to begin with, from 0.
        first_step: The batch of that epoch to begin with, from 0.
        workers: Who trains together: this process reads its share of each batch alone. None for all of it.
    """
    alone = workers is None or workers.replicas == 1

    def generate() -> Iterator[tuple[Images, npt.NDArray[np.float32]]]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for epoch in range(first_epoch, epochs):
                order = np.random.default_rng((seed, epoch)).permutation(len(images))
                write = partial(_write_augmented, images, augmentation, seed, epoch)
                for step, start in enumerate(range(0, len(order), batch_size)):
                    if epoch == first_epoch and step < first_step:
                        continue
                    chosen = order[start : start + batch_size]
                    if workers is not None:
                        chosen = workers.share(chosen, order)
                    batch, rows = _fill(pool, chosen, images.shape[1:], write), one_hot(labels[chosen], classes)
                    if mixup:
                        rank = () if alone else (workers.rank,)
                        mix(batch, rows, np.random.default_rng((seed, epoch, step, _MIXUP, *rank)), mixup)
                    yield batch, rows

    return dataset_of(generate, images.shape[1:], classes)


def plain_batches(images: Images, labels: Labels, classes: int, batch_size: int, workers: Workers | None = None) -> Any:
    """Return a tf.data.Dataset of one pass over the images as they are, in order; each worker gets other batches."""
    first, every = (0, 1) if workers is None else (workers.rank, workers.size)

    def generate() -> Iterator[tuple[Images, npt.NDArray[np.float32]]]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(first * batch_size, len(images), every * batch_size):
                chosen = np.arange(start, min(start + batch_size, len(images)))
                batch = _fill(pool, chosen, images.shape[1:], partial(_write_plain, images))
                yield batch, one_hot(labels[chosen], classes)

    return dataset_of(generate, images.shape[1:], classes)


def one_hot(labels: Labels, classes: int) -> npt.NDArray[np.float32]:
    """Return labels (N,) as rows (N, classes) float32 of zeros with a single one."""
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Let a UserError from the thread that makes batches, such as a photo that is gone, come out as what it is.

    TensorFlow wraps what a generator raises, as text, into an error of its own.
    """
    import tensorflow

    try:
        yield
    except tensorflow.errors.OpError as error:
        found = re.search(rf"\b{UserError.__name__}: (.*)", error.message)
        if found is None:
            raise
        raise UserError(found[1]) from error


def _write_augmented(
    images: Images, augmentation: Augmentation, seed: int, epoch: int, index: int, out: npt.NDArray[np.uint8]
) -> None:
    """Write an image as an epoch changes it."""
    augmentation.apply(images[index], seed, epoch, index, out)


def _write_plain(images: Images, index: int, out: npt.NDArray[np.uint8]) -> None:
    """Write an image as it is."""
    np.copyto(out, images[index])


def _fill(
    pool: Executor, indices: npt.NDArray[np.int64], shape: tuple[int, ...], write: _Write
) -> npt.NDArray[np.uint8]:
    """Return a batch of the images at `indices`, written by all threads of the pool."""
    batch = np.empty((len(indices), *shape), np.uint8)

    def fill_places(places: range) -> None:
        for place in places:
            write(int(indices[place]), batch[place])

    threads = os.cpu_count() or 1
    for _ in pool.map(fill_places, [range(thread, len(indices), threads) for thread in range(threads)]):
        pass
    return batch


def dataset_of(generate: Callable[[], Any], shape: tuple[int, ...], classes: int, dtype: str = "uint8") -> Any:
    """Wrap a generator of batches as a tf.data.Dataset that runs ahead in a thread.

    Args:
        generate: Gives batches: inputs (n, *shape) of `dtype` and one-hot labels (n, classes) float32.
        shape: Of an input.
        classes: Number of classes.
        dtype: Of inputs.
    """
    import tensorflow

    signature = (
        tensorflow.TensorSpec((None, *shape), dtype),
        tensorflow.TensorSpec((None, classes), tensorflow.float32),
    )
    options = tensorflow.data.Options()
    options.autotune.enabled = False  # it stalled epochs for seconds at a time (measured)
    return (
        tensorflow.data.Dataset.from_generator(generate, output_signature=signature)
        .prefetch(_PREFETCH)
        .with_options(options)
    )
