"""Measures conversion: `python -m convert.overhead`, our time and memory over those of the bare TFLiteConverter.

Both make the same file of the same model with the same photos. They take turns, A B A B, each in a process of its own,
so that a machine whose speed drifts is as slow for one as for the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import add_run_flag, command, parser, positive_int

if TYPE_CHECKING:
    from convert.bare import Outcome

WAYS = ("bare", "tinysight")
_SCHEMES = ("float32", "float16", "dynamic-range", "int8")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure both and print the table."""
    given = _flags().parse_args(argv)
    from edge.run_folder import resolve_run, write_json

    results = measure(resolve_run(given.run), given.scheme.replace("-", "_"), given.calibration_size, given.rounds)
    show(results)
    if given.json:
        write_json(given.json, results)
    return 0


def measure(run: Path, scheme: str, calibration_size: int, rounds: int) -> dict[str, Any]:
    """Let both ways take turns.

    Args:
        run: Folder of a finished run.
        scheme: Of the .tflite, as `convert.schemes` names it.
        calibration_size: Photos that set the int8 ranges.
        rounds: Turns of each.

    Returns:
        "run", "scheme"; for each way "seconds" and "peak_bytes", a list of the rounds; "ratio": our seconds over the
        bare converter's in each round.
    """
    from convert.bare import Turn, take_turn
    from train.progress import counting, stderr_console

    outcomes: dict[str, list[Outcome]] = {way: [] for way in WAYS}
    with counting(stderr_console(), "turns", rounds * len(WAYS)) as advance:
        for _round in range(rounds):
            for way in WAYS:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    turn = Turn(way, run, scheme, calibration_size)
                    outcomes[way].append(pool.submit(take_turn, turn).result())
                advance()
    measured = {
        way: {
            "seconds": [round(each.seconds, 3) for each in its],
            "peak_bytes": [each.peak_bytes for each in its],
        }
        for way, its in outcomes.items()
    }
    bare, ours = (outcomes[way] for way in WAYS)
    ratio = [round(b.seconds / a.seconds, 3) for a, b in zip(bare, ours, strict=True)]
    return {"run": run.name, "scheme": scheme, "calibration_size": calibration_size, **measured, "ratio": ratio}


def show(results: dict[str, Any]) -> None:
    """Print the seconds of each round, their medians, and the ratio with its spread."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    ratio = results["ratio"]
    title = escape(f"{results['run']}, {results['scheme']}, {results['calibration_size']} calibration photos")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("seconds")
    for number in range(len(ratio)):
        table.add_column(f"round {number + 1}", justify="right")
    table.add_column("median", justify="right")
    table.add_column("peak memory", justify="right")
    for way in WAYS:
        seconds, peaks = results[way]["seconds"], results[way]["peak_bytes"]
        cells = [f"{each:.2f}" for each in (*seconds, statistics.median(seconds))]
        table.add_row(way, *cells, f"{max(peaks) / 1e6:,.0f} MB")
    table.add_row("ratio", *(f"{each:.2f}" for each in (*ratio, statistics.median(ratio))), "")
    Console(soft_wrap=True).print(table)
    print(f"ratio {statistics.median(ratio):.2f} (from {min(ratio):.2f} to {max(ratio):.2f})")


def _flags() -> argparse.ArgumentParser:
    """Return the command's flags."""
    flags = parser("python -m convert.overhead", "Measure a conversion's time and memory against the bare converter's.")
    add_run_flag(flags)
    flags.add_argument("--scheme", choices=_SCHEMES, default="int8", help="what the .tflite is converted to")
    flags.add_argument("--calibration-size", type=positive_int, default=300, metavar="N", help="photos for int8")
    flags.add_argument("--rounds", type=positive_int, default=3, metavar="N", help="turns of each")
    flags.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return flags


if __name__ == "__main__":
    sys.exit(main())
