"""Trains a model: Adam on categorical cross-entropy, early stopping, the best weights at the end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tf_keras as keras
from rich.console import Console
from rich.progress import TextColumn

from edge.errors import UserError
from edge.run_folder import write_whole
from train.augment import Augmentation
from train.history import Epoch, best_epoch
from train.models import MODELS
from train.pipeline import plain_batches, training_batches
from train.pixels import Images, Labels
from train.progress import progress_bar


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        model: Name in `train.models.MODELS`.
        epochs: Epochs at most.
        batch_size: Images in a batch.
        learning_rate: Adam's.
        patience: Epochs without a lower validation loss after which training stops.
        seed: Seed of order and augmentation.
        precision: Keras's policy: "float32", "mixed_float16" or "mixed_bfloat16".
        augmentation: What is done to training images.
        mixup: Alpha of mixup; 0 for none.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    precision: str = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    mixup: float = 0.0


def train_model(
    recipe: Recipe, train: tuple[Images, Labels], validation: tuple[Images, Labels], classes: int, console: Console
) -> tuple[keras.Model, list[Epoch]]:
    """Train a model from scratch.

    Args:
        recipe: How.
        train: Training images and labels.
        validation: Images and labels that early stopping looks at.
        classes: Number of classes.
        console: Where progress goes.

    Returns:
        The model in float32, whatever the precision of training, with the weights of the epoch of the lowest
        validation loss; and the epochs.

    Raises:
        UserError: If the loss stops being a number.
    """
    image_size = train[0].shape[1:3]
    keras.mixed_precision.set_global_policy(recipe.precision)
    try:
        model = MODELS[recipe.model](image_size, classes)
        model.compile(keras.optimizers.Adam(recipe.learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    watch = _Watch(recipe, len(train[0]), console)
    with watch.bar:
        model.fit(
            training_batches(
                *train,
                classes,
                recipe.batch_size,
                recipe.epochs,
                recipe.seed,
                recipe.augmentation,
                mixup=recipe.mixup,
            ),
            steps_per_epoch=math.ceil(len(train[0]) / recipe.batch_size),
            epochs=recipe.epochs,
            validation_data=plain_batches(*validation, classes, recipe.batch_size),
            callbacks=[keras.callbacks.EarlyStopping(patience=recipe.patience, restore_best_weights=True), watch],
            verbose=0,
        )
    trained = MODELS[recipe.model](image_size, classes)
    trained.set_weights(model.get_weights())
    return trained, watch.epochs


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model as .keras, whole or not at all."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        model.save(partial)
        write_whole(path, partial.read_bytes())
    finally:
        partial.unlink(missing_ok=True)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Records the epochs and shows how training goes."""

    def __init__(self, recipe: Recipe, images: int, console: Console) -> None:
        super().__init__()
        self.epochs: list[Epoch] = []
        self.bar = progress_bar(console, TextColumn("{task.fields[rate]:>5} images/s  loss {task.fields[loss]}"))
        self._task = self.bar.add_task("", rate="", loss="")
        self._recipe, self._images, self._console = recipe, images, console
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's bar."""
        self._started = time.perf_counter()
        steps = math.ceil(self._images / self._recipe.batch_size)
        self.bar.reset(self._task, total=steps, description=f"epoch {epoch + 1}/{self._recipe.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        """Move the bar; stop where the loss is lost."""
        loss = logs["loss"]
        if not math.isfinite(loss):
            raise UserError(
                f"Expected a finite loss, got {loss} in epoch {len(self.epochs) + 1}; "
                f"train with a lower --learning-rate than {self._recipe.learning_rate:g}, or --precision float32"
            )
        done = min((batch + 1) * self._recipe.batch_size, self._images)
        rate = f"{done / (time.perf_counter() - self._started):.0f}"
        self.bar.update(self._task, completed=batch + 1, rate=rate, loss=f"{loss:.3f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Record the epoch and print its line."""
        seconds = time.perf_counter() - self._started
        last = Epoch(epoch + 1, logs["loss"], logs["accuracy"], logs["val_loss"], logs["val_accuracy"], seconds)
        self.epochs.append(last)
        mark = "  best so far" if best_epoch(self.epochs) is last else ""
        self._console.print(
            f"epoch {last.epoch:>{len(str(self._recipe.epochs))}}/{self._recipe.epochs}"
            f"  {seconds:5.1f} s  {self._images / seconds:5.0f} images/s"
            f"  loss {last.loss:.3f}  accuracy {last.accuracy:6.1%}"
            f"  validation: loss {last.val_loss:.3f}  accuracy {last.val_accuracy:6.1%}{mark}"
        )
