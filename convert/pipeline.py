"""The steps of a conversion, in order: load, convert each scheme, ask every file about every test photo, record."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert import calibration, evaluation, one_file, to_onnx, to_tflite
from convert.evaluation import Verdict
from convert.source import Source, load_source
from edge.run_folder import write_json, write_whole

Step = Callable[[str], object]
STEPS = 6  # how often `convert` calls `step`


@dataclass(frozen=True)
class Settings:
    """What a conversion was asked for.

    Attributes:
        run: Folder of the finished training.
        int8: Whether model_int8.tflite is wanted; the float32 files, which it is judged by, are always written.
        calibration_size: Photos of the training split that set the int8 ranges.
        seed: Fixes the choice of those photos.
    """

    run: Path
    int8: bool
    calibration_size: int
    seed: int


@dataclass(frozen=True)
class Converted:
    """One converted file and what it does.

    Attributes:
        path: The file.
        scheme: Such as "int8".
        verdict: Its answers on the test split beside Keras's.
        latency_ratio: Its latency over that of the float32 file of the same format, measured in turn.
    """

    path: Path
    scheme: str
    verdict: Verdict
    latency_ratio: float


def convert(settings: Settings, step: Step, advance: Callable[[], object]) -> list[Converted]:
    """Convert a run's model; write its files, eval.npz and conversion.json into the run's folder.

    Args:
        settings: What is wanted; `run` with links resolved.
        step: Called with a description as each step begins.
        advance: Called after each photo that a file has answered.

    Raises:
        UserError: If the run is unfinished, or its photos changed since the training.
    """
    step("Loading the model")
    source = load_source(settings.run)
    step("Reading the photos")
    images, truth = source.test_split
    sample = calibration.choose_sample(source.manifest, settings.calibration_size, settings.seed)
    calibration_images = calibration.calibration_images(sample, source.image_size)
    reference = source.model.predict(images.astype(np.float32), batch_size=32, verbose=0)
    # Beside the run's files and moved there when all is done: a conversion that fails leaves the old files together.
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=settings.run) as folder:
        files = _make_models(source, calibration_images, settings.int8, Path(folder), step)
        step("Asking every file about every test photo")
        verdicts = [evaluation.judge(evaluation.run_file(file, images, 1, advance), reference, truth) for file in files]
        step("Timing each file beside float32")
        ratios = evaluation.latency_ratios(files, images[0])
        converted = [
            Converted(settings.run / file.name, scheme_of(file), verdict, ratios[file.name])
            for file, verdict in zip(files, verdicts, strict=True)
        ]
        described = {
            file.name: evaluation.describe_file(file, each.scheme, each.verdict, each.latency_ratio)
            for file, each in zip(files, converted, strict=True)
        }
        write_whole(settings.run / "eval.npz", _eval_npz(images, truth, source.labels))
        for file in files:
            file.replace(settings.run / file.name)
    write_json(
        settings.run / "conversion.json",
        {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "keras": {"test": {"n": len(truth), "accuracy": float((reference.argmax(axis=1) == truth).mean())}},
            "calibration": {"split": "train", "n": len(sample.files), "seed": settings.seed},
            "files": described,
        },
    )
    return converted


def scheme_of(path: Path) -> str:
    """Return the scheme that a model file's name says, such as "int8" of model_int8.tflite."""
    return path.stem.removeprefix("model_")


def _make_models(source: Source, images: npt.NDArray[np.uint8], int8: bool, folder: Path, step: Step) -> list[Path]:
    """Write the model files to a folder; return their paths in the order of the table."""
    step("Converting to .tflite")
    models = {"model_float32.tflite": to_tflite.to_float32(source.model)}
    if int8:
        models["model_int8.tflite"] = to_tflite.to_int8(source.model, images)
    step("Converting to .onnx")
    models["model_float32.onnx"] = to_onnx.to_float32(source.model)
    for name, content in models.items():
        path = folder / name
        embed = one_file.embed_in_onnx if path.suffix == ".onnx" else one_file.embed_in_tflite
        write_whole(path, embed(content, source.describe(scheme_of(path))))
    return [folder / name for name in models]


def _eval_npz(images: npt.NDArray[np.uint8], truth: npt.NDArray[np.int64], labels: list[str]) -> bytes:
    """Return eval.npz: the test split as the device sees it."""
    file = io.BytesIO()
    np.savez_compressed(file, images=images, labels=truth, names=np.array(labels))
    return file.getvalue()
