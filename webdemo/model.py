"""The model that the page asks: one at a time, whoever asks."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import cast

from flask import Flask

from edge import preprocess
from edge.classifier import Classifier, Prediction
from edge.errors import UserError
from edge.run_folder import model_files, resolve_run
from webdemo.image_header import MAX_SCANS, read_header
from webdemo.refusals import Refusal

EXTENSION = "webdemo.model"
_USUAL_SCANS = 10  # of a progressive JPEG; the largest photo may have as many, smaller ones more

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What the model says about one photo.

    Attributes:
        predictions: The likeliest classes, best first.
        latency_ms: From the encoded photo to the label, waiting for others excluded.
    """

    predictions: list[Prediction]
    latency_ms: float


class Model:
    """A classifier that threads may share: photos are decoded and classified one after the other.

    One at a time also bounds the memory: no two photos are in decoded form at once.

    Attributes:
        name: The model file's name.
        run: The name of the run's folder.
        size_bytes: The model file's size.
        scheme: How it is quantized; empty where the file doesn't say.
        classifier: For its facts; only `answer` may classify with it.
    """

    def __init__(self, path: Path, num_threads: int) -> None:
        self.classifier = Classifier(path, num_threads)
        self.name, self.run, self.size_bytes = path.name, path.parent.name, path.stat().st_size
        self.scheme = str(self.classifier.metadata.get("scheme", ""))
        self._lock = threading.Lock()

    def answer(self, data: bytes, top_k: int, max_pixels: int) -> Answer:
        """Classify an encoded photo.

        Args:
            data: The bytes of a JPEG, PNG, WebP, BMP or GIF (its first frame), whatever its name said.
            top_k: How many classes, at least 1.
            max_pixels: What its header may announce.

        Raises:
            Refusal: If the bytes are no photo, a broken one, or one that takes too long to decode; or if the model
                fails.
        """
        header = read_header(data)
        if header is None:
            raise Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "not_an_image",
                "Expected a photo as JPEG, PNG, WebP, BMP or GIF, got something else; choose a photo.",
            )
        if header.width * header.height > max_pixels:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_many_pixels",
                f"A photo may have {max_pixels / 1e6:g} megapixels, this one is {header.width} x {header.height}; "
                "make it smaller.",
            )
        max_scans = min(MAX_SCANS, _USUAL_SCANS * max_pixels // (header.width * header.height))
        if header.scans > max_scans:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_many_scans",
                f"This {header.format} of {header.width} x {header.height} is stored in more than {max_scans} scans; "
                "save it again as a baseline JPEG, not a progressive one.",
            )
        with self._lock:
            start = time.perf_counter()
            predictions = self._rank(_decode(data, header.format), top_k)
            return Answer(predictions, (time.perf_counter() - start) * 1e3)

    def wait_until_idle(self, timeout_s: float) -> None:
        """Let the photo in hand be finished, and take no further one."""
        self._lock.acquire(timeout=timeout_s)

    def _rank(self, frame: preprocess.Frame, top_k: int) -> list[Prediction]:
        """Classify a frame; what goes wrong here is not the photo's fault."""
        try:
            return self.classifier.classify(frame, top_k)
        except UserError as error:
            _log.error("%s", error)
            raise Refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "model_failed",
                f"The model {self.name} gave no usable answer; the server's log says why.",
            ) from error


def _decode(data: bytes, name: str) -> preprocess.Frame:
    """Decode a photo of the format `name`."""
    try:
        return preprocess.decode(data)
    except UserError as error:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "damaged_image",
            f"This {name} is damaged or cut short; save or copy the photo again.",
        ) from error


def open_model(run: Path, num_threads: int) -> Model:
    """Load the model of a run's folder that is meant for devices: int8 where there is one.

    Raises:
        UserError: If there is no such folder, no model in it, or one that doesn't load.
    """
    files = model_files(resolve_run(run))
    chosen = next((path for path in files if path.name == "model_int8.tflite"), files[0])
    return Model(chosen, num_threads)


def model_of(app: Flask) -> Model:
    """Return the model of an application; inside a request that is `current_app`."""
    return cast(Model, app.extensions[EXTENSION])
