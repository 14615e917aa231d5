"""Asks a bare interpreter of .tflite files: `tflite_interpreter.py MODEL PHOTOS ANSWER PACKAGE [RESOLVER]`.

PACKAGE is ai_edge_litert, tflite_runtime or tensorflow; RESOLVER one of ai_edge_litert's OpResolverType. The labels
come from the zip archive behind the model, as TFLite Metadata's readers take them.
"""

import importlib
import json
import sys
import zipfile

import numpy as np

model, photos, answer, package, *resolver = sys.argv[1:]
if package == "tensorflow":
    import tensorflow

    interpreter_class, version = tensorflow.lite.Interpreter, tensorflow.__version__
else:
    from importlib.metadata import version as version_of

    interpreter_class = importlib.import_module(f"{package}.interpreter").Interpreter
    version = version_of(package.replace("_", "-"))

with np.load(photos, allow_pickle=False) as file:
    images = file["images"]
settings = {}
if resolver:
    from ai_edge_litert.interpreter import OpResolverType

    settings["experimental_op_resolver_type"] = OpResolverType[resolver[0]]
interpreter = interpreter_class(model_path=model, num_threads=1, **settings)
interpreter.allocate_tensors()
(given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
scores = []
for image in images:
    interpreter.set_tensor(given["index"], image[np.newaxis].astype(given["dtype"]))
    interpreter.invoke()
    scores.append(interpreter.get_tensor(output["index"])[0].tolist())

labels = None
if zipfile.is_zipfile(model):
    with zipfile.ZipFile(model) as archive:
        texts = [name for name in archive.namelist() if name.endswith("labels.txt")]
        labels = archive.read(texts[0]).decode().splitlines() if texts else None
scale, zero_point = output["quantization"]
told = {"version": version, "scores": scores, "integers": scale != 0, "labels": labels}  # 0: not quantized
told |= {"scale": scale, "zero_point": zero_point}
with open(answer, "w", encoding="utf-8") as file:  # noqa: PTH123 - a program of few lines and few imports
    json.dump(told, file)
