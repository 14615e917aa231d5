"""Classifies photo files and folders of them.

    python -m edge.classify photos/ more.jpg --model model_int8.tflite --csv answers.csv

One line a photo on stdout, or a row of CSV or JSON in a file, in the order of the files whatever the number of workers.
Photos that can't be read are listed on stderr. Exit code 0, or 1 where none could be read. Runs from a copy of this
folder too: `python edge/classify.py PATHS...`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by path: the folder above edge/ takes the place of edge/ itself
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import contextlib
import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from edge.answers import printable
from edge.command import MOST_THREADS, command, parser, thread_count
from edge.errors import UserError
from edge.extras import explained
from edge.model_flags import add_model_flags, load_classifier
from edge.output_flags import add_decision_flags, make_judge

if TYPE_CHECKING:
    from edge.batch import PhotoAnswer
    from edge.decisions import Judgement

Write = Callable[[Path, "Judgement"], None]

_DESCRIPTION = """\
Classifies photo files and folders of them on all cores. Each worker loads the model for itself; more threads of the
runtime gain less than more workers."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see the module."""
    given = _parse_flags(argv)

    with explained():
        from edge.batch import answer_photos, find_photos

    count = sum(1 for _ in find_photos(given.paths))  # looked through twice, so that no list of millions is kept
    if not count:
        raise UserError(f"Expected photos in {', '.join(map(str, given.paths))}, found none; name others")
    # The models before the file: a mistyped --model is not to cost the answers of an earlier run.
    judges = [make_judge(given, load_classifier(given, _note))]
    judges += [make_judge(given, load_classifier(given, lambda _: None)) for _ in range(min(given.workers, count) - 1)]
    broken = 0
    quiet = given.csv is None and given.jsonl is None
    with _open_writer(given) as write, _open_progress(count, quiet=quiet) as advance:
        for answer in answer_photos(judges, find_photos(given.paths)):
            if answer.judgement is None:
                broken += 1
                _note(f"skipped: {_where(answer)}")
            else:
                write(answer.path, answer.judgement)
            advance()
    _note(f"{count - broken:,} photos answered, {broken:,} could not be read")
    if broken == count:
        raise UserError(f"Expected photos, none of the {count:,} could be read")
    return 0


def _where(answer: PhotoAnswer) -> str:
    """Return what is wrong with a file, and with which."""
    return answer.error if str(answer.path) in answer.error else f"{answer.path}: {answer.error}"


@contextlib.contextmanager
def _open_writer(given: argparse.Namespace) -> Iterator[Write]:
    """Give what writes an answer as the flags say; a file is written anew."""
    path = given.csv or given.jsonl
    if path is None or str(path) == "-":
        yield _writer(given, sys.stdout)
        return
    try:
        file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise UserError(f"Expected to write answers to {path}: {error.strerror}; name another file") from error
    try:
        with file:
            yield _writer(given, file)
    except OSError as error:
        if error.filename is None:  # a full disk, which doesn't say where
            error.filename = str(path)
        raise


def _writer(given: argparse.Namespace, file: TextIO) -> Write:
    """Return what writes an answer to an open file."""
    if given.csv is not None:
        rows = csv.writer(file, lineterminator="\n")
        more = [f"{key}_{n}" for n in range(2, given.top_k + 1) for key in ("label", "confidence")]
        rows.writerow(["path", "label", "confidence", "decision", *more])

        def write_row(path: Path, judged: Judgement) -> None:
            cells = [(one.label, f"{one.confidence:.6f}") for one in judged.predictions]
            rows.writerow([path, *cells[0], judged.decision or "", *(cell for pair in cells[1:] for cell in pair)])

        return write_row
    if given.jsonl is not None:
        return lambda path, judged: print(json.dumps(_to_dict(path, judged)), file=file)
    return lambda path, judged: print(_to_text(path, judged), file=file)


def _to_dict(path: Path, judged: Judgement) -> dict[str, Any]:
    """Return an answer as JSON has it, by the camera's keys."""
    top = [
        {"label": one.label, "index": one.index, "confidence": round(one.confidence, 6)} for one in judged.predictions
    ]
    return {"path": str(path), **top[0], "decision": judged.decision, **({"top": top} if len(top) > 1 else {})}


def _to_text(path: Path, judged: Judgement) -> str:
    """Return an answer as a line to read."""
    each = ", ".join(f"{printable(one.label)}  {one.confidence:.1%}" for one in judged.predictions)
    return f"{printable(str(path))}  {each if judged.decision is not None else f'unknown ({each})'}"


@contextlib.contextmanager
def _open_progress(count: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """Give what moves a bar on stderr by one; nothing where rich is missing or nobody looks."""
    try:
        if quiet or not sys.stderr.isatty():
            raise ModuleNotFoundError
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
    except ModuleNotFoundError:
        yield lambda: None
        return
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=count)
        yield lambda: progress.advance(task)


def _note(line: str) -> None:
    """Tell the user, beside the answers."""
    print(printable(line), file=sys.stderr, flush=True)


def _parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    flags = parser("edge.classify", _DESCRIPTION)
    flags.add_argument("paths", type=Path, nargs="*", default=[Path()], metavar="PATH", help="photo, or folder of them")
    flags.add_argument(
        "--model", type=Path, default=Path("runs/latest/model_int8.tflite"), metavar="FILE", help=".tflite or .onnx"
    )
    add_model_flags(flags)
    add_decision_flags(flags)
    flags.add_argument(
        "--workers",
        type=thread_count,
        default=min(len(os.sched_getaffinity(0)), MOST_THREADS),
        metavar="N",
        help="photos that are worked on at once",
    )
    out = flags.add_mutually_exclusive_group()
    out.add_argument("--csv", type=Path, metavar="FILE", help="write the answers to FILE as CSV; - is stdout")
    out.add_argument("--jsonl", type=Path, metavar="FILE", help="write the answers to FILE as JSON, one a line")
    given = flags.parse_args(argv)
    given.smooth = 1
    return given


if __name__ == "__main__":
    sys.exit(main())
