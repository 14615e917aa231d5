"""Those who train one model together: this process alone, the GPUs of a machine, or several machines.

All of them do the same steps in the same order. What is asked of the others here (`sum`, `broadcast`, `gather`) waits
for them, so all of them have to ask.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.errors import UserError
from train.cluster import Cluster, WorkerLost

# What TensorFlow raises when another process is gone, by what it was at.
_LOST = (
    *(tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError),
    *(tf.errors.FailedPreconditionError, tf.errors.DeadlineExceededError),
)
# Its words where the code alone doesn't tell: a chief that is back before its absence was noticed says of a worker's
# sign of life that it doesn't know the worker, which is an InvalidArgumentError.
_LOST_WORDS = ("Collective ops is aborted by", "/tensorflow.CoordinationService/")


class Workers:
    """The processes that train together, and what each of them computes on.

    Attributes:
        strategy: TensorFlow's.
        rank: Which of the processes this one is, from 0.
        size: How many processes there are.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, rank: int = 0, size: int = 1) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.rank, self.size = rank, size
        self._sum = tf.function(self._sum_up, input_signature=[tf.TensorSpec([None], tf.int32)])

    @property
    def is_chief(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    @cached_property
    def replicas(self) -> int:
        """How many copies of the model there are, over all processes."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local_replicas(self) -> int:
        """How many copies of the model this process has: one for each GPU, or one."""
        return self.replicas // self.size

    def share(self, batch: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return this process's part of a batch: as many images as any other's.

        Args:
            batch: Indices of the batch's images.
            order: Those of the epoch, whose first images fill up a last batch that can't be shared evenly.
        """
        if self.replicas == 1:
            return batch
        missing = -len(batch) % self.replicas
        return np.concatenate([batch, np.resize(order, missing)])[self.rank :: self.size]

    def split(self, *tensors: tf.Tensor) -> list[tf.Tensor]:
        """Return a copy's part of its process's share; to be called where the copy computes."""
        if self.local_replicas == 1:
            return list(tensors)
        first = self.rank * self.local_replicas
        place = tf.distribute.get_replica_context().replica_id_in_sync_group - first
        return [tensor[place :: self.local_replicas] for tensor in tensors]

    def run(self, step: Callable[..., Any], *args: Any) -> Any:
        """Call `step` for each copy of this process; return what the first one gave."""
        results = self.strategy.run(step, args=args)
        return tf.nest.map_structure(lambda each: self.strategy.experimental_local_results(each)[0], results)

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of the processes' numbers, equal to the bit in all of them."""
        each = self.gather(np.asarray(numbers, np.float64).tobytes())
        return np.sum([np.frombuffer(part, np.float64) for part in each], axis=0).tolist()  # type: ignore[no-any-return]

    def broadcast(self, data: bytes) -> bytes:
        """Return the chief's data; what the others give is left aside."""
        if self.size == 1:
            return data
        (length,) = self._add(np.array([len(data) if self.is_chief else 0], np.int32))
        content = np.zeros(-(-int(length) // 4), np.int32)
        if self.is_chief:
            content.view(np.uint8)[:length] = np.frombuffer(data, np.uint8)
        return self._add(content).tobytes()[: int(length)]

    def gather(self, data: bytes) -> list[bytes]:
        """Return every process's data, in the order of their ranks; short data, as much of each."""
        if self.size == 1:
            return [data]
        lengths = np.zeros(self.size, np.int32)
        lengths[self.rank] = len(data)
        lengths = self._add(lengths)
        content = np.zeros((self.size, -(-int(lengths.max()) // 4)), np.int32)
        content[self.rank].view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        content = self._add(content.ravel()).reshape(content.shape)
        return [row.tobytes()[:length] for row, length in zip(content, lengths, strict=True)]

    def _add(self, values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the sums of the processes' values (N,), where all but one of them are 0: bytes stay what they are."""
        summed: npt.NDArray[np.int32] = self._sum(values).numpy()
        return summed

    def _sum_up(self, values: tf.Tensor) -> tf.Tensor:
        """Sum over the processes; the graph behind `_add`."""

        def contribute(values: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == self.rank * self.local_replicas  # of this process's copies
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, values, 0))

        return self.run(contribute, values)


def join(strategy: str, cluster: Cluster | None, batch_size: int) -> Workers:
    """Meet those who train together; to be called before TensorFlow computes anything.

    Waits for all machines of a cluster.

    Args:
        strategy: One of `train.cluster.STRATEGIES`.
        cluster: The cluster that this process belongs to; None for this machine alone.
        batch_size: Images in a batch; auto takes as many GPUs as can share it evenly.

    Raises:
        UserError: If there is nothing to mirror on, or this process can't be the worker that it is said to be.
        WorkerLost: If another worker left while they met.
    """
    if cluster is not None:
        with _interruptible():
            try:
                met = tf.distribute.MultiWorkerMirroredStrategy(
                    cluster_resolver=tf.distribute.cluster_resolver.SimpleClusterResolver(
                        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
                        task_type="worker",
                        task_id=cluster.index,
                        rpc_layer="grpc",
                    ),
                )
            except (tf.errors.OpError, RuntimeError) as error:
                reason = str(error).strip().partition("\n")[0]
                if "gRPC server" not in reason:  # others left, or are not back yet
                    raise WorkerLost(reason) from error
                raise UserError(
                    f"Expected to serve as worker {cluster.index} at {cluster.workers[cluster.index]}: {reason}; "
                    "name a free port in TF_CONFIG"
                ) from error
        return Workers(met, cluster.index, len(cluster.workers))
    gpus = tf.config.list_logical_devices("GPU")
    if strategy == "mirrored" and len(gpus) < 2:
        raise UserError(f"Expected several GPUs for --strategy mirrored, found {len(gpus)}; leave it out")
    sharing = {"auto": most_sharing(len(gpus), batch_size), "mirrored": len(gpus)}.get(strategy, 1)
    if sharing > 1:
        return Workers(tf.distribute.MirroredStrategy([gpu.name for gpu in gpus[:sharing]]))
    return Workers()


def most_sharing(most: int, batch_size: int) -> int:
    """Return the largest number, at most `most`, that a batch can be shared evenly by; at least 1."""
    return max((number for number in range(1, most + 1) if batch_size % number == 0), default=1)


def agree(workers: Workers, what: str, mine: Any) -> None:
    """Refuse to train together where one process has something else than the chief.

    Args:
        workers: Who trains together.
        what: What is compared, in words.
        mine: This process's; anything that JSON takes.

    Raises:
        UserError: In all of them, if they differ.
    """
    digests = workers.gather(hashlib.sha256(json.dumps(mine, sort_keys=True).encode()).digest())
    others = [str(rank) for rank, digest in enumerate(digests) if digest != digests[0]]
    if others:
        raise UserError(
            f"Expected the same {what} on all workers, worker {', '.join(others)} has others than worker 0; "
            "give each the same flags, and a copy of the same files"
        )


@contextlib.contextmanager
def lost_workers() -> Iterator[None]:
    """Raise WorkerLost for what TensorFlow raises when another worker is gone."""
    try:
        yield
    except tf.errors.OpError as error:
        if not isinstance(error, _LOST) and not any(words in error.message for words in _LOST_WORDS):
            raise
        raise WorkerLost(error.message.partition("\n")[0]) from error


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process while it waits for others, which happens outside of Python.

    TensorFlow takes SIGTERM for itself when it meets others; it is given back afterwards.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
