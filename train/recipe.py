"""How a model is trained, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from train.augment import Augmentation
from train.pipeline import plain_batches, training_batches
from train.pixels import Images, Labels

if TYPE_CHECKING:
    from train.workers import Workers


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: Epochs at most.
        batch_size: Images in a batch.
        learning_rate: Adam's, the highest of the schedule.
        patience: Epochs without a lower validation loss after which training stops.
        seed: Seed of order, augmentation and dropout.
        precision: Keras's policy: "float32", "mixed_float16" or "mixed_bfloat16".
        augmentation: What is done to training images.
        mixup: Alpha of mixup; 0 for none.
        schedule: How the learning rate goes, one of `train.schedule.SCHEDULES`.
        warmup: Epochs in which it rises first.
        label_smoothing: What is taken from the label and shared among all classes, 0-1.
        balance: Whether each class counts as much as any other, however many images it has.
        clip_norm: Largest norm of all gradients together; None for any.
        xla: Whether XLA compiles the steps.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    seed: int
    precision: str = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    mixup: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.0
    label_smoothing: float = 0.0
    balance: bool = False
    clip_norm: float | None = None
    xla: bool = False


@dataclass(frozen=True)
class Feed:
    """What a model is trained on, in batches of inputs and one-hot labels (N, classes) float32.

    Attributes:
        training: (first epoch, first step in it) -> tf.data.Dataset of all batches from there on, epoch after epoch;
            what is in a batch depends on its epoch and step alone.
        validation: () -> tf.data.Dataset of one pass.
        labels: Class of each training image (N,).
        classes: Number of classes.
    """

    training: Callable[[int, int], Any]
    validation: Callable[[], Any]
    labels: Labels
    classes: int


def image_feed(
    recipe: Recipe,
    train: tuple[Images, Labels],
    validation: tuple[Images, Labels],
    classes: int,
    workers: Workers | None = None,
) -> Feed:
    """Return the feed of images and labels, augmented as the recipe says; of `workers` each gets its share."""

    def training(first_epoch: int, first_step: int) -> Any:
        return training_batches(
            *train,
            classes,
            recipe.batch_size,
            recipe.epochs,
            recipe.seed,
            recipe.augmentation,
            mixup=recipe.mixup,
            first_epoch=first_epoch,
            first_step=first_step,
            workers=workers,
        )

    return Feed(training, lambda: plain_batches(*validation, classes, recipe.batch_size, workers), train[1], classes)
