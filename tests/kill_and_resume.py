"""Kills a training at random moments, again and again: does it end as if nothing had happened?

`python -m tests.kill_and_resume --kills 100` trains a small CNN on digits, once undisturbed, then killed (SIGKILL) and
started anew until it has died that often and finished. It writes a checkpoint after every step, so that many a kill
lands inside a write. Every run that finishes must have the undisturbed one's weights to the bit, and its history.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np
from sklearn.datasets import load_digits

from edge.command import command, parser, positive_int

# One process imports TensorFlow and forks all others, which saves each of them seconds.
_PROCESSES = multiprocessing.get_context("forkserver")
_PRELOAD = [
    *("cv2", "h5py", "sklearn.datasets"),
    "train.run",
    "train.fit",
    "train.preflight",
    "train.cache",
    "train.report_page",
    "train.evaluate",
]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Kill, resume, compare; 1 where anything differs."""
    flags = parser("python -m tests.kill_and_resume", "Kill a training at random moments and compare its end.")
    flags.add_argument("--kills", type=positive_int, default=100, metavar="N", help="how often")
    flags.add_argument("--epochs", type=positive_int, default=30, metavar="N", help="of each training")
    flags.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments")
    given = flags.parse_args(argv)
    _PROCESSES.set_forkserver_preload(_PRELOAD)
    with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
        died, finished, different = kill(Path(folder), given.kills, given.epochs, random.Random(given.seed))
    print(f"{given.kills} kills: " + ", ".join(f"{count} {when}" for when, count in died.most_common()))
    print(f"{finished} runs finished, {finished - different} of them equal the undisturbed one to the bit")
    return 1 if different else 0


def kill(folder: Path, kills: int, epochs: int, moments: random.Random) -> tuple[Counter[str], int, int]:
    """Train once in peace, then under kills.

    Args:
        folder: Where photos and runs go.
        kills: How often a training is killed; then the last one may finish.
        epochs: Epochs of each training.
        moments: When.

    Returns:
        How many kills hit which part of a run; how many runs finished; how many of them are different.
    """
    write_photos(folder / "photos")
    peaceful = folder / "peaceful"
    _start(folder, peaceful, epochs).join()  # warms up the fork server and the cache
    shutil.rmtree(peaceful)
    started = time.monotonic()
    _start(folder, peaceful, epochs).join()
    duration = time.monotonic() - started
    expected = read_result(peaceful)
    died, finished, different, run = Counter[str](), 0, 0, folder / "run"
    while True:
        process = _start(folder, run, epochs)
        process.join(moments.uniform(0, duration) if died.total() < kills else None)
        if process.is_alive():
            process.kill()
            process.join()
            died[find_what_was_hit(run)] += 1
            print(f"\r{died.total()} killed, {finished} finished", end="", file=sys.stderr)
            if not (run / "metrics.json").exists():
                continue
        elif process.exitcode != 0:
            raise RuntimeError(f"training left with {process.exitcode}:\n{(folder / 'screen.txt').read_text()}")
        finished += 1
        different += read_result(run) != expected
        shutil.rmtree(run)
        if died.total() >= kills:
            print(file=sys.stderr)
            return died, finished, different


def find_what_was_hit(run: Path) -> str:
    """Say what a killed training was at."""
    if (run / "metrics.json").exists():
        return "after the end"
    if (run / "model.keras").exists():
        return "while judging"
    if not list(run.glob("checkpoints/*.npz")):
        return "before the first checkpoint"
    return "inside a checkpoint's write" if list(run.glob("checkpoints/.partial-*")) else "between two writes"


def read_result(run: Path) -> dict[str, object]:
    """Return what has to be equal: each weight's bytes, and the history but for its seconds."""
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(run / "model.keras", folder, "zip")
        with h5py.File(Path(folder, "model.weights.h5")) as weights:
            weights.visititems(
                lambda name, item: result.update({name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {})
            )
    with (run / "history.csv").open(newline="") as file:
        result["history"] = [{key: row[key] for key in row if key != "seconds"} for row in csv.DictReader(file)]
    return result


def write_photos(folder: Path) -> None:
    """Write 180 digits of three classes as PNG files."""
    digits = load_digits(n_class=3)
    for number, (image, label) in enumerate(zip(digits.images[:180], digits.target, strict=False)):
        path = folder / str(label) / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.round(image * (255 / 16)).astype(np.uint8))


def _start(folder: Path, run: Path, epochs: int) -> multiprocessing.context.ForkServerProcess:
    """Start a training, or what is left of it."""
    flags = [
        *("--data", str(folder / "photos"), "--cache", str(folder / "cache"), "--output", str(run)),
        *("--image-size", "16", "--epochs", str(epochs), "--patience", str(epochs), "--batch-size", "16"),
        *("--schedule", "cosine", "--warmup", "1.5", "--mixup", "0.2", "--balance", "--precision", "float32"),
        *("--checkpoint-seconds", "0"),
    ]
    process = _PROCESSES.Process(target=_train, args=(flags, folder / "screen.txt"))
    process.start()
    return process


def _train(flags: list[str], screen: Path) -> None:
    """Run train.run in this process, its output into a file."""
    from train import run

    file = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.exit(run.main(flags))


if __name__ == "__main__":
    sys.exit(main())
