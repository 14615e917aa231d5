"""Starts from a trained backbone: first a head on its features, then everything, gently."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tf_keras as keras
from rich.console import Console

from train.features import Features, Rows, open_features
from train.fit import fit
from train.history import Epoch, best_epoch
from train.pipeline import dataset_of, one_hot
from train.pixels import Images, Labels
from train.recipe import Feed, Recipe

Build = Callable[[], keras.Model]


def head_recipe(recipe: Recipe) -> Recipe:
    """Return how a head is trained where everything else is trained by `recipe`: an epoch is a fraction of a second."""
    return replace(
        recipe,
        epochs=100,
        patience=10,
        learning_rate=1e-3,
        precision="float32",
        mixup=0.0,
        schedule="constant",
        warmup=0.0,
        clip_norm=None,
        xla=False,
    )


def learn_head(
    model: keras.Model,
    photos: dict[str, tuple[Images, Labels]],
    keys: dict[str, str],
    recipe: Recipe,
    folder: Path | None,
    console: Console,
) -> list[Epoch]:
    """Train the head of a model with a trained backbone: on features of the photos as they are, without augmentation.

    Args:
        model: Its scores get the best weights.
        photos: Images and labels of "train" and "validation".
        keys: What tells the images of each of them from all others, as `train.features.photos_key` gives it.
        recipe: How, such as `head_recipe` gives it.
        folder: Where features are kept between runs; None for memory.
        console: Where progress goes.

    Returns:
        The epochs.
    """
    started = time.perf_counter()
    found = {
        split: (open_features(model, photos[split][0], keys[split], folder, console), photos[split][1])
        for split in ("train", "validation")
    }
    seconds = time.perf_counter() - started
    epochs = train_head(model, found["train"], found["validation"], recipe)
    best, count = best_epoch(epochs), sum(len(labels) for _, labels in found.values())
    console.print(
        f"head: features of {count:,} photos in {seconds:.1f} s, then {len(epochs)} epochs of"
        f" {statistics.median(epoch.seconds for epoch in epochs):.2f} s"
        f"  validation: loss {best.val_loss:.3f}  accuracy {best.val_accuracy:6.1%}"
    )
    return epochs


def fine_tune(
    model: keras.Model,
    head: list[Epoch],
    build: Build,
    fit_all: Callable[[Build], tuple[keras.Model, list[Epoch]]],
    console: Console,
) -> list[Epoch]:
    """Train everything but the batch norms of a model whose head is trained.

    Args:
        model: Gets the weights of the epoch of the lowest validation loss, or keeps its own where none is lower.
        head: The epochs of its head's training.
        build: Builds such a model with any weights.
        fit_all: Trains what it is given a builder of.
        console: Where a line goes where the head's weights are kept.

    Returns:
        The epochs.
    """
    tuned, epochs = fit_all(fine_tuning(build, model.get_weights()))
    if is_better(epochs, head):
        model.set_weights(tuned.get_weights())
    else:
        console.print(
            "fine-tuning did not lower the validation loss; the model stays as it was with the new head alone"
        )
    return epochs


def is_better(epochs: list[Epoch], head: list[Epoch]) -> bool:
    """Tell whether fine-tuning came to a lower validation loss than the head's training."""
    return best_epoch(epochs).val_loss < best_epoch(head).val_loss


def train_head(
    model: keras.Model, train: tuple[Features, Labels], validation: tuple[Features, Labels], recipe: Recipe
) -> list[Epoch]:
    """Train the layer "scores" of a model on features, with the model's dropout before it.

    Args:
        model: Its scores get the weights of the epoch of the lowest validation loss.
        train: Features (N, D) and labels (N,) to learn from.
        validation: Features and labels that early stopping looks at.
        recipe: How.

    Returns:
        The epochs.
    """
    scores = model.get_layer("scores")

    def build() -> keras.Model:
        features = keras.Input((train[0].shape[1],))
        x = keras.layers.Dropout(model.get_layer("dropout").rate, name="dropout")(features)
        seeded = keras.initializers.GlorotUniform(seed=recipe.seed)
        return keras.Model(
            features, keras.layers.Dense(scores.units, "softmax", kernel_initializer=seeded, name="scores")(x)
        )

    feed = _features_feed(recipe, train, validation, scores.units)
    head, epochs = fit(build, recipe, feed, Console(file=io.StringIO()))  # a line each would be too many
    scores.set_weights(head.get_weights())
    return epochs


def fine_tuning(build: Build, weights: list[npt.NDArray[np.float32]]) -> Build:
    """Return what builds a model that starts from `weights`, ready for gentle training of all but its batch norms.

    Args:
        build: Builds the model with any weights.
        weights: As `get_weights` of such a model gives them.
    """

    def start() -> keras.Model:
        model = build()
        model.set_weights(weights)
        freeze_batch_norms(model)
        return model

    return start


def freeze_batch_norms(model: keras.Model) -> None:
    """Let the batch norms of a model stay as they are while it is trained.

    One that isn't trainable runs on its moving statistics also while training and keeps them, its scale and its shift.
    The statistics of ImageNet's 1.2 million photos are better than what a few hundred batches of 32 make of them, and
    the head was trained on features that they gave.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _features_feed(
    recipe: Recipe, train: tuple[Features, Labels], validation: tuple[Features, Labels], classes: int
) -> Feed:
    """Return the feed of features and labels; the order of an epoch depends on (seed, epoch) alone."""

    def batches(
        features: Features, labels: Labels, order: npt.NDArray[np.int64], first: int
    ) -> Iterator[tuple[Rows, npt.NDArray[np.float32]]]:
        for start in range(first * recipe.batch_size, len(order), recipe.batch_size):
            chosen = order[start : start + recipe.batch_size]
            yield features[chosen], one_hot(labels[chosen], classes)

    def training(first_epoch: int, first_step: int) -> Iterator[tuple[Rows, npt.NDArray[np.float32]]]:
        for epoch in range(first_epoch, recipe.epochs):
            order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train[1]))
            yield from batches(*train, order, first_step if epoch == first_epoch else 0)

    width = (train[0].shape[1],)
    return Feed(
        lambda *first: dataset_of(lambda: training(*first), width, classes, "float32"),
        lambda: dataset_of(lambda: batches(*validation, np.arange(len(validation[1])), 0), width, classes, "float32"),
        train[1],
        classes,
    )
