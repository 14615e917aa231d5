"""Answers many photo files on all cores, in the order in which they were given, with memory that doesn't grow."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import UserError
from edge.preprocess import PHOTO_SUFFIXES, read_frame

if TYPE_CHECKING:
    from edge.decisions import Judge, Judgement

_AHEAD = 4  # photos a worker that are begun before the oldest is asked for


@dataclass(frozen=True)
class PhotoAnswer:
    """What was made of one file.

    Attributes:
        path: The file.
        judgement: What the model says; None where the file can't be read.
        error: Why it can't, in one line; empty where it can.
    """

    path: Path
    judgement: Judgement | None
    error: str = ""


def find_photos(paths: Iterable[Path]) -> Iterator[Path]:
    """Give the files, and those photos that lie in the folders and the folders in them, sorted folder by folder.

    Raises:
        UserError: If a path is neither file nor folder.
    """
    for path in paths:
        try:
            is_folder = path.is_dir()
            if not is_folder and not path.exists():
                raise UserError(f"Expected a photo or a folder at {path}, there is none; name another")
            if is_folder:
                yield from _walk(path)
            else:
                yield path
        except OSError as error:
            raise UserError(f"Expected a photo or a folder at {path}: {error.strerror}") from error


def answer_photos(judges: Sequence[Judge], photos: Iterable[Path]) -> Iterator[PhotoAnswer]:
    """Answer photo after photo, in order.

    Args:
        judges: One for each worker, as a classifier isn't for sharing between threads.
        photos: The files.
    """
    # Threads, not processes: decoding, resizing and the runtimes let go of Python's lock.
    idle: queue.SimpleQueue[Judge] = queue.SimpleQueue()
    for judge in judges:
        idle.put(judge)

    def work(path: Path) -> PhotoAnswer:
        judge = idle.get()
        try:
            return PhotoAnswer(path, judge(read_frame(path)))
        except UserError as error:
            return PhotoAnswer(path, None, str(error))
        finally:
            idle.put(judge)

    begun: deque[Future[PhotoAnswer]] = deque()
    with ThreadPoolExecutor(len(judges)) as pool:
        try:
            for photo in photos:
                begun.append(pool.submit(work, photo))
                if len(begun) > _AHEAD * len(judges):
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _walk(folder: Path) -> Iterator[Path]:
    """Give the photos of a folder, then those of its folders; a link to a folder isn't followed."""
    entries = sorted(folder.iterdir())
    yield from (path for path in entries if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
