"""What training makes small: cross-entropy with class weights and label smoothing, and what a teacher adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

_LEAST = 1e-7  # below it a score's logarithm is noise; Keras's epsilon


@dataclass(frozen=True)
class Teacher:
    """A finished model whose answers are taught along with the labels (Hinton et al. 2015, arXiv 1503.02531).

    Attributes:
        model: From raw pixels to scores of the same classes.
        share: Part of the loss that is about the teacher's answers, 0-1; the rest is about the labels.
        temperature: What both models' logits are divided by, so that small scores count too.
    """

    model: keras.Model
    share: float = 0.5
    temperature: float = 2.0

    def loss(self, images: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Return the `divergence` of the scores of each image (N, classes) from the teacher's, (N,)."""
        return divergence(self.model(images, training=False), scores, self.temperature)


@dataclass(frozen=True)
class Loss:
    """The loss of each image of a batch.

    Attributes:
        class_weights: How much an image of each class counts (classes,) float32.
        label_smoothing: What is taken from the label and shared among all classes, 0-1.
        teacher: Who teaches along with the labels.
    """

    class_weights: npt.NDArray[np.float32]
    label_smoothing: float = 0.0
    teacher: Teacher | None = None

    def weigh(self, labels: tf.Tensor) -> tf.Tensor:
        """Return how much each image counts (N,); mixed labels (N, classes) give mixed weights."""
        return tf.linalg.matvec(labels, self.class_weights)

    def of_training(self, images: tf.Tensor, labels: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Return the weighted loss of each image (N,) that training makes small."""
        loss = keras.losses.categorical_crossentropy(labels, scores, label_smoothing=self.label_smoothing)
        if self.teacher is not None:
            loss = (1 - self.teacher.share) * loss + self.teacher.share * self.teacher.loss(images, scores)
        return loss * self.weigh(labels)

    def of_validation(self, labels: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        """Return the weighted loss of each image (N,) by which epochs are compared: by the labels alone."""
        return keras.losses.categorical_crossentropy(labels, scores) * self.weigh(labels)


def divergence(wanted: tf.Tensor, given: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return the KL divergence of scores (N, classes) from the wanted ones, both softened, (N,).

    Times the temperature's square, which keeps its gradient as large as that of the labels.
    """
    wanted, given = _soften(wanted, temperature), _soften(given, temperature)
    return temperature**2 * tf.reduce_sum(tf.exp(wanted) * (wanted - given), axis=1)


def balanced_weights(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float32]:
    """Return weights by which each class counts as much as any other, 1 on average over the images.

    Args:
        labels: Class of each training image (N,).
        classes: Number of classes; one without images gets weight 0.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 0).astype(np.float32)


def _soften(scores: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return logarithms of scores at a temperature; log(scores) are logits but for a constant."""
    logits = tf.math.log(tf.maximum(tf.cast(scores, tf.float32), _LEAST))
    return tf.nn.log_softmax(logits / temperature)
