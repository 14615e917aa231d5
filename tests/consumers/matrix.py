"""Asks each consumer about each file of a run that it reads, and judges what it says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.peers.environments import EnvironmentMissing, clean_environment
from edge.errors import UserError
from edge.run_folder import model_files
from tests.consumers.catalogue import PROGRAMS, Consumer
from tests.consumers.judging import Answer, judge, read_answer

Prepare = Callable[[str], tuple[str, list[str]]]
_LONGEST_S = 1800


@dataclass(frozen=True)
class Photos:
    """The photos that all are asked about.

    Attributes:
        images: RGB (N, height, width, 3) uint8, as the device sees them.
        labels: The classes' names.
    """

    images: npt.NDArray[np.uint8]
    labels: list[str]


@dataclass(frozen=True)
class Row:
    """A line of the matrix: one consumer and one file.

    Attributes:
        consumer: Its name.
        version: As it told itself; empty where it never came to that.
        file: The model file's name.
        sha256: Of that file.
        state: "same"; "close", where int8 kernels that round otherwise turned photos near a tie; "differs"; "skipped".
        reasons: Why it isn't the same, in words.
        photos: How many it was asked about.
        same_top1: On how many it says what the reference says; None where nothing could be compared.
        answers: How many of the classes are the top-1 of some photo: where it's one, agreeing proves little.
        labels: How many labels it saw in the file; None for a consumer that has no way to them.
        largest_difference: Of a score from the reference's, 0-1; None for the reference itself.
    """

    consumer: str
    version: str
    file: str
    sha256: str
    state: str
    reasons: tuple[str, ...] = ()
    photos: int = 0
    same_top1: int | None = None
    answers: int | None = None
    labels: int | None = None
    largest_difference: float | None = None


class _ProgramFailed(Exception):
    """A consumer's program ended without an answer; the text is its last word."""


def read_photos(run: Path, most: int | None) -> Photos:
    """Read a run's eval.npz; of more than `most` photos take so many, evenly over all.

    Raises:
        UserError: If the file is missing or is not what convert.quantize writes.
    """
    path = run / "eval.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            images, names = file["images"], file["names"]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"Expected {path} of a conversion, got {error}; write it: python -m convert.quantize"
        ) from error
    if most is not None and most < len(images):
        images = images[np.linspace(0, len(images) - 1, most).astype(int)]
    return Photos(images, [str(name) for name in names])


def ask_all(run: Path, photos: Photos, consumers: Sequence[Consumer], prepare: Prepare) -> Iterator[Row]:
    """Ask every consumer about every file that it reads.

    Args:
        run: Folder of a converted run.
        photos: What they are asked about.
        consumers: Whom; the first of each suffix is the reference of that suffix.
        prepare: Makes an environment by name; see `environments.prepare`.

    Yields:
        A row each, the reference's first.
    """
    with tempfile.TemporaryDirectory(prefix="tinysight-consumers-") as temporary:
        folder = Path(temporary)
        np.savez(folder / "photos.npz", images=photos.images, names=np.array(photos.labels))
        for file in model_files(run):
            answers: dict[str, Answer | None] = {}
            for consumer in (each for each in consumers if each.suffix == file.suffix):
                row, answers[consumer.name] = _ask_one(consumer, file, photos, answers, prepare, folder)
                yield row


def _ask_one(
    consumer: Consumer,
    file: Path,
    photos: Photos,
    answers: dict[str, Answer | None],
    prepare: Prepare,
    folder: Path,
) -> tuple[Row, Answer | None]:
    """Ask one consumer about one file; return the row, and the answer where there is one.

    `answers` holds those of the consumers before it, the reference's first; empty for the reference itself.
    """
    reference = next(iter(answers.values()), None)
    head = consumer.name, "", file.name, hashlib.sha256(file.read_bytes()).hexdigest()
    limit = consumer.limits.get(file.stem.removeprefix("model_"))
    if limit:
        return Row(*head, "skipped", (limit,)), None
    try:
        python, more = prepare(consumer.environment)
        model = consumer.prepare(file, photos.labels, folder / "prepared") if consumer.prepare else file
    except (EnvironmentMissing, UserError) as error:
        return Row(*head, "skipped", (_without_folder(error, file),)), None
    try:
        told = _run(consumer, python, more, model, folder)
        quantization = reference.quantization if reference else (0.0, 0)
        answer = read_answer(told, len(photos.images), len(photos.labels), quantization)
    except (_ProgramFailed, ValueError, KeyError) as error:
        return Row(*head, "differs", (_without_folder(error, file),), len(photos.images)), None
    row = Row(
        *(consumer.name, answer.version, *head[2:], "differs", (), len(photos.images)),
        answers=len(set(answer.scores.argmax(axis=1).tolist())),
        labels=len(answer.labels or []) if consumer.sees_labels else None,
    )
    reference = reference if answers else answer
    # where its kin gave no answer, as by a limit of its own, the reference is what is left
    kin = (answers.get(consumer.kin) or reference) if consumer.kin else reference
    if reference is None or kin is None:
        return replace(row, reasons=("there is no reference to compare with",)), None
    judged = partial(
        judge,
        answer,
        labels=photos.labels,
        sees_labels=consumer.sees_labels,
        has_own_int8=consumer.has_own_int8,
        is_hybrid=file.stem == "model_dynamic_range",
        temperature=_temperature(file),
    )
    verdict, beside = judged(kin), judged(reference)
    state, reasons = ("differs", verdict.faults) if verdict.faults else ("same", ())
    turned = beside.photos - beside.same_top1
    if not verdict.faults and turned:
        state, reasons = "close", (f"turns {turned} of {beside.photos} photos{_why(consumer, file)}",)
    return (
        replace(
            row,
            state=state,
            reasons=reasons,
            same_top1=beside.same_top1,
            largest_difference=beside.largest_difference if answers else None,
        ),
        answer,
    )


def _why(consumer: Consumer, file: Path) -> str:
    """Say why a consumer may turn a photo."""
    if file.stem == "model_dynamic_range":
        return " that are close to a tie, as activations are quantized anew in each call"
    if consumer.kin:
        return f", as {consumer.kin} does, whose kernels it shares"
    return " that are close to a tie, by int8 kernels of its own"


def _without_folder(error: Exception, file: Path) -> str:
    """Return an error's text, the model by its name alone: the table may end up in a page."""
    return str(error).replace(f"{file.parent}/", "")


def _temperature(file: Path) -> float:
    """Return the temperature that a .tflite file's metadata.json names; 1 where there is none."""
    if file.suffix != ".tflite" or not zipfile.is_zipfile(file):
        return 1.0
    with zipfile.ZipFile(file) as archive:
        if "metadata.json" not in archive.namelist():
            return 1.0
        return float(json.loads(archive.read("metadata.json")).get("temperature", 1.0))


def _run(consumer: Consumer, python: str, more: list[str], model: Path, folder: Path) -> dict[str, object]:
    """Run a consumer's program in a process of its own and return what it wrote."""
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    program = [python, "-I", str(PROGRAMS / consumer.program)]
    line = [*program, str(model), str(folder / "photos.npz"), str(answer), *consumer.arguments, *more]
    try:
        done = subprocess.run(
            line, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
    except subprocess.TimeoutExpired as error:
        raise _ProgramFailed(f"gave no answer in {_LONGEST_S} s") from error
    if done.returncode or not answer.is_file():
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise _ProgramFailed(f"exit code {done.returncode}: {last}")
    told: dict[str, object] = json.loads(answer.read_text(encoding="utf-8"))
    return told
