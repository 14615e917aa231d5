"""The two ways of converting that `convert.overhead` compares, each for a turn in a process of its own.

Bare is what a script does that was written for one model: TFLiteConverter, the calibration photos, a file. Ours makes
the same model by the table of schemes, and embeds and writes it as `convert.quantize` does; judging is no part of it.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.run_folder import write_whole
from train.contenders import peak_bytes

if TYPE_CHECKING:
    from convert.source import Source


@dataclass(frozen=True)
class Turn:
    """One conversion.

    Attributes:
        way: "bare" or "tinysight".
        run: Folder of a finished run.
        scheme: Of a .tflite, as `convert.schemes` names it.
        calibration_size: Photos that set the int8 ranges.
    """

    way: str
    run: Path
    scheme: str
    calibration_size: int


@dataclass(frozen=True)
class Outcome:
    """What a turn took.

    Attributes:
        seconds: From a model in memory to a file on the disk.
        peak_bytes: The most memory that the process had; 0 where nobody counts.
    """

    seconds: float
    peak_bytes: int


def take_turn(turn: Turn) -> Outcome:
    """Convert once; to be called in a fresh process.

    Raises:
        UserError: If the run isn't finished.
    """
    from train import native_log
    from train.device import import_tensorflow

    with native_log.to_file(Path(os.devnull)), tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
        import_tensorflow()
        from convert.source import load_source

        source = load_source(turn.run)
        images = source.calibrate(turn.calibration_size, 0).images
        source.model.predict_on_batch(images[:1].astype(np.float32))  # what is built at the first call is in no turn
        convert = _bare if turn.way == "bare" else _ours
        start = time.perf_counter()
        convert(source, turn.scheme, images, Path(folder, "model.tflite"))
        return Outcome(time.perf_counter() - start, peak_bytes())


def _ours(source: Source, scheme: str, images: npt.NDArray[np.uint8], path: Path) -> None:
    """Convert as `convert.quantize` does."""
    from convert import one_file
    from convert.schemes import Materials, wanted

    (row,) = (each for each in wanted([scheme]) if each.file_name == f"model_{scheme}.tflite")
    content = row.make(Materials(source.model, 1, images))
    write_whole(path, one_file.embed_in_tflite(content, source.describe(scheme)))


def _bare(source: Source, scheme: str, images: npt.NDArray[np.uint8], path: Path) -> None:
    """Convert as TensorFlow's guide to post-training quantization does, at the same fixed batch."""
    import tensorflow as tf

    def representative_dataset() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in images:
            yield [image[np.newaxis].astype(np.float32)]

    call = tf.function(source.model).get_concrete_function(tf.TensorSpec([1, *source.image_size, 3], tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call], source.model)
    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme == "dynamic_range":  # as for tflite-runtime: no bare script would, but it is to be the same work
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if scheme == "int8":
        converter.representative_dataset = representative_dataset
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(converter.convert())
