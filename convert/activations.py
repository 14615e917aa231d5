"""Reads what each operation of a .tflite gives for an image, as real numbers; the runtime throws it away otherwise."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

Reals = npt.NDArray[np.float32]


class Activations:
    """A .tflite file that keeps what is calculated on the way.

    Without XNNPACK, which runs many operations as one and keeps nothing in between.
    """

    def __init__(self, content: bytes) -> None:
        self._interpreter = Interpreter(
            model_content=content,
            num_threads=os.cpu_count(),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._details = {each["index"]: each for each in self._interpreter.get_tensor_details()}

    def run(self, image: npt.NDArray[np.uint8]) -> None:
        """Calculate everything for one image (height, width, 3) of raw pixels."""
        self._interpreter.set_tensor(self._input["index"], image[np.newaxis].astype(self._input["dtype"]))
        self._interpreter.invoke()

    def read(self, tensor: int) -> Reals:
        """Return what a tensor, by its index in the file, held in the last run, as real numbers."""
        values = self._interpreter.get_tensor(tensor)
        parameters = self._details[tensor]["quantization_parameters"]
        if not len(parameters["scales"]):
            return values.astype(np.float32, copy=False)
        scale, zero_point = np.float32(parameters["scales"][0]), np.float32(parameters["zero_points"][0])
        return (values.astype(np.float32) - zero_point) * scale
