"""The script that everybody writes: OpenCV resizes, `set_tensor`, `invoke`, `get_tensor`; of the module named last.

`tflite_interpreter.py MODEL FRAMES NUM_THREADS ai_edge_litert|tflite_runtime|tensorflow`
"""

import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from lap import serve

module = sys.argv[4]
if module == "tensorflow":
    import tensorflow

    Interpreter = tensorflow.lite.Interpreter
elif module == "tflite_runtime":
    from tflite_runtime.interpreter import Interpreter
else:
    from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_content=Path(sys.argv[1]).read_bytes(), num_threads=int(sys.argv[3]))
interpreter.allocate_tensors()
(given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
height, width = (int(each) for each in given["shape"][1:3])


def answer(frame):
    """Answer as tutorials do."""
    image = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    interpreter.set_tensor(given["index"], np.expand_dims(image, 0).astype(given["dtype"]))
    interpreter.invoke()
    return np.argmax(interpreter.get_tensor(output["index"])[0])


serve(version(module.replace("_", "-")), answer)
