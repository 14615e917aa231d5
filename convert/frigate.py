"""A model for Frigate's custom classification: a folder with model.tflite and labelmap.txt.

Frigate looks for it in /config/model_cache/NAME, NAME being that of `classification: custom:` in its configuration. It
squashes what a camera sees to 224x224, gives RGB as uint8, and reads one class's name a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge import runtimes
from edge.classifier import Classifier
from edge.errors import UserError
from edge.run_folder import write_whole

IMAGE_SIZE = (224, 224)  # frigate/data_processing/real_time/custom_classification.py resizes to nothing else
MODEL, LABELMAP = "model.tflite", "labelmap.txt"


def write_frigate(model: Path, labels: Sequence[str], folder: Path) -> None:
    """Write a model and its labels as Frigate expects them; the folder is made, and what it holds replaced.

    Args:
        model: A .tflite file of ours, uint8 in and out (of --int8 or --qat), for images of 224x224.
        labels: The classes' names, in the order of the model's output.
        folder: Such as model_cache/NAME in Frigate's configuration.

    Raises:
        UserError: If Frigate couldn't use the model or would read other names from the labelmap.
    """
    loaded = runtimes.load(model, num_threads=1)
    if model.suffix.lower() != ".tflite" or loaded.input_dtype != np.uint8:
        raise UserError(
            f"Frigate needs a .tflite file that takes uint8 pixels, {model} takes {loaded.input_dtype.name}; "
            "convert with --int8"
        )
    check_size((loaded.input_shape[1], loaded.input_shape[2]), str(model))
    classes = len(Classifier(model).scores(np.zeros((*IMAGE_SIZE, 3), np.uint8)))
    if classes != len(labels):
        raise UserError(f"{model} has {classes} classes, got {len(labels)} labels; give those that it was trained with")
    for label in labels:
        if label.split() == [] or label != label.strip() or len(label.splitlines()) != 1:
            raise UserError(
                f"Frigate reads one name a line and strips it, which {label!r} does not survive; rename the class"
            )
    folder.mkdir(parents=True, exist_ok=True)
    # The labelmap first: Frigate loads when both are there.
    write_whole(folder / LABELMAP, "".join(f"{label}\n" for label in labels).encode())
    write_whole(folder / MODEL, model.read_bytes())


def check_size(image_size: tuple[int, int], model: str) -> None:
    """Refuse a model, by its name, of another (height, width) than the one that Frigate gives.

    Raises:
        UserError: If it is another.
    """
    if image_size != IMAGE_SIZE:
        height, width = image_size
        raise UserError(f"Frigate gives images of 224x224, {model} takes {height}x{width}; train with --image-size 224")
