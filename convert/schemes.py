"""The schemes that a model can be converted by: a table, a row for each kind of file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from convert import fixed_ranges, onnx_int8, to_onnx, to_tflite
from convert.qat import QatResult
from edge.errors import TinySightError

# What the files of every other scheme are judged by and timed beside.
REFERENCE = "float32"
QAT = "int8_qat"
_FLOAT_ONNX = f"model_{REFERENCE}.onnx"


def _no_training(suffix: str) -> QatResult:
    """Stand in where nothing can be trained further."""
    raise TinySightError("There is nothing to train this model further with")


@dataclass(frozen=True)
class Materials:
    """What files are made of.

    Attributes:
        model: The float model: raw pixels in, scores out.
        batch: Images in a call; None leaves it free.
        images: Calibration images (N, height, width, 3) uint8 RGB that span 0-255.
        train_further: Trains the model on, rounding as a file of a suffix rounds.
        made: The models made before, by file name, without what is embedded later; in the table's order.
    """

    model: keras.Model
    batch: int | None
    images: npt.NDArray[np.uint8]
    train_further: Callable[[str], QatResult] = _no_training
    made: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Scheme:
    """A row of the table.

    Attributes:
        name: Such as "int8"; the flag is called alike.
        suffix: ".tflite" or ".onnx".
        make: Makes the model's bytes.
        is_calibrated: Whether calibration images set its ranges.
    """

    name: str
    suffix: str
    make: Callable[[Materials], bytes]
    is_calibrated: bool = False

    @property
    def file_name(self) -> str:
        """Return the name of the file, such as model_int8.tflite."""
        return f"model_{self.name}{self.suffix}"


# In the order in which they are made and shown: float32 first in each format, since others may start from it.
SCHEMES = (
    Scheme("float32", ".tflite", lambda m: to_tflite.to_float32(m.model, m.batch)),
    Scheme("float16", ".tflite", lambda m: to_tflite.to_float16(m.model, m.batch)),
    Scheme("dynamic_range", ".tflite", lambda m: to_tflite.to_dynamic_range(m.model, m.batch)),
    Scheme("int8", ".tflite", lambda m: to_tflite.to_int8(m.model, m.images, m.batch), is_calibrated=True),
    Scheme(QAT, ".tflite", lambda m: _qat_tflite(m), is_calibrated=True),
    Scheme("float32", ".onnx", lambda m: to_onnx.to_float32(m.model, m.batch)),
    Scheme("float16", ".onnx", lambda m: to_onnx.to_float16(m.model, m.batch)),
    Scheme("int8", ".onnx", lambda m: onnx_int8.to_int8(m.made[_FLOAT_ONNX], m.images), is_calibrated=True),
    Scheme(QAT, ".onnx", lambda m: _qat_onnx(m), is_calibrated=True),
)


def wanted(names: Collection[str]) -> tuple[Scheme, ...]:
    """Return the rows of the named schemes, and those of float32 in any case."""
    return tuple(scheme for scheme in SCHEMES if scheme.name in names or scheme.name == REFERENCE)


def _qat_tflite(materials: Materials) -> bytes:
    """Convert what was trained with rounding, within the ranges that it was trained in."""
    result = materials.train_further(".tflite")
    return fixed_ranges.to_int8(result.model, result.ranges, materials.batch)


def _qat_onnx(materials: Materials) -> bytes:
    """Convert what was trained with rounding, within the ranges that it was trained in."""
    result = materials.train_further(".onnx")
    exact = to_onnx.to_float32(result.model, materials.batch)
    return onnx_int8.to_int8(exact, materials.images, ranges=onnx_int8.ranges_by_layer(exact, result.ranges))
