"""Runs the camera loop over a million frames: does it need more and more of anything?

`python -m tests.soak_camera --frames 1000000` runs `camera_classify.main` in a process of its own on a source that
gives frames of changing size as fast as they are taken, with a model of a few operations, so that months go by in
minutes. It prints the process's memory, threads, descriptors and the bytes that it caused to be written to disks, after
a tenth of the frames and at the end.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.command import command, parser, positive_int
from tests.processes import count_descriptors, count_threads, read_rss_mb, read_written_bytes

_SIZES = ((48, 64), (36, 64), (120, 160), (1, 1))  # (height, width)
_MOST_GROWTH_MB = 3.0  # of some hundred; an allocator breathes


@dataclass(frozen=True)
class State:
    """What a process holds.

    Attributes:
        frame: After which frame.
        rss_mb: Memory.
        threads: How many.
        descriptors: How many.
        written_bytes: Bytes that it has caused to be written to disks.
    """

    frame: int
    rss_mb: float
    threads: int
    descriptors: int
    written_bytes: int


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run, then say what was held; 1 where it became more."""
    flags = parser("python -m tests.soak_camera", "Run the camera loop over very many frames.")
    flags.add_argument("--frames", type=positive_int, default=1_000_000, metavar="N", help="how many")
    given = flags.parse_args(argv)
    started = time.monotonic()
    early, late = soak(given.frames)
    print(f"{given.frames:,} frames in {time.monotonic() - started:.0f} s")
    for state in (early, late):
        print(
            f"after {state.frame:>9,}: {state.rss_mb:.1f} MB, {state.threads} threads, "
            f"{state.descriptors} descriptors, {state.written_bytes} bytes written"
        )
    return 0 if is_flat(early, late) else 1


def is_flat(early: State, late: State) -> bool:
    """Tell whether nothing became more, but for the breath of memory."""
    grown = late.rss_mb - early.rss_mb
    return grown < _MOST_GROWTH_MB and (early.threads, early.descriptors, early.written_bytes) == (
        late.threads,
        late.descriptors,
        late.written_bytes,
    )


def soak(frames: int) -> tuple[State, State]:
    """Run the loop over so many frames.

    Returns:
        What its process held after a tenth of them and at the end.
    """
    processes = multiprocessing.get_context("spawn")
    count, may_end = processes.Value("l", 0), processes.Event()
    with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
        write_model(Path(folder, "model.onnx"))
        Path(folder, "clip").touch()
        child = processes.Process(target=_loop, args=(folder, frames, count, may_end), daemon=True)
        child.start()
        early = _await(child, count, frames // 10)
        late = _await(child, count, frames)
        may_end.set()
        child.join()
    if child.exitcode != 0:
        raise RuntimeError(f"the loop left with {child.exitcode}")
    return early, late


def write_model(path: Path) -> None:
    """Write a model that tells bright images from dark ones, 8x8 pixels."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Reshape", ["mean", "shape"], ["column"]),
            helper.make_node("Mul", ["column", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(np.array([1, 1]), "shape"),
            numpy_helper.from_array(np.array([[0.01, -0.01]], np.float32), "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _await(child: multiprocessing.process.BaseProcess, count: Any, frame: int) -> State:
    """Wait until the loop is at a frame, and look at its process."""
    while count.value < frame:
        child.join(0.05)
        if child.exitcode is not None:
            raise RuntimeError(f"the loop ended after {count.value} frames, with {child.exitcode}")
    process = child.pid or 0
    return State(
        count.value,
        read_rss_mb(process),
        count_threads(process),
        count_descriptors(process),
        read_written_bytes(process),
    )


class _Frames:
    """A recording of any length, of frames in several sizes; the last one comes when it may."""

    def __init__(self, frames: int, count: Any, may_end: Any) -> None:
        self._frames, self._count, self._may_end, self._number = frames, count, may_end, 0

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        """Make the next frame."""
        if self._number == self._frames:
            self._count.value = self._number
            self._may_end.wait()
            return False, None
        self._number += 1
        if self._number % 1000 == 0:
            self._count.value = self._number
        return True, np.full((*_SIZES[self._number // 100 % len(_SIZES)], 3), self._number % 256, np.uint8)

    def get(self, prop: int) -> float:
        """Return no property but a pace."""
        return 1000.0 if prop == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        """Let go of nothing."""


def _loop(folder: str, frames: int, count: Any, may_end: Any) -> None:
    """Run the loop in this process."""
    from edge import camera_classify

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    flags = ["--model", f"{folder}/model.onnx", "--source", f"{folder}/clip", "--every-frame", "--jsonl", os.devnull]
    with mock.patch("edge.sources.cv2.VideoCapture", return_value=_Frames(frames, count, may_end)):
        sys.exit(camera_classify.main(flags))


if __name__ == "__main__":
    sys.exit(main())
