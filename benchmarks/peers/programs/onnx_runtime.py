"""onnxruntime by hand: OpenCV resizes, `run`, the best class."""

import sys

import cv2
import numpy as np
import onnxruntime
from lap import serve

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
(given,) = session.get_inputs()
dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}[given.type]
height, width = given.shape[1:3]


def answer(frame):
    """Answer as tutorials do."""
    image = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    return np.argmax(session.run(None, {given.name: np.expand_dims(image, 0).astype(dtype)})[0][0])


serve(onnxruntime.__version__, answer)
