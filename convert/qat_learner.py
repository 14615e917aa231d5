"""A model that rounds, while it is trained: one step of it, and what it does on the validation split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from convert.fake_quant import rounded_output, trained_weights, update_kernel_ranges, with_rounding
from convert.fold import connections, scaling
from convert.int8_steps import StepAdam, steps_of
from convert.layer_ranges import KERNELS
from edge.errors import UserError
from train.loss import divergence
from train.pipeline import one_hot
from train.pixels import Images, Labels
from train.schedule import Schedule

_BATCH = 32  # validation images that are looked at together
_TINY = 1e-12  # of a mean square: features may be nothing but zeros


@dataclass(frozen=True)
class Aim:
    """What training makes small.

    Attributes:
        teacher_share: Part that is about the float model, 0-1; the rest is about the labels.
        temperature: What logits are divided by where both models' scores are compared.
        features_weight: How much the float model's features, what its scores are calculated from, count beside its
            scores. The error's mean square is taken over theirs.
    """

    teacher_share: float
    temperature: float
    features_weight: float


@dataclass(frozen=True)
class Figures:
    """What a model that rounds does on the validation split.

    Attributes:
        loss: How far its scores are from what is aimed at; features apart.
        accuracy: Share of right answers, 0-1.
        agreement: Share of photos with the float model's answer, 0-1.
    """

    loss: float
    accuracy: float
    agreement: float

    def __str__(self) -> str:
        """Return the end of a line of progress."""
        return f"validation: loss {self.loss:.5f}  accuracy {self.accuracy:6.1%}  agrees {self.agreement:6.1%}"


class RoundingLearner:
    """A model that rounds, its float model as the teacher, and Adam on its weights.

    Attributes:
        model: The model that rounds.
    """

    def __init__(
        self,
        folded: keras.Model,
        ranges: Mapping[str, tuple[float, float]],
        aim: Aim,
        schedule: Schedule,
        *,
        in_pairs: bool = False,
    ) -> None:
        """Make the model, the optimizer and the steps.

        Args:
            folded: The float model; stays as it is.
            ranges: Of its layers' outputs.
            aim: What training makes small.
            schedule: Of the learning rate, in steps of int8; all training steps are one epoch to it.
            in_pairs: Whether weights are rounded as those of an int8 .onnx.
        """
        self.model = with_rounding(folded, ranges, in_pairs=in_pairs)
        self._aim, self._schedule = aim, schedule
        features = _features(folded)
        self._teacher = keras.Model(folded.input, [folded.get_layer(features).output, folded.output])
        self._pupil = keras.Model(self.model.input, [rounded_output(self.model, features), self.model.output])
        self._scale, self._zero_point = scaling(folded)
        trained = trained_weights(self.model)
        self._variables = [variable for _, variable in trained]
        self._adam = StepAdam(self._variables, steps_of(folded, ranges, trained))
        self._classes = folded.output_shape[-1]
        pixels = tf.TensorSpec([None, *folded.input_shape[1:]], tf.uint8)
        labels = tf.TensorSpec([None, self._classes], tf.float32)
        self._train = tf.function(self._train_on, input_signature=[pixels, labels, tf.TensorSpec([], tf.float32)])
        self._judge = tf.function(self._judge_on, input_signature=[pixels, labels])

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
        loss = float(self._train(images, labels, self._schedule.rate(done, steps, [])))
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

    def figures(self, images: Images, labels: Labels, chosen: npt.NDArray[np.int64]) -> Figures:
        """Say what the model does with the images at `chosen`."""
        update_kernel_ranges(self.model)
        judged = [self._judge(images[part], one_hot(labels[part], self._classes)) for part in _parts(chosen)]
        losses, answers, expected = (np.concatenate(each) for each in zip(*judged, strict=True))
        return Figures(
            float(losses.mean()), float((answers == labels[chosen]).mean()), float((answers == expected).mean())
        )

    def _train_on(self, images: tf.Tensor, labels: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Do one step; the graph behind `step`."""
        wanted_features, wanted = self._teacher(tf.cast(images, tf.float32), training=False)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            features, scores = self._pupil(self._scaled(images), training=True)
            error = tf.reduce_mean((features - wanted_features) ** 2)
            error /= tf.reduce_mean(wanted_features**2) + _TINY
            loss = tf.reduce_mean(self._losses(labels, wanted, scores))
            loss += self._aim.teacher_share * self._aim.features_weight * error
        self._adam.apply(tape.gradient(loss, self._variables), rate)
        return loss

    def _judge_on(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the losses of one batch, the answers, and the float model's answers, each (N,)."""
        _, wanted = self._teacher(tf.cast(images, tf.float32), training=False)
        scores = self.model(self._scaled(images), training=False)
        return self._losses(labels, wanted, scores), tf.argmax(scores, axis=1), tf.argmax(wanted, axis=1)

    def _losses(self, labels: tf.Tensor, wanted: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Return how far scores (N, classes) are from the float model's and from the labels, (N,)."""
        share = self._aim.teacher_share
        taught = divergence(wanted, scores, self._aim.temperature)
        return share * taught + (1 - share) * keras.losses.categorical_crossentropy(labels, scores)

    def _scaled(self, images: tf.Tensor) -> tf.Tensor:
        """Return what the layers see of raw pixels."""
        return (tf.cast(images, tf.float32) - self._zero_point) * self._scale


def _features(folded: keras.Model) -> str:
    """Return the name of the layer that the last kernel is applied to."""
    last = [layer.name for layer in folded.layers if type(layer) in KERNELS][-1]
    return connections(folded)[last][0]


def _parts(chosen: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Cut indices into batches."""
    for start in range(0, len(chosen), _BATCH):
        yield chosen[start : start + _BATCH]
