"""Measures memory: `python -m train.memory`, the peak of a whole training on few photos and on ten times as many.

The photos are made up, since ten times as many real ones are seldom at hand, and trained on by train.run as by a user,
in a process of its own each time, from the pre-flight to the report.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.command import command, parser, positive_int
from edge.errors import UserError
from train.model_settings import image_size
from train.models import MODELS

TIMES = 10


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure both and print the ratio."""
    arguments = _flags().parse_args(argv)
    size = "x".join(map(str, arguments.image_size))
    flags = ["--model", arguments.model, "--image-size", size, "--weights", "none", "--epochs", "1"]
    peaks = []
    for photos in (arguments.photos, arguments.photos * TIMES):
        with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
            make_photos(Path(folder, "photos"), photos, arguments.image_size)
            peaks.append(peak_of_training(Path(folder), flags))
        print(f"{photos:>9,} photos  {peaks[-1] / 1e6:9,.0f} MB")
    pixels = TIMES * arguments.photos * arguments.image_size[0] * arguments.image_size[1] * 3
    print(f"ratio {peaks[1] / peaks[0]:.3f}; decoded, the photos of the larger training are {pixels / 1e6:,.0f} MB")
    return 0


def make_photos(folder: Path, photos: int, image_size: tuple[int, int]) -> None:
    """Write as many different JPEG photos, half of them more red, half more blue, in a folder per class."""
    import cv2
    import numpy as np

    from train.pixels import in_threads

    labels = ("red", "blue")
    for label in labels:
        (folder / label).mkdir(parents=True)

    def make(number: int) -> None:
        blobs = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        blobs[..., 0 if number % 2 == 0 else 2] //= 2  # BGR
        photo = cv2.resize(blobs, (image_size[1], image_size[0]), interpolation=cv2.INTER_CUBIC)
        (folder / labels[number % 2] / f"{number:07}.jpg").write_bytes(cv2.imencode(".jpg", photo)[1].tobytes())

    in_threads(make, photos)


def peak_of_training(folder: Path, flags: Sequence[str]) -> int:
    """Train on the photos in a folder with train.run; return the most memory that it had at a time, bytes.

    Raises:
        UserError: If the training fails.
    """
    paths = ["--data", str(folder / "photos"), "--output", str(folder / "run"), "--cache", str(folder / "cache")]
    with (folder / "said").open("w+") as said:
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "train.run", *paths, *flags],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)],
        )
        _, status, usage = os.wait4(child, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            said.seek(0)
            raise UserError(f"train.run failed: {(said.read().splitlines() or ['it said nothing'])[-1]}")
    return usage.ru_maxrss * 1024  # Linux counts kB, and what this process has, which is less than any training


def _flags() -> argparse.ArgumentParser:
    """Return the command's flags."""
    flags = parser(
        "python -m train.memory", f"Measure the peak memory of a training, and of one on {TIMES} times as many photos."
    )
    flags.add_argument("--photos", type=positive_int, default=1000, metavar="N", help="photos of the smaller training")
    flags.add_argument("--model", choices=sorted(MODELS), default="cnn", help="architecture")
    flags.add_argument(
        "--image-size", type=image_size, default="128", metavar="N|HxW", help="what photos are squashed to"
    )
    return flags


if __name__ == "__main__":
    sys.exit(main())
