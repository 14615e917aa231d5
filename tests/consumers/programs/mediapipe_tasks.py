"""Asks MediaPipe Tasks' ImageClassifier about a .tflite file: `mediapipe_tasks.py MODEL PHOTOS ANSWER`.

It takes the labels, the normalization of float models and the calibration of scores from the file's TFLite Metadata.
"""

import json
import sys
import zipfile
from importlib.metadata import version

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

model, photos, answer = sys.argv[1:]
with np.load(photos, allow_pickle=False) as file:
    images, classes = file["images"], len(file["names"])
options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=model), max_results=-1)
scores, names = [], {}
with vision.ImageClassifier.create_from_options(options) as classifier:
    for image in images:
        frame = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
        (head,) = classifier.classify(frame).classifications
        row = [0.0] * classes
        for category in head.categories:
            row[category.index] = category.score
            names.setdefault(category.index, set()).add(category.category_name)
        scores.append(row)
# A class with two names or none gets a text that is no label, so that it's seen.
labels = [" / ".join(sorted(map(str, names.get(index, ["?"])))) for index in range(classes)]
told = {"version": version("mediapipe"), "scores": scores, "integers": False, "labels": labels}
if zipfile.is_zipfile(model):
    with zipfile.ZipFile(model) as archive:
        told["calibrated"] = "score_calibration.csv" in archive.namelist()
with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - a program of few lines and few imports
    json.dump(told, file)
