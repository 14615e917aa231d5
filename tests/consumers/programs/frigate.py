"""Asks a folder as Frigate's custom classification does: `frigate.py FOLDER PHOTOS ANSWER`.

After frigate/data_processing/real_time/custom_classification.py and load_labels of frigate/util/builtin.py: the
interpreter that is there, two threads, the frame squashed to 224x224 and given as uint8, the name of the best from the
labelmap by line. Frigate divides the scores by their sum, which moves no best one; here they stay as they came.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

try:
    from tflite_runtime.interpreter import Interpreter

    runtime = "tflite-runtime"
except ModuleNotFoundError:
    from ai_edge_litert.interpreter import Interpreter

    runtime = "ai-edge-litert"

folder, photos, answer = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images = file["images"]
interpreter = Interpreter(model_path=str(Path(folder, "model.tflite")), num_threads=2)
interpreter.allocate_tensors()
given, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
with Path(folder, "labelmap.txt").open(encoding="utf-8") as file:
    labelmap = {index: line.strip() for index, line in enumerate(file.readlines())}
scores = []
for image in images:
    frame = cv2.resize(image, (224, 224))
    interpreter.set_tensor(given["index"], np.expand_dims(frame, axis=0))
    interpreter.invoke()
    scores.append(interpreter.get_tensor(output["index"])[0].tolist())
labels = [labelmap.get(index) for index in range(max(len(scores[0]), len(labelmap)))]
scale, zero_point = output["quantization"]
told = {
    "version": f"by {runtime} {version(runtime)}",
    "scores": scores,
    "integers": scale != 0,
    "scale": scale,
    "zero_point": zero_point,
    "labels": labels,
}
Path(answer).write_text(json.dumps(told), encoding="utf-8")
