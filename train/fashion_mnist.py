"""Finds Fashion-MNIST, 70,000 grey pictures of clothing, 28x28, and writes them as PNG files once."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import UserError
from train.cache_folder import cache_folder
from train.idx import read_idx
from train.sources import Candidate, Source

# In the order of the files' labels, 0 to 9.
LABELS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of its package dataset-fashion-mnist
_FILES = {"train": "train", "test": "t10k"}
_MADE_BY = 1  # counts up when the files are written otherwise

_Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def find_fashion_mnist() -> Source:
    """Find Fashion-MNIST: Debian's files where they are installed, else Keras's download.

    Its test split is kept; validation is carved from its train split.

    Raises:
        UserError: If it is in neither place, or can't be written into the cache.
    """
    root = cache_folder() / f"fashion-mnist-{_MADE_BY}"
    if not root.is_dir():
        _write(_read_debian() if _DEBIAN.is_dir() else _download(), root)
    candidates = [
        Candidate(Path(split, folder.name, name), LABELS[int(folder.name[0])], split)
        for split in _FILES
        for folder in sorted((root / split).iterdir())
        for name in sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
    ]
    return Source(
        name="fashion-mnist",
        origin="Fashion-MNIST, https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        root=root,
        labels=LABELS,
        candidates=tuple(candidates),
    )


def _read_debian() -> dict[str, _Split]:
    """Read the idx files of Debian's package: split -> images (N, 28, 28) and labels (N,)."""
    splits = {}
    for split, name in _FILES.items():
        images = read_idx(_DEBIAN / f"{name}-images-idx3-ubyte.gz", 3)
        labels = read_idx(_DEBIAN / f"{name}-labels-idx1-ubyte.gz", 1)
        splits[split] = _checked(images, labels)
    return splits


def _download() -> dict[str, _Split]:
    """Let Keras download the same."""
    try:
        train, test = _load_by_keras()
    except Exception as error:  # it raises plain Exceptions
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"Expected Fashion-MNIST in {_DEBIAN}, found none, and Keras can't download it: {reason}; "
            "on Debian or Ubuntu: apt install dataset-fashion-mnist"
        ) from error
    return {"train": _checked(*train), "test": _checked(*test)}


def _load_by_keras() -> tuple[_Split, _Split]:
    """Download by Keras, or take what it downloaded before: train and test."""
    from train import native_log
    from train.device import import_tensorflow

    with native_log.to_file(Path(os.devnull)), contextlib.redirect_stdout(io.StringIO()):  # Keras's progress
        import_tensorflow()
        import tf_keras as keras

        return keras.datasets.fashion_mnist.load_data()


def _checked(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> _Split:
    """Return images and labels that belong together."""
    if images.ndim != 3 or labels.shape != images.shape[:1] or not images.size or labels.max() >= len(LABELS):
        raise UserError(
            f"Expected images and labels of {len(LABELS)} classes as Fashion-MNIST, got {images.shape}, {labels.shape}"
        )
    return images, labels


def _write(splits: dict[str, _Split], root: Path) -> None:
    """Write each image as a PNG below `root`, which appears whole or not at all."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
        try:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for split, (images, labels) in splits.items():
                    names = [f"{label}-{''.join(c if c.isalnum() else '-' for c in LABELS[label])}" for label in labels]
                    for name in set(names):
                        (temporary / split / name).mkdir(parents=True)
                    paths = (temporary / split / name / f"{number:05}.png" for number, name in enumerate(names))
                    list(pool.map(_write_png, paths, images))
            os.rename(temporary, root)  # noqa: PTH104
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        if not root.is_dir():  # else another run was quicker
            raise UserError(f"Expected to write Fashion-MNIST's photos to {root}: {error.strerror}") from error


def _write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write one image; fast, since 28x28 pixels hardly compress."""
    _, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    path.write_bytes(data.tobytes())
