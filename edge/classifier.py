"""A model file and a frame in, real classes out: `Classifier(path).classify(frame)`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge import preprocess, runtimes
from edge.embedded import Embedded
from edge.errors import UserError
from edge.pixel_input import describe_assumption, describe_input


@dataclass(frozen=True)
class Prediction:
    """One class of an answer.

    Attributes:
        label: The class's name, or its index as text where the model carries no labels.
        index: The class's position in the model's output.
        confidence: Probability of the class, 0-1.
    """

    label: str
    index: int
    confidence: float


class Classifier:
    """An image-classification model, ready to answer.

    Not for sharing between threads: the runtimes' buffers are reused from call to call.

    Attributes:
        path: The model file.
        image_size: (height, width) that the model takes.
        labels: Names of the classes, in the order of the model's output.
        has_labels: False where the file carries none and `labels` are indices.
        metadata: The model's own metadata.json as a dict; empty for a foreign file.
        embedded: The files that travel in the model file, by name; see `edge.golden.read_golden`.
        runtime: The runtime's distribution and version, such as "ai-edge-litert 2.3.0".
        assumption: What had to be assumed about a file of another maker, in a line; empty where nothing was.
        score_step: By how much neighbouring scores differ in a quantized file; 0 where scores are real numbers.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        num_threads: int = 1,
        *,
        runtime: str | None = None,
        labels: str | os.PathLike[str] | None = None,
        input_range: tuple[float, float] | None = None,
    ) -> None:
        """Load a .tflite or .onnx model.

        Args:
            path: The model file.
            num_threads: Threads of the runtime.
            runtime: One of `edge.runtimes.RUNTIMES`; None for the first that takes the file and is installed.
            labels: Text file of a label a line, instead of what the model carries.
            input_range: What pixels of 0 and of 255 become for a float model of other makers; None for what its
                metadata says, or else raw pixels.

        Raises:
            UserError: If the file is no image-classification model that takes one RGB image.
        """
        self.path = Path(path)
        self._runtime = runtimes.load(self.path, num_threads, runtime)
        self.runtime = f"{self._runtime.name} {self._runtime.version}"
        self.score_step = self._runtime.output_step
        mapped = input_range if input_range is not None else self._runtime.input_range
        pixels = describe_input(self.path, self._runtime.input_shape, self._runtime.input_dtype, mapped)
        self.image_size = pixels.image_size
        self._runtime.prepare(pixels)
        self._halves: preprocess.Halves = {}
        self._image = np.zeros((*self.image_size, 3), np.uint8)
        self.embedded = self._runtime.embedded
        self.metadata = _parse_metadata(self.path, self.embedded)
        is_ours = self.metadata.get("format") == "tinysight"
        self.assumption = "" if is_ours else describe_assumption(self.path, pixels)
        try:
            classes = len(self._runtime.invoke(self._image))  # also the slow first inference, out of the user's way
        except Exception as error:  # the runtimes' errors share no base class but this one
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{path} fails in its first inference: {reason}; convert the model again") from error
        _check_output(self.path, self._runtime.output_shape)
        found = _find_labels(self.path, self.metadata, self.embedded, classes) if labels is None else _read(labels)
        self.has_labels = found is not None
        self.labels = found if found is not None else [str(index) for index in range(classes)]
        if len(self.labels) != classes:
            if labels is not None:
                raise UserError(f"{path} has {classes} classes, but {labels} has {len(self.labels)} lines")
            raise UserError(f"{path} has {classes} classes but carries {len(self.labels)} labels; convert it again")

    def classify(self, frame: preprocess.Frame, top_k: int = 1) -> list[Prediction]:
        """Answer with the `top_k` most likely classes of a frame, the likeliest first.

        Args:
            frame: BGR (H, W, 3) uint8, as OpenCV gives it; any size.
            top_k: How many classes, at least 1; at most all of them come back.
        """
        return self.rank(self.scores_of(frame), top_k)

    def scores_of(self, frame: preprocess.Frame) -> runtimes.Scores:
        """Return the scores (classes,) float32 of a frame, BGR (H, W, 3) uint8 of any size."""
        tensor = self._runtime.input_image()
        out = self._image if tensor is None else tensor
        preprocess.to_image(frame, self.image_size, out=out, halves=self._halves)
        if tensor is None:
            return self._runtime.invoke(out)
        del tensor, out  # the runtime refuses to run while somebody holds its memory
        return self._runtime.invoke(None)

    def scores(self, image: preprocess.Image) -> runtimes.Scores:
        """Return the scores (classes,) float32 of one RGB image (height, width, 3) uint8 of `image_size`."""
        return self._runtime.invoke(image)

    def rank(self, scores: npt.NDArray[np.float32], top_k: int = 1) -> list[Prediction]:
        """Turn scores (classes,) into the `top_k` best predictions; equal scores go to the lower index.

        Raises:
            UserError: If a score is not finite, as a broken model's are; JSON has no word for them.
        """
        if not np.isfinite(scores).all():
            raise UserError(f"{self.path} gave scores that are not finite; train or convert the model again")
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Prediction(self.labels[i], int(i), float(scores[i])) for i in order]


def _check_output(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse what gives no score a class: boxes, masks, features of places, and the one score of a yes or no.

    A single score would always be the likeliest, at 100 %.

    Raises:
        UserError: If the output tensor is not (1, classes), or that with more axes of 1, of at least two classes.
    """
    if sum(n != 1 for n in shape) != 1 or 0 in shape:
        hint = "; a model of one yes-or-no score has to be exported with two" if all(n == 1 for n in shape) else ""
        raise UserError(f"Expected a model that gives one score a class, (1, classes); {path} gives {shape}{hint}")


def _parse_metadata(path: Path, embedded: Embedded) -> dict[str, Any]:
    """Return the embedded metadata.json; empty where there is none."""
    if "metadata.json" not in embedded:
        return {}
    try:
        metadata = json.loads(embedded["metadata.json"].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"The metadata in {path} is damaged: {error}; copy the model again") from error
    if not isinstance(metadata, dict):
        raise UserError(f"Expected the metadata in {path} to be a JSON object, got {type(metadata).__name__}")
    return metadata


def _read(labels: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a text file."""
    try:
        return Path(labels).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"Expected labels, a line a class, at {labels}: {error.strerror}; name another") from error
    except UnicodeDecodeError as error:
        raise UserError(f"Expected labels as UTF-8 text in {labels}: {error.reason}; save it so") from error


def _find_labels(path: Path, metadata: dict[str, Any], embedded: Embedded, classes: int) -> list[str] | None:
    """Return the labels of our metadata or, for files of other makers, of the embedded text that fits."""
    labels = metadata.get("labels")
    if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
        return labels
    names = sorted((name for name in embedded if name.endswith(".txt")), key=lambda name: ("label" not in name, name))
    try:
        texts = [embedded[name].decode("utf-8").splitlines() for name in names]
    except UnicodeDecodeError as error:
        raise UserError(f"The labels in {path} are damaged: {error}; copy the model again") from error
    return next((lines for lines in texts if len(lines) == classes), texts[0] if texts else None)
