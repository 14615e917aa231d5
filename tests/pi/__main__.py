"""Tries the project on 64-bit Arm without a board: the same packages, the same scores, the tests of edge/.

    python -m tests.pi --run runs/latest
    python -m tests.pi --run runs/latest --suite trixie --boards pi5 --json pi.json

Makes a Debian for arm64 in build/pi (some minutes and 1 GB, once), installs the wheel with its extra edge from the
lock's aarch64 wheels, and runs it under QEMU as the processors of several boards, with what their kernels say of them.
Each file of a run: its golden samples, a video through the camera line, the scores of its test photos against those of
x86. Then the tests of edge/. Exits 1 where anything differs. Needs root and Debian on x86-64. Times mean nothing under
QEMU, so none are reported.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import usable_cores
from edge.command import add_run_flag, command, parser, positive_int
from edge.errors import UserError
from edge.run_folder import model_files, resolve_run, write_json
from tests.consumers.matrix import read_photos
from tests.pi import machine, packages, report, scores, system, trial
from tests.pi.boards import BOARDS
from tests.pi.comparison import Asked, compare
from tests.tree import ROOT

CACHE = ROOT / "build" / "pi"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Try, show, and exit 1 where anything differs."""
    given = _parse_flags(argv)
    run = resolve_run(given.run)
    model_files(run)
    machine.require_machine()
    if not given.inside_namespace:
        sys.stdout.flush()
        machine.enter_namespace(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a namespace would ignore it
    with _alone(CACHE), machine.emulation():
        found = _try_all(run, given)
    report.print_report(found)
    if given.json:
        write_json(given.json, report.to_json(found))
    return 1 if found.faults else 0


def _parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    flags = parser("python -m tests.pi", "Try a run's models and the tests of edge/ on emulated 64-bit Arm boards.")
    add_run_flag(flags)
    flags.add_argument("--suite", choices=[*system.SUITES], default="bookworm", help="release of Debian")
    flags.add_argument(
        "--boards", nargs="+", choices=[*BOARDS], default=[*BOARDS], metavar="BOARD", help="whose processors to be"
    )
    flags.add_argument(
        "--photos", type=positive_int, default=100, metavar="N", help="of the test split, evenly chosen, for the scores"
    )
    flags.add_argument("--no-tests", action="store_true", help="leave out the tests of edge/")
    flags.add_argument("--json", type=Path, metavar="FILE", help="also write what was found as JSON")
    flags.add_argument(machine.INSIDE, action="store_true", help=argparse.SUPPRESS)
    return flags.parse_args(argv)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Be the only one to work in the cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Expected to be alone in {cache}, another python -m tests.pi is at work; wait") from None
        yield


def _try_all(run: Path, given: argparse.Namespace) -> report.Report:
    """Try everything on each board."""
    images = read_photos(run, given.photos).images
    suite = system.SUITES[given.suite]
    debian = system.make_system(CACHE / given.suite, given.suite)
    first = BOARDS[given.boards[0]]
    packages.install(debian, first, suite)
    frames = trial.lay_out(debian, run, images)
    files = [path.name for path in model_files(run)]
    _say("asking x86 for its scores")
    asked = scores.ask(model_files(run), images)
    here = Asked(asked, json.loads(str(asked["facts"])))
    boards: dict[str, dict[str, Any]] = {}
    comparisons, verified, filmed, tested = [], [], [], []
    for key in given.boards:
        board = BOARDS[key]
        _say(f"{key}: {board.name}, {board.cpu}: golden samples, video, scores")
        debian.power(board)
        with ThreadPoolExecutor(usable_cores()) as at_once:
            verified += at_once.map(lambda file, key=key, board=board: trial.verify(debian, key, board, file), files)
            filmed += at_once.map(
                lambda file, key=key, board=board: trial.film(debian, key, board, file, frames), files
            )
            for there in at_once.map(lambda file, board=board: trial.ask_board(debian, board, file), files):
                boards[key] = there.facts["machine"]
                comparisons += compare(key, here, there)
    if not given.no_tests:
        _say(f"{given.boards[0]}: the tests of edge/, some minutes")
        tested.append(trial.run_tests(debian, given.boards[0], first))
    status = (debian.root / "var/lib/dpkg/status").read_text(encoding="utf-8")
    return report.Report(
        suite=given.suite,
        packages_bytes=packages.card_bytes(debian.root / "srv/device/lib"),
        python_bytes=system.installed_bytes(status, r"(lib)?python3.*"),
        here=here.facts["machine"],
        boards=boards,
        comparisons=comparisons,
        verified=verified,
        filmed=filmed,
        tested=tested,
    )


def _say(line: str) -> None:
    """Tell the progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
