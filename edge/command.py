"""What every command shares: its parser, its exit codes, the flags that mean the same everywhere.

Exit codes: 0 done; 1 a `UserError`, one line on stderr; 2 bad flags; 130 interrupted.
Results go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import errno
import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import UserError
from edge.extras import explained

MOST_THREADS = 256
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Main = Callable[[Sequence[str] | None], int]


def command(body: Main) -> Callable[..., int]:
    """Wrap `body(argv) -> int` as a `main(argv=None) -> int` that turns user errors into exit code 1."""

    @functools.wraps(body)
    def main(argv: Sequence[str] | None = None) -> int:
        # OpenCV and FFmpeg narrate what they can't open or decode; the user gets our one line about it instead.
        # Read when they are first imported or used, so set here; who hunts a bug sets their own.
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
            # Names of files need not be of any encoding, and a terminal's may lack a letter.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with explained():
                code = body(argv)
                if sys.stdout is not None:  # as it is where it was closed (`>&-`)
                    sys.stdout.flush()  # here, where a full disk can still be told
                return code
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except BrokenPipeError:  # the reader of our stdout left (`... | head`)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            print(f"error: Could not write {error.filename or 'all output'}: {error.strerror}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        finally:
            try:
                sys.stderr.flush()
            except OSError:  # a log on a full disk: Python would try again at its end, and leave with code 120
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

    return main


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something: not the False of a switch, not the None of a flag left out."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser without abbreviated flags whose help shows the defaults."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )


def add_run_flag(flags: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Add --run, the folder of a finished training; with `nargs` "+" of several."""
    latest = Path("runs/latest")
    flags.add_argument(
        "--run",
        type=Path,
        nargs=nargs,
        default=[latest] if nargs else latest,
        metavar="DIR",
        help="folder of a run, as train.run writes it",
    )


def add_num_threads_flag(flags: argparse.ArgumentParser) -> None:
    """Add --num-threads, the runtime's threads."""
    flags.add_argument("--num-threads", type=thread_count, default=1, metavar="N", help="threads of the runtime")


def thread_count(text: str) -> int:
    """Parse a number of threads, as an argparse type; the runtimes would start every one they are asked for."""
    value = positive_int(text)
    if value > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_THREADS} threads, got {text!r}")
    return value


def thread_counts(text: str) -> list[int]:
    """Parse "1,4" as an argparse type; sorted, each once."""
    return sorted({thread_count(part) for part in text.split(",")})


def seed(text: str) -> int:
    """Parse a seed of 0 to 2**32 - 1, what NumPy and TensorFlow take, as an argparse type."""
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 to {(1 << 32) - 1}, got {text!r}")
    return int(text)


def positive_int(text: str) -> int:
    """Parse an integer of at least 1, as an argparse type."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    if value > sys.maxsize:  # what Python's own containers count to
        raise argparse.ArgumentTypeError(f"expected at most {sys.maxsize}, got {text[:40]!r}")
    return value
