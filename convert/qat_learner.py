"""A model that rounds, while it is trained: one step of it, and what it does on the validation split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from convert.fake_quant import trained_weights, update_kernel_ranges
from convert.fold import scaling
from edge.errors import UserError
from train.loss import Loss, Teacher
from train.pipeline import one_hot
from train.pixels import Images, Labels
from train.schedule import Schedule

_BATCH = 32  # validation images that are looked at together


@dataclass(frozen=True)
class Figures:
    """What a model that rounds does on the validation split.

    Attributes:
        loss: Mean of what training makes small.
        accuracy: Share of right answers, 0-1.
        agreement: Share of photos with the float model's answer, 0-1.
    """

    loss: float
    accuracy: float
    agreement: float

    def __str__(self) -> str:
        """Return the end of a line of progress."""
        return f"validation: loss {self.loss:.4f}  accuracy {self.accuracy:6.1%}  agrees {self.agreement:6.1%}"


class RoundingLearner:
    """A model that rounds, and Adam on its weights."""

    def __init__(self, folded: keras.Model, rounding: keras.Model, teacher: Teacher, schedule: Schedule) -> None:
        """Make the optimizer and the steps.

        Args:
            folded: The float model that `rounding` was made from.
            rounding: As `convert.fake_quant.with_rounding` gives it.
            teacher: The float model as it was, and how much of the loss is about its answers.
            schedule: Of the learning rate; all steps are one epoch to it.
        """
        self._rounding, self._teacher, self._schedule = rounding, teacher, schedule
        self._scale, self._zero_point = scaling(folded)
        self._variables = trained_weights(rounding)
        self._adam = keras.optimizers.Adam()
        self._adam.build(self._variables)
        self._classes = folded.output_shape[-1]
        self._loss = Loss(np.ones(self._classes, np.float32), teacher=teacher)
        batch = [
            tf.TensorSpec([None, *folded.input_shape[1:]], tf.uint8),
            tf.TensorSpec([None, self._classes], tf.float32),
        ]
        self._train = tf.function(self._train_on, input_signature=batch)
        self._judge = tf.function(self._judge_on, input_signature=batch)

    def step(self, images: tf.Tensor, labels: tf.Tensor, done: int, steps: int) -> float:
        """Train on a batch; return its mean loss before.

        Args:
            images: Raw pixels (N, height, width, 3) uint8.
            labels: One-hot rows (N, classes) float32.
            done: Steps before this one.
            steps: All steps.

        Raises:
            UserError: If the loss is no number.
        """
        self._adam.learning_rate.assign(self._schedule.rate(done, steps, []))
        loss = float(self._train(images, labels))
        if not math.isfinite(loss):
            raise UserError(
                f"Expected a finite loss in quantization-aware training, got {loss} in step {done + 1}; "
                "quantize without --qat"
            )
        return loss

    def weights(self) -> list[npt.NDArray[np.float32]]:
        """Return a copy of all that training changes."""
        return [variable.numpy() for variable in self._variables]

    def restore(self, weights: list[npt.NDArray[np.float32]]) -> None:
        """Put back what `weights` gave."""
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)

    def expected(self, images: Images, chosen: npt.NDArray[np.int64]) -> Labels:
        """Return the float model's answer to each image at `chosen`, (N,)."""
        answers = [self._teacher.model(images[part].astype(np.float32), training=False) for part in _parts(chosen)]
        return np.concatenate(answers).argmax(axis=1)

    def figures(self, images: Images, labels: Labels, chosen: npt.NDArray[np.int64], expected: Labels) -> Figures:
        """Say what the model does with the images at `chosen`; `expected` are the float model's answers to them."""
        update_kernel_ranges(self._rounding)
        judged = [self._judge(images[part], one_hot(labels[part], self._classes)) for part in _parts(chosen)]
        losses, scores = (np.concatenate(each) for each in zip(*judged, strict=True))
        answers = scores.argmax(axis=1)
        return Figures(
            float(losses.mean()), float((answers == labels[chosen]).mean()), float((answers == expected).mean())
        )

    def _train_on(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Do one step; the graph behind `step`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            scores = self._rounding(self._scaled(images), training=True)
            loss = tf.reduce_mean(self._loss.of_training(images, labels, scores))
        self._adam.apply_gradients(zip(tape.gradient(loss, self._variables), self._variables, strict=True))
        return loss

    def _judge_on(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the losses (N,) and the scores (N, classes) of one batch."""
        scores = self._rounding(self._scaled(images), training=False)
        return self._loss.of_training(images, labels, scores), scores

    def _scaled(self, images: tf.Tensor) -> tf.Tensor:
        """Return what the layers see of raw pixels."""
        return (tf.cast(images, tf.float32) - self._zero_point) * self._scale


def _parts(chosen: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Cut indices into batches."""
    for start in range(0, len(chosen), _BATCH):
        yield chosen[start : start + _BATCH]
