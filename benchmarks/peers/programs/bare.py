"""The runtime alone: `invoke()` on an input tensor that is filled already, the output left where it is."""

import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from lap import serve

from edge.preprocess import to_image

interpreter = Interpreter(model_content=Path(sys.argv[1]).read_bytes(), num_threads=int(sys.argv[3]))
interpreter.allocate_tensors()
(given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
height, width = (int(each) for each in given["shape"][1:3])


def fill(frame):
    """Write a frame into the input tensor."""
    interpreter.set_tensor(given["index"], to_image(frame, (height, width))[np.newaxis].astype(given["dtype"]))


serve(
    version("ai-edge-litert"),
    lambda _: interpreter.invoke(),
    before=fill,
    label=lambda _: int(interpreter.get_tensor(output["index"]).argmax()),
)
