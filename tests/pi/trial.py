"""What is tried on an emulated board: golden samples, the camera line on a video, scores, the tests of edge/."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.pixels import pixels_beside
from edge.errors import UserError
from edge.run_folder import model_files
from tests.conftest import DIGITS_TRAINING, write_digits
from tests.consumers.judging import OWN_INT8_TOLERANCE
from tests.pi.boards import Board
from tests.pi.comparison import Asked, read_asked
from tests.pi.machine import remove_tree
from tests.pi.system import System, last_words
from tests.tree import PACKAGES, ROOT

_TREE_FILES = ("pyproject.toml", "README.md", "LICENSE")
_HERE = Path(__file__).parent
_ALL_CLASSES = 1_000_000
_CLOSE = OWN_INT8_TOLERANCE  # of confidence


@dataclass(frozen=True)
class Verified:
    """What `python -m edge.verify` said of a file.

    Attributes:
        file: The model file's name.
        board: The board.
        samples: How many golden samples were replayed.
        passed: Whether all was as when the file was converted.
        differs: What wasn't, in words.
    """

    file: str
    board: str
    samples: int
    passed: bool
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Filmed:
    """What `edge/camera_classify.py` answered to a video.

    Attributes:
        file: The model file's name.
        board: The board.
        frames: How many the video has.
        answers: How many came.
        same_labels: How many of them are those of x86.
        close: How many others name a class that x86 held for nearly as likely. FFmpeg's way from YUV to BGR and
            OpenCV's INTER_LINEAR round otherwise on Arm, a pixel by up to 2.
    """

    file: str
    board: str
    frames: int
    answers: int
    same_labels: int
    close: int

    @property
    def passed(self) -> bool:
        """Whether each frame was answered, as on x86 or nearly so."""
        return self.frames == self.answers == self.same_labels + self.close


@dataclass(frozen=True)
class Tested:
    """How the tests of edge/ went.

    Attributes:
        board: The board.
        passed: How many passed.
        failed: Which didn't, and why.
        skipped: Which were left out, and why.
    """

    board: str
    passed: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]


def lay_out(system: System, run: Path, images: npt.NDArray[np.uint8]) -> int:
    """Copy into the system what is tried: the models, the images, a video, edge/ as a copied folder.

    Returns:
        The number of the video's frames.
    """
    srv = system.root / "srv"
    for name in ("run", "copied"):
        remove_tree(srv / name)
    (srv / "run").mkdir()
    for file in model_files(run):
        shutil.copy(file, srv / "run")
    np.save(srv / "images.npy", images)
    shutil.copy(_HERE / "scores.py", srv)
    shutil.copytree(ROOT / "edge", srv / "copied" / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    return write_video(model_files(run)[0], srv / "clip.avi")


def write_video(model: Path, path: Path) -> int:
    """Write a video of photos beside a model, as camera frames; return the number of frames."""
    frames = pixels_beside(model).frames
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame)
    writer.release()
    return len(frames)


def python_for(file: str) -> str:
    """Return the Python that reads a model file: .onnx needs a runtime that a device doesn't have unasked."""
    return "/srv/tests/bin/python" if file.endswith(".onnx") else "/srv/device/bin/python"


def verify(system: System, key: str, board: Board, file: str) -> Verified:
    """Replay a file's golden samples on a board."""
    done = system.run(board, [python_for(file), "-m", "edge.verify", f"/srv/run/{file}", "--json"])
    try:
        checks = json.loads(done.stdout)["checks"]
    except (ValueError, KeyError):
        return Verified(file, key, 0, False, (last_words(done.stderr),))
    differs = tuple(f"{each['sample']}, {each['stage']}: {each['found']}" for each in checks if not each["passed"])
    samples = len({each["sample"] for each in checks})
    return Verified(file, key, samples, done.returncode == 0 and not differs, differs)


def film(system: System, key: str, board: Board, file: str, frames: int) -> Filmed:
    """Let the camera line answer the video, here and there.

    Raises:
        UserError: If it fails here.
    """
    flags = ["--every-frame", "--jsonl", "-", "--top-k", str(_ALL_CLASSES)]
    line = ["edge/camera_classify.py", "--model", f"/srv/run/{file}", "--source", "/srv/clip.avi", *flags]
    there = system.run(board, [python_for(file), *line], "/srv/copied")
    ours = [each.replace("/srv/", f"{system.root}/srv/") if each.startswith("/srv/") else each for each in line]
    here = subprocess.run([sys.executable, *ours], cwd=ROOT, capture_output=True, text=True, check=False)
    if here.returncode:
        raise UserError(f"camera_classify.py fails on this machine already: {last_words(here.stderr)}")
    if there.returncode:
        print(f"{file}: {last_words(there.stderr)}", file=sys.stderr)
    return compare_answers(file, key, frames, here.stdout, there.stdout)


def compare_answers(file: str, board: str, frames: int, here: str, there: str) -> Filmed:
    """Compare the camera line's JSON lines, frame by frame.

    Args:
        file: The model file's name.
        board: Where `there` is.
        frames: How many the video has.
        here: The lines of x86, with all classes.
        there: The lines of the board.
    """
    ours, theirs = ([json.loads(line) for line in said.splitlines()] for said in (here, there))
    same = close = 0
    for one, other in zip(ours, theirs, strict=False):
        held = {each["label"]: each["confidence"] for each in one["top"]}
        if one["label"] == other["label"]:
            same += 1
        elif one["confidence"] - held.get(other["label"], 0.0) <= _CLOSE:
            close += 1
    return Filmed(file, board, frames, len(theirs), same, close)


def ask_board(system: System, board: Board, file: str) -> Asked:
    """Let a board's runtime score the images.

    Raises:
        UserError: If it fails.
    """
    system.call(board, [python_for(file), "scores.py", "images.npy", f"{file}.npz", f"/srv/run/{file}"])
    return read_asked(system.root / "srv" / f"{file}.npz")


def run_tests(system: System, key: str, board: Board) -> Tested:
    """Run the tests of edge/ on a board, with a run of handwritten digits that is trained and converted here."""
    srv = system.root / "srv"
    for name in ("tree", "digits"):
        remove_tree(srv / name)
    (srv / "digits").mkdir()
    _make_digits(srv / "digits")
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, srv / "tree" / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in _TREE_FILES:
        shutil.copy(ROOT / name, srv / "tree")
    shutil.copy(_HERE / "board_conftest.py", srv / "tree" / "tests" / "conftest.py")
    report = srv / "report.xml"
    report.unlink(missing_ok=True)
    line = [
        "/srv/tests/bin/python",
        "-m",
        "pytest",
        "tests/edge",
        "-p",
        "no:cacheprovider",
        "--junitxml=/srv/report.xml",
    ]
    done = system.run(board, line, "/srv/tree")
    (srv / "pytest.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if not report.exists():
        return Tested(key, 0, (f"pytest ended without a report: {last_words(done.stdout + done.stderr)}",), ())
    return read_report(report.read_text(encoding="utf-8"), key)


def _make_digits(folder: Path) -> None:
    """Write the photos of handwritten digits, train on them and convert; UserError where that fails."""
    write_digits(folder / "photos")
    with tempfile.TemporaryDirectory(prefix="tinysight-") as temporary:
        run = Path(temporary, "run")
        train = ["train.run", "--data", str(folder / "photos"), *DIGITS_TRAINING, "--output", str(run)]
        for line in (train, ["convert.quantize", "--run", str(run)]):
            done = subprocess.run([sys.executable, "-m", *line], cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UserError(f"{line[0]} fails on this machine already: {last_words(done.stderr)}")
        shutil.copytree(run, folder / "run")


def read_report(xml: str, board: str) -> Tested:
    """Read pytest's JUnit report."""
    passed, failed, skipped = 0, [], []
    for case in ET.fromstring(xml).iter("testcase"):
        name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
        wrong = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
        left_out = case.find("skipped")
        if wrong is not None:
            failed.append(
                f"{name}: {(wrong.get('message') or '').splitlines()[0] if wrong.get('message') else wrong.tag}"
            )
        elif left_out is not None:
            skipped.append(f"{name}: {left_out.get('message')}")
        else:
            passed += 1
    return Tested(board, passed, tuple(failed), tuple(skipped))
