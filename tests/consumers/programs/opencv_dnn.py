"""Asks OpenCV's dnn about a .onnx file: `opencv_dnn.py MODEL PHOTOS ANSWER`. It has no way to the labels."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np

model, photos, answer = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images = file["images"]
cv2.setNumThreads(1)
# OpenCV can't be asked what the file takes; its name says it.
dtype = np.uint8 if "int8" in Path(model).stem else np.float32
net = cv2.dnn.readNetFromONNX(model)
scores = []
for image in images:
    net.setInput(image[np.newaxis].astype(dtype))  # NHWC, as the file has it; no blobFromImage, which turns it
    output = net.forward()
    scores.append(output.reshape(-1).tolist())
told = {"version": cv2.__version__, "scores": scores, "integers": output.dtype == np.uint8, "labels": None}
with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - a program of few lines and few imports
    json.dump(told, file)
