"""Ours beside Ultralytics: trained, converted and timed by the commands that users type."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import edge
from benchmarks.peers.contender import Contender, run_command
from edge.run_folder import read_json


def train(folder: Path, data: str, model: str, image_size: int, epochs: int, seed: int) -> Contender:
    """Train and convert into `folder`, which is made anew."""
    line = [sys.executable, "-m", "train.run", "--data", data, "--model", model, "--weights", "none"]
    line += ["--image-size", str(image_size), "--epochs", str(epochs), "--patience", str(epochs)]
    line += ["--schedule", "cosine", "--seed", str(seed), "--output", str(folder), "--force"]
    log = folder.parent / "commands.log"
    run_command(line, os.environ, log)
    run_command([sys.executable, "-m", "convert.quantize", "--run", str(folder)], os.environ, log)
    metrics, dataset = read_json(folder / "metrics.json", "train.run"), read_json(folder / "dataset.json", "train.run")
    training, test = metrics["training"], metrics["test"]
    conversion = read_json(folder / "conversion.json", "convert.quantize")
    return Contender(
        name=f"TinySight {edge.__version__}",
        model=model,
        data=str(dataset["name"]),
        folder=folder,
        images=sum(file["split"] == "train" for file in dataset["files"]),
        epochs=training["epochs"],
        seconds=training["seconds"],
        parameters=training["parameters"],
        n=test["n"],
        right=round(test["accuracy"] * test["n"]),
        files={name: file["size_bytes"] for name, file in conversion["files"].items()},
        image_size=image_size,
    )


def time_frames(folder: Path) -> dict[str, float]:
    """Return the median time of each file from a decoded frame to its class, in ms, on one thread."""
    written = folder / "peers_latency.json"
    line = [sys.executable, "-m", "benchmarks.latency", "--run", str(folder), "--threads", "1", "--json", str(written)]
    run_command(line, os.environ, folder.parent / "commands.log")
    rows = read_json(written, "benchmarks.latency")["rows"]
    return {row["model"]: row["frame_to_label_ms"]["p50"] for row in rows}


def merge_times(rounds: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return for each file the median of its times over the rounds, and the least and largest."""
    merged = {}
    for name in rounds[0]:
        times = [each[name] for each in rounds]
        merged[name] = {"median": float(np.median(times)), "min": min(times), "max": max(times)}
    return merged
