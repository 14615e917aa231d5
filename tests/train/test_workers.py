import subprocess
import sys

import numpy as np
import pytest

from edge.errors import UserError
from train.cluster import WorkerLost

pytest.importorskip("tf_keras")

import tensorflow as tf

from train.workers import Workers, agree, lost_workers, most_sharing

# Two copies of a model on one processor, each with half of the batch, beside one with all of it: no dropout in it.
TWO_COPIES = """
from train import device
device.prepare(0)
import numpy as np
import tensorflow as tf
import tf_keras as keras
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
from train.learner import Learner
from train.loss import Loss
from train.workers import Workers

def build():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))(x)
    x = keras.layers.BatchNormalization(trainable={trainable})(x)
    x = keras.layers.Flatten()(x)
    initializer = keras.initializers.GlorotUniform(seed=2)
    return keras.Model(image, keras.layers.Dense(3, "softmax", kernel_initializer=initializer)(x))

def train(workers):
    spec = tf.TensorSpec([None, 8, 8, 3], tf.uint8), tf.TensorSpec([None, 3], tf.float32)
    learner = Learner(build, Loss(np.ones(3, np.float32)), spec, seed=0, workers=workers)
    random = np.random.default_rng(0)
    for _ in range(3):
        images = tf.constant(random.integers(0, 256, (6, 8, 8, 3), np.uint8))
        labels = tf.one_hot(random.integers(0, 3, 6), 3)
        step = learner.step(images, labels, 1e-2, (1, 0))
    learner.average_statistics()
    for variable in learner.model.non_trainable_variables:
        first, *rest = workers.strategy.experimental_local_results(variable)
        assert all(np.array_equal(first.numpy(), each.numpy()) for each in rest)
    sums = np.sum(list(learner.judge([(images, labels)])), axis=0)
    return step, learner.arrays(), sums

two = Workers(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
assert (two.replicas, two.local_replicas) == (2, 2)
mirrored, alone = train(two), train(Workers())
assert mirrored[0].images == alone[0].images == 6
assert mirrored[0].right == alone[0].right
assert (mirrored[0].wishes, alone[0].wishes) == ([2, 0], [1, 0])
if not {trainable}:  # the copies' batch norms see half of the batch each
    np.testing.assert_allclose(mirrored[0].loss, alone[0].loss, rtol=1e-5)
    np.testing.assert_allclose(mirrored[2], alone[2], rtol=1e-4)
    for a, b in zip(mirrored[1]["weights"], alone[1]["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(mirrored[1]["optimizer"], alone[1]["optimizer"], strict=True):  # Adam's moments: the gradients
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7)
print("equal")
"""


@pytest.mark.parametrize("trainable", [False, True])
def test_two_copies_learn_what_one_does(trainable):
    script = [sys.executable, "-c", TWO_COPIES.format(trainable=trainable)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]


class Rank(Workers):
    """One of several workers, whose others are told what to answer."""

    def __init__(self, rank, size, replicas, others=()):
        super().__init__(rank=rank, size=size)
        self.replicas = replicas
        self.others = others

    def gather(self, data):
        return [*self.others[: self.rank], data, *self.others[self.rank :]]


@pytest.mark.parametrize(("images", "size", "replicas"), [(12, 3, 3), (10, 3, 3), (1, 2, 2), (5, 2, 4), (3, 2, 8)])
def test_shares_are_even_and_all_of_the_batch(images, size, replicas):
    order = np.random.default_rng(0).permutation(40)
    batch = order[7 : 7 + images]
    shares = [Rank(rank, size, replicas).share(batch, order) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1
    assert len(shares[0]) % (replicas // size) == 0
    together = np.concatenate(shares)
    assert set(batch) <= set(together)
    assert len(together) < images + replicas


@pytest.mark.parametrize(("most", "batch", "sharing"), [(0, 32, 1), (1, 32, 1), (3, 32, 2), (8, 32, 8), (7, 30, 6)])
def test_as_many_gpus_as_can_share_a_batch(most, batch, sharing):
    assert most_sharing(most, batch) == sharing


def test_alone_nothing_is_shared():
    alone, batch = Workers(), np.arange(5)
    assert alone.share(batch, batch) is batch
    assert alone.is_chief
    assert alone.broadcast(b"data") == b"data"
    assert alone.gather(b"data") == [b"data"]
    assert alone.sum([1.5, -2]) == [1.5, -2]


def test_who_has_other_photos_is_named():
    with pytest.raises(UserError, match="Expected the same photos on all workers, worker 1 has others than worker 0"):
        agree(Rank(0, 2, 2, [b"another digest"]), "photos", ["a"])


def lost(kind, message):
    """Return what becomes of an error of TensorFlow's."""
    with lost_workers():
        raise kind(None, None, message)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tf.errors.UnavailableError, "Connection refused"),
        # What a worker is told that did not notice how its chief went and came back.
        (
            tf.errors.InvalidArgumentError,
            "Collective ops is aborted by: Task with task_name=/job:worker/replica:0/task:1 must be registered before "
            "sending heartbeat messages.\nRPC: /tensorflow.CoordinationService/Heartbeat",
        ),
    ],
)
def test_what_comes_of_a_lost_worker_is_told_from_faults(kind, message):
    with pytest.raises(WorkerLost, match=message.partition("\n")[0]):
        lost(kind, message)


def test_a_fault_stays_a_fault():
    with pytest.raises(tf.errors.InvalidArgumentError):
        lost(tf.errors.InvalidArgumentError, "Incompatible shapes: [2] vs. [3]")


def test_who_agrees_goes_on():
    import hashlib
    import json

    same = hashlib.sha256(json.dumps({"a": 1, "b": 2}).encode()).digest()
    agree(Rank(1, 2, 2, [same]), "settings", {"b": 2, "a": 1})
