"""Ultralytics' classification by its own command `yolo`, in an environment of its own, on our splits."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path

from benchmarks.peers.contender import Contender, run_command
from benchmarks.peers.environments import clean_environment
from edge.errors import UserError
from edge.run_folder import read_json

_SPLITS = {"train": "train", "validation": "val", "test": "test"}
_BATCH = 32  # as ours
_MOST_TIMED = 200  # photos


def lay_out(own: Contender, folder: Path) -> Path:
    """Lay the photos of a run out as Ultralytics reads them: links in SPLIT/LABEL/.

    Raises:
        UserError: If the run's photos are no files of a folder.
    """
    dataset = read_json(own.folder / "dataset.json", "train.run")
    root = Path(dataset.get("root") or "")
    shutil.rmtree(folder, ignore_errors=True)
    for number, file in enumerate(dataset["files"]):
        photo = (root / file["path"]).absolute()
        if not photo.is_file():
            raise UserError(f"Expected the photos of {own.data} as files, {photo} is none; give --data a folder")
        link = folder / _SPLITS[file["split"]] / file["label"] / f"{number}{photo.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(photo)
    return folder


def train(python: str, output: Path, photos: Path, yaml: str, image_size: int, seed: int, seconds: float) -> Contender:
    """Train for so many seconds, judge the best weights on the test photos, export to ONNX.

    Args:
        python: The environment's.
        output: Folder for all of it.
        photos: As `lay_out` lays them.
        yaml: Name of the architecture.
        image_size: Side of the images.
        seed: Of the training.
        seconds: How long; a whole number of epochs comes of it.
    """
    folder = output / "ultralytics"
    shutil.rmtree(folder, ignore_errors=True)
    common = [f"imgsz={image_size}", "device=cpu"]
    _yolo(python, output, "settings", "sync=False")
    _yolo(
        *(python, output, "classify", "train", f"model={yaml}", f"data={photos}", f"time={seconds / 3600:.5f}"),
        *(f"seed={seed}", f"batch={_BATCH}", f"project={output}", "name=ultralytics", "exist_ok=True"),
        *("pretrained=False", "plots=False", *common),
    )
    best = folder / "weights" / "best.pt"
    said = _yolo(
        python, output, "classify", "val", f"model={best}", f"data={photos}", "split=test", "plots=False", *common
    )
    _yolo(python, output, "export", f"model={best}", "format=onnx", *common)
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        epochs = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    n = sum(1 for path in (photos / "test").rglob("*") if path.is_file())
    accuracy, parameters, version = parse_words(said)
    return Contender(
        name=f"Ultralytics {version}",
        model=yaml.removesuffix(".yaml"),
        data=read_json(output / "ours" / "dataset.json", "train.run")["name"],
        folder=folder,
        images=sum(1 for path in (photos / "train").rglob("*") if path.is_file()),
        epochs=len(epochs),
        seconds=float(epochs[-1]["time"]),
        parameters=parameters,
        n=n,
        right=round(accuracy * n),
        files={name: (folder / "weights" / name).stat().st_size for name in ("best.pt", "best.onnx")},
        image_size=image_size,
    )


def time_photos(python: str, theirs: Contender, image_size: int) -> dict[str, float]:
    """Return the mean time of each file from a decoded photo to its class, in ms, on one thread, as `yolo` says it."""
    output = theirs.folder.parent
    photos = output / "timed"
    if not photos.exists():
        photos.mkdir()
        chosen = sorted(path for path in (output / "photos" / "test").rglob("*") if path.is_file())[:_MOST_TIMED]
        for number, photo in enumerate(chosen):
            (photos / f"{number}{photo.suffix}").symlink_to(photo.resolve())
    times = {}
    for name in theirs.files:
        model = theirs.folder / "weights" / name
        said = _yolo(
            *(python, output, "classify", "predict", f"model={model}", f"source={photos}", "save=False"),
            *(f"imgsz={image_size}", "device=cpu"),
            one_thread=True,
        )
        times[name] = parse_speed(said)
    return times


def parse_words(said: str) -> tuple[float, int, str]:
    """Return the top-1 accuracy (0-1), the parameters and the version from what `yolo classify val` says.

    Raises:
        UserError: If it says something else, as another version may.
    """
    accuracy = re.findall(r"^\s*all\s+([\d.]+)\s+[\d.]+\s*$", said, re.MULTILINE)
    parameters = re.findall(r"([\d,]+) parameters", said)
    version = re.findall(r"Ultralytics (?:YOLOv?)?([\d.]+)", said)
    if not (accuracy and parameters and version):
        raise UserError("Expected accuracy, parameters and version in the words of `yolo classify val`, found none")
    return float(accuracy[-1]), int(parameters[-1].replace(",", "")), version[-1]


def parse_speed(said: str) -> float:
    """Return the ms of an image from what `yolo classify predict` says: preprocess, inference and postprocess.

    Raises:
        UserError: If it says no speed.
    """
    speeds = re.findall(r"Speed: ([\d.]+)ms preprocess, ([\d.]+)ms inference, ([\d.]+)ms postprocess", said)
    if not speeds:
        raise UserError("Expected a line `Speed: ...` in the words of `yolo classify predict`, found none")
    return round(sum(map(float, speeds[-1])), 3)


def _yolo(python: str, output: Path, *arguments: str, one_thread: bool = False) -> str:
    """Run `yolo`, which keeps its settings with its results and calls nobody."""
    settings = output / "yolo_settings"
    settings.mkdir(exist_ok=True)
    environment = clean_environment() | {"YOLO_CONFIG_DIR": str(settings), "YOLO_OFFLINE": "true"}
    line = [str(Path(python).with_name("yolo")), *arguments]
    if one_thread:
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if taskset := shutil.which("taskset"):  # onnxruntime heeds no variable
            line = [taskset, "--cpu-list", str(max(os.sched_getaffinity(0))), *line]
    return run_command(line, environment, output / "commands.log")
