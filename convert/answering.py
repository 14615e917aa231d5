"""Asks a converted file about photos: one at a time by `edge`, as the device does, or as many as its batch takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.classifier import Classifier

Scores = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]


class Answerer(Protocol):
    """A converted file, ready to answer.

    Attributes:
        batch: Images in a call.
    """

    batch: int

    def scores(self, images: Images) -> Scores:
        """Return the scores (batch, classes) of images (batch, height, width, 3); valid until the next call."""


def open_file(path: Path, batch: int | None, num_threads: int) -> Answerer:
    """Load a converted file.

    Args:
        path: .tflite or .onnx.
        batch: What it was converted for; None for a free one, which is asked about one image at a time.
        num_threads: Threads of the runtime.
    """
    if batch in (1, None):
        return _AsOnTheDevice(path, num_threads)
    return _OnnxBatches(path, batch, num_threads) if path.suffix == ".onnx" else _TfliteBatches(path, num_threads)


class _AsOnTheDevice:
    """A file that takes one image, by `edge`."""

    batch = 1

    def __init__(self, path: Path, num_threads: int) -> None:
        self._classifier = Classifier(path, num_threads=num_threads)

    def scores(self, images: Images) -> Scores:
        """Return the scores of one image; see `Answerer.scores`."""
        return self._classifier.scores(images[0])[np.newaxis]


class _TfliteBatches:
    """A .tflite of a larger batch, by the bare runtime: `edge` has one frame at a time and refuses it."""

    def __init__(self, path: Path, num_threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_path=str(path), num_threads=num_threads)
        self._interpreter.allocate_tensors()
        (self._input,), (self._output,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self.batch = int(self._input["shape"][0])

    def scores(self, images: Images) -> Scores:
        """Return the scores of a batch; see `Answerer.scores`."""
        self._interpreter.set_tensor(self._input["index"], images.astype(self._input["dtype"]))
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"])
        scale, zero_point = self._output["quantization"]
        scores: Scores = (raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale) if scale else raw
        return scores


class _OnnxBatches:
    """A .onnx of a larger batch, by onnxruntime."""

    def __init__(self, path: Path, batch: int, num_threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(path.read_bytes(), options)
        (self._input,), (self._output,) = self._session.get_inputs(), self._session.get_outputs()
        self._dtype = np.uint8 if self._input.type == "tensor(uint8)" else np.float32
        # As in `edge.runtimes`: a .onnx says no scale for its output, and scores lie in 0-1.
        self._scale = np.float32(1 / 255) if self._output.type == "tensor(uint8)" else np.float32(1)
        self.batch = batch

    def scores(self, images: Images) -> Scores:
        """Return the scores of a batch; see `Answerer.scores`."""
        (answer,) = self._session.run([self._output.name], {self._input.name: images.astype(self._dtype)})
        scores: Scores = np.asarray(answer, np.float32) * self._scale
        return scores
