"""Measures training: `python -m train.throughput [--data FOLDER]`, images a second against a plain Keras loop.

Both train the same model on the same photos with the same augmentation. They take turns, A B A B, each in a process of
its own, so that a machine whose speed drifts is as slow for one as for the other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command, parser, positive_int
from edge.errors import UserError
from train.cache_folder import add_cache_flags
from train.data_settings import DataSettings, add_data_flags
from train.device import PRECISIONS
from train.model_settings import image_size
from train.models import MODELS

if TYPE_CHECKING:
    from train.contenders import Outcome, Turn
    from train.dataset import Manifest

CONTENDERS = ("keras", "tinysight")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure both and print the table."""
    given = vars(_flags().parse_args(argv))
    asked = DataSettings(**{each.name: given.pop(each.name) for each in fields(DataSettings)})
    rounds, target = given.pop("rounds"), given.pop("json")
    from edge.run_folder import write_json
    from train.contenders import Turn
    from train.dataset import write_manifest
    from train.preflight import look
    from train.progress import stderr_console

    console = stderr_console()
    manifest = look(asked, console).manifest
    with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
        write_manifest(manifest, Path(folder, "dataset.json"))
        link_photos(manifest, Path(folder, "photos"))
        results = measure(Turn("", Path(folder), **given), rounds)
    show(results)
    if target:
        write_json(target, results)
    return 0


def measure(turn: Turn, rounds: int) -> dict[str, Any]:
    """Let both contenders take turns.

    Args:
        turn: What each turn is, but for the contender.
        rounds: Turns of each.

    Returns:
        "turn"; for each contender "images_per_second" and "peak_bytes", a list of the rounds, and "precision"; "ratio":
        ours over Keras's in each round.
    """
    from train.contenders import take_turn
    from train.progress import counting, stderr_console

    outcomes: dict[str, list[Outcome]] = {contender: [] for contender in CONTENDERS}
    with counting(stderr_console(), "turns", rounds * len(CONTENDERS)) as advance:
        for _round in range(rounds):
            for contender in CONTENDERS:
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    outcome = pool.submit(take_turn, replace(turn, contender=contender)).result()
                outcomes[contender].append(outcome)
                if contender == "tinysight":
                    turn = replace(turn, precision=outcome.precision)  # "auto" is timed once
                advance()
    keras, ours = (outcomes[contender] for contender in CONTENDERS)
    measured = {
        contender: {
            "images_per_second": [round(each.images_per_second, 1) for each in its],
            "peak_bytes": [each.peak_bytes for each in its],
            "precision": its[0].precision,
        }
        for contender, its in outcomes.items()
    }
    ratio = [round(b.images_per_second / a.images_per_second, 3) for a, b in zip(keras, ours, strict=True)]
    told = {name: value for name, value in asdict(turn).items() if name not in ("contender", "folder", "cache")}
    return {"turn": told, **measured, "ratio": ratio}


def link_photos(manifest: Manifest, folder: Path) -> None:
    """Lay links to the training photos that Keras can read into a folder per class, numbered.

    Raises:
        UserError: If a class has none, so that the two would train on different classes.
    """
    from train.contenders import KERAS_READS

    photos = [photo for photo in manifest.of("train") if Path(photo.path).suffix.lower() in KERAS_READS]
    for number, label in enumerate(manifest.labels):
        mine = [photo for photo in photos if photo.label == label]
        if not mine:
            raise UserError(f"Expected JPEG, PNG, BMP or GIF photos of {label!r}, which Keras can read; got none")
        class_folder = folder / f"{number:04}"
        class_folder.mkdir(parents=True)
        for index, photo in enumerate(mine):
            link = class_folder / f"{index:07}{Path(photo.path).suffix.lower()}"
            link.symlink_to(manifest.root / photo.path)


def show(results: dict[str, Any]) -> None:
    """Print the figures of each round, their medians, and the ratio with its spread."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    turn, ratio = results["turn"], results["ratio"]
    height, width = turn["image_size"]
    title = f"{turn['model']}, {height}x{width}, batches of {turn['batch_size']}, {turn['steps']} steps a turn"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("images a second")
    for number in range(len(ratio)):
        table.add_column(f"round {number + 1}", justify="right")
    table.add_column("median", justify="right")
    table.add_column("peak memory", justify="right")
    for contender in CONTENDERS:
        its = results[contender]
        rates = its["images_per_second"]
        cells = [f"{rate:.0f}" for rate in (*rates, statistics.median(rates))]
        table.add_row(f"{contender}, {its['precision']}", *cells, f"{max(its['peak_bytes']) / 1e6:,.0f} MB")
    table.add_row("ratio", *(f"{each:.2f}" for each in (*ratio, statistics.median(ratio))), "")
    Console(soft_wrap=True).print(table)
    print(f"ratio {statistics.median(ratio):.2f} (from {min(ratio):.2f} to {max(ratio):.2f})")


def _flags() -> argparse.ArgumentParser:
    """Return the command's flags."""
    flags = parser("python -m train.throughput", "Measure images a second in training, against a plain Keras loop.")
    add_data_flags(flags)
    flags.add_argument("--model", choices=sorted(MODELS), default="cnn", help="architecture")
    flags.add_argument(
        "--image-size", type=image_size, default="128", metavar="N|HxW", help="what photos are squashed to"
    )
    flags.add_argument("--batch-size", type=positive_int, default=32, metavar="N", help="images in a batch")
    flags.add_argument("--precision", choices=PRECISIONS, default="auto", help="ours; Keras's is float32")
    flags.add_argument("--rounds", type=positive_int, default=3, metavar="N", help="turns of each")
    flags.add_argument("--warmup", type=positive_int, default=10, metavar="N", help="steps of a turn that don't count")
    flags.add_argument("--steps", type=positive_int, default=50, metavar="N", help="steps of a turn that count")
    flags.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    add_cache_flags(flags)
    return flags


if __name__ == "__main__":
    sys.exit(main())
