"""Asks OpenCV's dnn about a .onnx file: `opencv_dnn.py MODEL PHOTOS ANSWER`. It has no way to the labels."""

import json
import sys

import cv2
import numpy as np

model, photos, answer = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images = file["images"]
net = cv2.dnn.readNetFromONNX(model)
scores = []
for image in images:
    net.setInput(image[np.newaxis].astype(np.float32))  # NHWC, as the file has it; no blobFromImage, which turns it
    scores.append(net.forward().reshape(-1).tolist())
told = {"version": cv2.__version__, "scores": scores, "integers": False, "labels": None}
with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - a program of few lines and few imports
    json.dump(told, file)
