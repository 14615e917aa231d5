"""Makes a finished run without training: real photo files, scores as a model of a given skill might have given them."""

import hashlib

import cv2
import numpy as np
from scipy.special import softmax

from edge.run_folder import write_json
from train import output
from train.dataset import SPLITS, Manifest, Photo, Quarantined, SplitSettings, write_manifest
from train.evaluate import judge, true_classes
from train.history import Epoch, write_history
from train.plots import plot_run
from train.predictions import write_predictions

EPOCHS = [Epoch(number, 1 / number, 1 - 1 / (number + 1), 1.2 / number, 0.6, 2.0) for number in range(1, 6)]


def make_photos(root, labels, each=20, name="{}.jpg"):
    """Write photos of noise, named by a pattern, and return their manifest; four in ten are for testing."""
    files = []
    for index, label in enumerate(labels):
        (root / str(index)).mkdir(parents=True)
        for number in range(each):
            path = root / str(index) / name.format(number)
            noise = np.random.default_rng((index, number)).integers(0, 255, (24, 40, 3), np.uint8)
            path.write_bytes(cv2.imencode(".png", noise)[1].tobytes())
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            split = SPLITS[[0, 0, 0, 1, 1, 1, 2, 2, 2, 2][number % 10]]
            files.append(Photo(path.relative_to(root).as_posix(), sha256, label, split))
    files.sort(key=lambda photo: photo.path)
    left_out = (Quarantined("0/half.png", "does not decode: it is cut off"),)
    return Manifest("noise", "a test", "CC0", root, tuple(labels), SplitSettings(), tuple(files), left_out)


def make_run(folder, manifest, skill=2.0, seed=0, **training):
    """Write what train.run writes, but for the model; return metrics.json's content."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    scores = {}
    for split in ("validation", "test"):
        truth = true_classes(manifest, split)
        logits = rng.normal(0, 1, (len(truth), len(manifest.labels)))
        logits[np.arange(len(truth)), truth] += skill
        scores[split] = softmax(2 * logits, axis=1).astype(np.float32)
    metrics = judge(manifest, scores, 0.05)
    metrics["training"] = {"epochs": 5, "best_epoch": 5, "parameters": 12345, "seconds": 83.4, **training}
    write_manifest(manifest, folder / "dataset.json")
    write_predictions(folder, scores)
    write_history(EPOCHS, folder / "history.csv")
    plot_run(EPOCHS, metrics["test"], manifest.labels, manifest.name, folder / "plots")
    output.write_config(folder, {"model": "cnn", "image_size": [16, 24], "seed": 0, "device": "CPU: a test"})
    write_json(folder / "metrics.json", metrics)
    return metrics
