"""LiteRT and ONNX Runtime behind one interface: an image in, the output tensor as real numbers out.

Which one is chosen by the file and by what is installed: for a .tflite ai-edge-litert, then tflite-runtime; for a .onnx
onnxruntime. Never TensorFlow, not even as a fallback.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge import seal
from edge.embedded import Embedded, read_appended, read_properties
from edge.errors import MissingPackage, UserError
from edge.extras import install_line
from edge.normalization import read_input_range
from edge.pixel_input import PixelInput

Scores = npt.NDArray[np.float32]
LITERT, TFLITE_RUNTIME, ONNXRUNTIME = "ai-edge-litert", "tflite-runtime", "onnxruntime"
RUNTIMES = LITERT, TFLITE_RUNTIME, ONNXRUNTIME  # in the order in which they are chosen
_ONNX_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(uint8)": np.dtype(np.uint8),
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int8)": np.dtype(np.int8),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
}


class Runtime(Protocol):
    """A loaded model.

    Attributes:
        name: Distribution that runs the model, such as "ai-edge-litert".
        version: Its version.
        input_shape: Shape of the input tensor as the file says it, such as (1, height, width, 3); -1 is a free size.
        input_dtype: Type of the input tensor.
        output_shape: Shape of the output tensor, such as (1, classes), from the first `invoke` on.
        output_step: By how much neighbouring scores differ in a quantized file; 0 where scores are real numbers.
        input_range: What pixels of 0 and of 255 become by the file's own metadata; None where it doesn't say it.
        embedded: Files that travel in the model file, such as "metadata.json" and "labels.txt", and their bytes.
    """

    name: str
    version: str
    input_shape: tuple[int, ...]
    input_dtype: np.dtype[Any]
    output_shape: tuple[int, ...]
    output_step: float
    input_range: tuple[float, float] | None
    embedded: Embedded

    def prepare(self, pixels: PixelInput) -> None:
        """Say how an image becomes the input tensor; once, before the first `invoke`."""

    def input_image(self) -> npt.NDArray[np.uint8] | None:
        """Return the input tensor (height, width, 3) to write an RGB image into; None where it isn't one of uint8.

        Let go of it before `invoke(None)`.
        """

    def invoke(self, image: npt.NDArray[np.uint8] | None) -> Scores:
        """Run the model on one RGB image (height, width, 3) uint8, or None for what `input_image` holds.

        Returns:
            Real scores (classes,) float32.
        """


def load(path: Path, num_threads: int, runtime: str | None = None) -> Runtime:
    """Load a model file into its runtime: LiteRT by the file's content, ONNX Runtime by the ending .onnx.

    Args:
        path: The model file.
        num_threads: Threads of the runtime.
        runtime: One of `RUNTIMES`; None for the first that takes the file and is installed.

    Raises:
        UserError: If there is no such file, it is no model or a damaged one, or no runtime for it is installed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Expected a model at {path}, could not read it: {error.strerror}; name another") from error
    seal.check_whole(path, data)
    if data[4:8] == b"TFL3":  # the file identifier of a TFLite flatbuffer
        if runtime == ONNXRUNTIME:
            raise UserError(f"{path} is a .tflite, which onnxruntime can't run; leave --runtime out")
        return LiteRt(path, data, num_threads, runtime)
    if path.suffix.lower() == ".onnx":  # protobuf has no identifier
        if runtime not in (None, ONNXRUNTIME):
            raise UserError(f"{path} is a .onnx, which {runtime} can't run; leave --runtime out")
        return OnnxRuntime(path, data, num_threads)
    raise UserError(f"Expected a .tflite or .onnx model, but {path} is neither; convert one: convert.quantize")


class LiteRt:
    """A .tflite model in ai-edge-litert or, where only that is installed, tflite-runtime."""

    def __init__(self, path: Path, data: bytes, num_threads: int, runtime: str | None = None) -> None:
        interpreter_class, self.name, self.version = _find_interpreter(runtime)
        try:
            # From the bytes that were read once, not from the path: nobody can swap the file in between.
            self._interpreter = interpreter_class(model_content=data, num_threads=num_threads)
            self._interpreter.allocate_tensors()
            # Names that are no UTF-8 are a ValueError too.
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{self.name} refuses {path}: {_reason(error)}; convert the model again") from error
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"Expected a model of one input and one output, {path} has {len(inputs)} and {len(outputs)}"
            )
        # Views of the tensors must be made anew for each call: the interpreter refuses to run while one is held.
        self._input = self._interpreter.tensor(inputs[0]["index"])
        self._output = self._interpreter.tensor(outputs[0]["index"])
        self.input_shape = tuple(int(n) for n in inputs[0]["shape"])
        self.input_dtype = np.dtype(inputs[0]["dtype"])
        self.embedded = read_appended(path, data)
        is_float = self.input_dtype == np.float32
        self.input_range = read_input_range(path, data) if is_float else None
        scale, zero_point = outputs[0]["quantization"]
        # scale 0 is TFLite's word for "not quantized"
        self._scale, self._zero_point = np.float32(scale), np.float32(zero_point)
        self.output_step = float(scale)

    def prepare(self, pixels: PixelInput) -> None:
        """Say how an image becomes the input tensor."""
        self._pixels = pixels

    def input_image(self) -> npt.NDArray[np.uint8] | None:
        """Return the input tensor where it is an image; see `Runtime.input_image`."""
        return self._input()[0] if self._pixels.is_image else None

    def invoke(self, image: npt.NDArray[np.uint8] | None) -> Scores:
        """Run the model on one image; see `Runtime.invoke`."""
        if image is not None:
            self._pixels.write(image, self._input()[0])
        self._interpreter.invoke()
        output = self._output()
        self.output_shape = output.shape
        scores: Scores = output.reshape(-1).astype(np.float32)
        del output  # the runtime refuses to run while somebody holds its memory
        if self.output_step:
            scores -= self._zero_point
            scores *= self._scale
        return scores


class OnnxRuntime:
    """A .onnx model in onnxruntime."""

    def __init__(self, path: Path, data: bytes, num_threads: int) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingPackage(f"{path} needs onnxruntime. Install it: {install_line('onnxruntime')}")
        onnxruntime: Any = importlib.import_module("onnxruntime")

        self.name, self.version = ONNXRUNTIME, onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A model from bytes would take the files that it names from the working directory; inside a file are none.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path))
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
            properties = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's exceptions share no base class but this one
            raise UserError(f"onnxruntime refuses {path}: {_reason(error)}; convert the model again") from error
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"Expected a model of one input and one output, {path} has {len(inputs)} and {len(outputs)}"
            )
        self._input_name, self._output_names = inputs[0].name, [outputs[0].name]
        shape = [n if isinstance(n, int) else -1 for n in inputs[0].shape]
        self.input_shape = tuple([1, *shape[1:]] if shape[:1] == [-1] else shape)  # a free batch takes one image too
        # `Classifier` refuses all that it doesn't know, by name.
        self.input_dtype = _ONNX_DTYPES.get(inputs[0].type, np.dtype(object))
        # A .onnx says no scale for its output; scores, which lie in 0-1, have this one in every file of ours.
        self.output_step = 1 / 255 if outputs[0].type == "tensor(uint8)" else 0.0
        self._scale = np.float32(self.output_step or 1)
        self.embedded = read_properties(path, properties)
        self.input_range: tuple[float, float] | None = None  # ONNX has no standard for it

    def prepare(self, pixels: PixelInput) -> None:
        """Say how an image becomes the input tensor, and make it: by now its shape was found sane."""
        self._pixels = pixels
        batch = np.empty(self.input_shape, self.input_dtype)
        self._image, self._given = batch[0], {self._input_name: batch}

    def input_image(self) -> npt.NDArray[np.uint8] | None:
        """Return the input tensor where it is an image; see `Runtime.input_image`."""
        return self._image if self._pixels.is_image else None

    def invoke(self, image: npt.NDArray[np.uint8] | None) -> Scores:
        """Run the model on one image; see `Runtime.invoke`."""
        if image is not None:
            self._pixels.write(image, self._image)
        raw = self._session.run(self._output_names, self._given)[0]
        self.output_shape = np.shape(raw)
        scores: Scores = np.asarray(raw, np.float32).reshape(-1) * self._scale
        return scores


def _reason(error: Exception) -> str:
    """Return the first line of what a runtime says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _find_interpreter(runtime: str | None) -> tuple[Any, str, str]:
    """Return the interpreter's class and its distribution's name and version: the newer runtime first."""
    if runtime in (None, LITERT) and importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter, LITERT, _version("ai_edge_litert", LITERT)
    if runtime in (None, TFLITE_RUNTIME) and importlib.util.find_spec("tflite_runtime") is not None:
        if int(np.__version__.partition(".")[0]) >= 2:
            # It imports, then dies with a SystemError in the first call.
            raise UserError(
                f"tflite-runtime needs NumPy 1, got NumPy {np.__version__}. Install: {sys.executable} -m pip install "
                f"'numpy<2' 'opencv-python-headless<4.10', or the runtime for NumPy 2: {install_line('ai_edge_litert')}"
            )
        from tflite_runtime.interpreter import Interpreter as LegacyInterpreter

        return LegacyInterpreter, TFLITE_RUNTIME, _version("tflite_runtime", TFLITE_RUNTIME)
    if runtime is not None:
        module = runtime.replace("-", "_")
        raise MissingPackage(f"--runtime {runtime} is not installed. Install it: {install_line(module)}")
    raise MissingPackage(f"A .tflite model needs a runtime. Install it: {install_line('ai_edge_litert')}")


def _version(module: str, distribution: str) -> str:
    """Return an imported runtime's version, by its own word where it gives one: to look it up costs 10 ms."""
    stated = getattr(sys.modules[module], "__version__", None)
    if isinstance(stated, str):
        return stated
    from importlib import metadata

    return metadata.version(distribution)
