"""A model while it is trained: its weights, its optimizer, and one step of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from train.checkpoints import Arrays
from train.dropout import with_stateless_dropout
from train.loss import Loss
from train.workers import Workers

WISHES = 2  # numbers that the processes tell each other at each step


@dataclass(frozen=True)
class Step:
    """What a step came to, over all processes.

    Attributes:
        loss: Sum of the images' losses before it.
        right: How many of them were right.
        images: How many there were.
        wishes: Sums of what the copies of the model wished.
    """

    loss: float
    right: float
    images: int
    wishes: list[float]


class Learner:
    """A model under training.

    A step is a function of weights, optimizer, batch, learning rate and the number of the step, to the bit: who puts
    back what `arrays` gave goes on as if nothing had happened.
    """

    def __init__(
        self,
        build: Callable[[], keras.Model],
        loss: Loss,
        batch: Any,
        *,
        seed: int,
        precision: str = "float32",
        clip_norm: float | None = None,
        xla: bool = False,
        workers: Workers | None = None,
    ) -> None:
        """Build the model and Adam.

        Args:
            build: Builds the model, under whatever precision is Keras's policy.
            loss: What each step makes smaller.
            batch: The tensors' specification of a batch, images and labels.
            seed: Seed of dropout.
            precision: Keras's policy: "float32", "mixed_float16" or "mixed_bfloat16".
            clip_norm: Largest norm of all gradients together; None for any.
            xla: Whether XLA compiles the steps.
            workers: Who trains together; None for this process alone.
        """
        self._workers = workers or Workers()
        with self._workers.strategy.scope():
            adam = keras.optimizers.Adam(global_clipnorm=clip_norm)
            keras.mixed_precision.set_global_policy(precision)
            try:
                self.model = with_stateless_dropout(build(), seed, adam.iterations)
            finally:
                keras.mixed_precision.set_global_policy("float32")
            # in float16 small gradients vanish, so the loss is scaled up first
            self._optimizer = keras.mixed_precision.LossScaleOptimizer(adam) if precision == "mixed_float16" else adam
            self._optimizer.build(self.model.trainable_variables)
        self._loss = loss
        wishes = tf.TensorSpec([WISHES], tf.float32)
        self._train = tf.function(self._train_on, input_signature=[*batch, wishes], jit_compile=xla)
        self._judge = tf.function(self._judge_on, input_signature=batch, jit_compile=xla)

    def step(self, images: tf.Tensor, labels: tf.Tensor, rate: float, wishes: Sequence[float] = (0,) * WISHES) -> Step:
        """Train on a batch at a learning rate.

        Args:
            images: This process's share of the batch.
            labels: Their one-hot labels.
            rate: The learning rate.
            wishes: Numbers whose sums over all copies of the model all of them learn.
        """
        self._optimizer.learning_rate.assign(rate)
        loss, right, count, *wished = self._train(images, labels, tf.constant(wishes, tf.float32)).numpy().tolist()
        return Step(loss, right, round(count), wished)

    def average_statistics(self) -> None:
        """Give all copies of the model the same moving statistics; each has gathered its own from its images."""
        if self._workers.replicas > 1:
            for variable in self.model.non_trainable_variables:
                variable.assign(variable.numpy())

    def judge(self, batches: Iterable[Any]) -> Iterator[tuple[float, float, float, float]]:
        """Give each batch's sum of losses, sum of weights, number of right answers and of images."""
        for images, labels in batches:
            loss, weight, right = self._judge(images, labels)
            yield float(loss), float(weight), float(right), float(len(images))

    def arrays(self) -> dict[str, Arrays]:
        """Return all that training changes."""
        return {name: [each.numpy() for each in variables] for name, variables in self._variables().items()}

    def restore(self, arrays: Mapping[str, Sequence[np.ndarray[Any, Any]]]) -> None:
        """Put back what `arrays` gave.

        Raises:
            ValueError: If they are of another model.
        """
        for name, variables in self._variables().items():
            for variable, value in zip(variables, arrays[name], strict=True):
                variable.assign(value)

    def _variables(self) -> dict[str, list[tf.Variable]]:
        """Return the variables that training changes; the learning rate is none, as each step is given its own."""
        variables = {"weights": list(self.model.weights), "optimizer": list(self._optimizer.variables)}
        if isinstance(self._optimizer, keras.mixed_precision.LossScaleOptimizer):  # it leaves out its own
            scale = self._optimizer._loss_scale
            variables["loss_scale"] = [scale.current_loss_scale, scale.counter]
        return variables

    def _train_on(self, images: tf.Tensor, labels: tf.Tensor, wishes: tf.Tensor) -> tf.Tensor:
        """Do one step; the graph behind `step`."""

        def learn(images: tf.Tensor, labels: tf.Tensor, wishes: tf.Tensor) -> tf.Tensor:
            images, labels = self._workers.split(images, labels)
            with tf.GradientTape() as tape:
                scores = self.model(images, training=True)
                losses = self._loss.of_training(images, labels, scores)
                # the copies' gradients are added up, and all of them have as many images
                mean = tf.reduce_mean(losses) / self._workers.replicas
            self._optimizer.minimize(mean, self.model.trainable_variables, tape=tape)
            told = tf.stack([tf.reduce_sum(losses), _count_right(labels, scores), tf.cast(len(images), tf.float32)])
            told = tf.concat([told, wishes], axis=0)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, told)

        return self._workers.run(learn, images, labels, wishes)

    def _judge_on(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Look at one batch; the graph behind `judge`."""

        def look(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            scores = self.model(images, training=False)
            losses, weights = self._loss.of_validation(labels, scores), self._loss.weigh(labels)
            return tf.reduce_sum(losses), tf.reduce_sum(weights), _count_right(labels, scores)

        return self._workers.run(look, images, labels)  # type: ignore[no-any-return]


def _count_right(labels: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Count the images whose highest score is at their label's place."""
    is_right = tf.argmax(labels, axis=1) == tf.argmax(scores, axis=1)
    return tf.reduce_sum(tf.cast(is_right, tf.float32))
