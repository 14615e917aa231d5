"""OpenCV's own networks module on a .onnx file; the file's size of images is given behind the other arguments.

`opencv_dnn.py MODEL FRAMES NUM_THREADS HEIGHT WIDTH uint8|float32`
"""

import sys

import cv2
import numpy as np
from lap import serve

cv2.setNumThreads(int(sys.argv[3]))
height, width, dtype = int(sys.argv[4]), int(sys.argv[5]), np.dtype(sys.argv[6])
net = cv2.dnn.readNetFromONNX(sys.argv[1])


def answer(frame):
    """Answer; the file takes NHWC, so no blobFromImage, which turns it."""
    image = cv2.cvtColor(cv2.resize(frame, (width, height)), cv2.COLOR_BGR2RGB)
    net.setInput(image[np.newaxis].astype(dtype))
    return np.argmax(net.forward().reshape(-1))


serve(cv2.__version__, answer)
