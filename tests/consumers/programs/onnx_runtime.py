"""Asks onnxruntime about a .onnx file: `onnx_runtime.py MODEL PHOTOS ANSWER`. The labels come from `metadata_props`."""

import json
import sys

import numpy as np
import onnxruntime

model, photos, answer = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images = file["images"]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # more would wait for one another in loops on a busy machine
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
(given,) = session.get_inputs()
dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}[given.type]
scores = [session.run(None, {given.name: image[np.newaxis].astype(dtype)})[0][0].tolist() for image in images]
labels = session.get_modelmeta().custom_metadata_map.get("labels.txt")
is_quantized = session.get_outputs()[0].type == "tensor(uint8)"
told = {"version": onnxruntime.__version__, "scores": scores, "integers": is_quantized, "labels": None}
if labels:
    told["labels"] = labels.splitlines()
if is_quantized:
    told |= {"scale": 1 / 255, "zero_point": 0}  # of every score in a .onnx of ours: the format has no place for it
with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - a program of few lines and few imports
    json.dump(told, file)
