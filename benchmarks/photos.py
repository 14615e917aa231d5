"""Photos whose classes are known: the eval.npz beside a model, or a folder that holds a folder of photos per class."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.answers import printable
from edge.batch import find_photos
from edge.errors import UserError
from edge.preprocess import Image, read_frame, to_image

Truth = npt.NDArray[np.int64]

_WRITE_AGAIN = "write it again: python -m convert.quantize"
_MOST_NAMED = 5


@dataclass(frozen=True)
class Photos:
    """Photos that models of the same classes and the same image size are judged on.

    Attributes:
        origin: Where they come from, for the reader of the figures.
        truth: Of each photo the index of its class among the model's, (N,), N > 0.
        names: Of each photo its number in eval.npz, or its path in the folder.
        read: Returns the image of a photo by its position, RGB (height, width, 3) uint8; raises a UserError where the
            photo can't be read.
    """

    origin: str
    truth: Truth
    names: Sequence[int | str]
    read: Callable[[int], Image]


def read_evaluation(path: Path, labels: Sequence[str], has_labels: bool, image_size: tuple[int, int]) -> Photos:
    """Open the eval.npz that convert.quantize wrote.

    Args:
        path: The file.
        labels: Names of the model's classes.
        has_labels: False where the model carries none; then the classes' order is trusted.
        image_size: (height, width) that the model takes.

    Raises:
        UserError: If it is missing, something else, or of another image size or of other classes than the model's.
    """
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            images, truth, names = arrays["images"], arrays["labels"], [str(name) for name in arrays["names"]]
    except FileNotFoundError as error:
        raise UserError(
            f"Expected {path} beside the model, found none; convert: python -m convert.quantize, or name --data FOLDER"
        ) from error
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        EOFError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is damaged ({printable(reason)}); {_WRITE_AGAIN}") from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.size == 0:
        raise UserError(
            f"Expected images (N, height, width, 3) of uint8 in {path}, got {images.shape} of {images.dtype}; "
            f"{_WRITE_AGAIN}"
        )
    if truth.shape != (len(images),) or truth.dtype.kind not in "iu" or not ((truth >= 0) & (truth < len(names))).all():
        raise UserError(
            f"Expected a class, 0 to {len(names) - 1}, of each of the {len(images)} images in {path}; {_WRITE_AGAIN}"
        )
    if images.shape[1:3] != image_size:
        raise UserError(
            f"Expected images of {_size(image_size)} as the model takes them, {path} has {_size(images.shape[1:3])}; "
            "name the model's own run, or photos: --data FOLDER"
        )
    return Photos(path.name, _match(path, names, truth, labels, has_labels), range(len(images)), images.__getitem__)


def read_folder(
    folder: Path, labels: Sequence[str], image_size: tuple[int, int], report: Callable[[str], None]
) -> Photos:
    """Find the photos of a folder that holds a folder per class, named like the model's classes.

    Args:
        folder: Photos of a class may lie in further folders below the class's.
        labels: Names of the model's classes.
        image_size: (height, width) that photos are squashed to, by `edge.preprocess`.
        report: Is told in a line which classes have no photos, and what was left out.

    Raises:
        UserError: If it is no folder, or no class of the model has a photo in it.
    """
    if not folder.is_dir():
        raise UserError(f"Expected a folder of photos at {folder}, there is none; name another --data FOLDER")
    paths: list[Path] = []
    truth: list[int] = []
    strangers = []
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if below.name in labels:
            found = list(find_photos([below]))
            paths += found
            truth += [labels.index(below.name)] * len(found)
        else:
            strangers.append(below.name)
    if not paths:
        raise UserError(
            f"Expected folders in {folder} with photos in them, named like the model's classes ({_some(labels)}), "
            f"found {_some(strangers) if strangers else 'none'}; name another --data FOLDER"
        )
    if strangers:
        report(f"left out, the model has no such class: {_some(strangers)}")
    missing = [label for index, label in enumerate(labels) if index not in set(truth)]
    if missing:
        report(f"no photos of {_some(missing)}: figures are about the other classes")
    return Photos(
        folder.resolve().name,
        np.array(truth, np.int64),
        [path.relative_to(folder).as_posix() for path in paths],
        lambda number: to_image(read_frame(paths[number]), image_size),
    )


def choose(photos: Photos, most: int | None) -> list[int]:
    """Return positions of at most so many photos, evenly all over the set, which may be sorted by class."""
    count = len(photos.truth)
    return [int(each) for each in np.unique(np.linspace(0, count - 1, min(most or count, count)).astype(int))]


def _match(path: Path, names: Sequence[str], truth: Truth, labels: Sequence[str], has_labels: bool) -> Truth:
    """Return the truth as indices of the model's classes."""
    if len(names) != len(labels):
        raise UserError(
            f"Expected the {len(labels)} classes of the model in {path}, it has {len(names)}; name the model's own "
            "run, or photos: --data FOLDER"
        )
    if not has_labels or list(names) == list(labels):
        return truth.astype(np.int64)
    if sorted(names) != sorted(labels) or len(set(names)) < len(names):
        strange = [name for name in names if name not in labels]
        raise UserError(
            f"Expected the classes of the model in {path} ({_some(labels)}), it has others ({_some(strange)}); name "
            "the model's own run, or photos: --data FOLDER"
        )
    return np.array([labels.index(name) for name in names], np.int64)[truth]


def _size(image_size: Sequence[int]) -> str:
    """Write a (height, width) as people do."""
    return f"{image_size[1]}x{image_size[0]} pixels"


def _some(names: Sequence[str]) -> str:
    """Name some of many, fit for a terminal."""
    named = ", ".join(printable(name) for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
