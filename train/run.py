"""Trains a model and writes a run's folder: `python -m train.run [--data FOLDER] [--output DIR]`."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command, parser, positive_int
from edge.run_folder import write_json
from train.augment import AUGMENTATIONS
from train.cache_folder import add_cache_flags
from train.data_settings import add_data_flags
from train.device import PRECISIONS
from train.models import MODELS, SMALLEST_SIDE

if TYPE_CHECKING:
    from rich.console import Console

    from train.dataset import Manifest


@dataclass(frozen=True)
class Settings:
    """Every setting of a run.

    Attributes:
        data: Name of a known data set, kaggle:OWNER/NAME, a CSV or a folder.
        model: Name of the architecture.
        image_size: (height, width).
        epochs: Epochs at most.
        patience: Epochs without a lower validation loss after which training stops.
        batch_size: Images in a batch.
        learning_rate: Adam's.
        augment: Name in `train.augment.AUGMENTATIONS`.
        mixup: Alpha of mixup; 0 for none.
        precision: One of `train.device.PRECISIONS`.
        split: Percent of train, validation, test.
        group_by: What tells which photos are kept together; see `train.data_settings.DataSettings`.
        leaks: What is done about a photo in two given splits, one of `train.data_settings.LEAKS`.
        near_duplicates: What is done about photos that look alike, one of `train.data_settings.NEAR_DUPLICATES`.
        seed: Seed of split, order, augmentation, first weights and dropout.
        false_accept_rate: Wrong answers among the accepted that the "unknown" threshold is chosen for, 0-1.
        output: The run's folder.
    """

    data: str
    model: str
    image_size: tuple[int, int]
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    augment: str
    mixup: float
    precision: str
    split: tuple[int, int, int]
    group_by: str | None
    leaks: str
    near_duplicates: str
    seed: int
    false_accept_rate: float
    output: Path


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Train a model on photos and write the run's folder."""
    given = vars(_flags().parse_args(argv))
    force, cache, output = given.pop("force"), given.pop("cache"), given.pop("output")
    if output is None:
        data = Path(given["data"]).resolve().name or "photos"
        output = Path("runs", f"{data}-{given['model']}-{datetime.now():%Y%m%d-%H%M%S}")
    run(Settings(**given, output=output), cache, force)
    return 0


def run(settings: Settings, cache: Path | None, force: bool = False) -> None:
    """Train as `settings` say, write the run's folder, point `latest` beside it at it.

    Args:
        settings: Every setting.
        cache: Folder of the cache of decoded pixels; None to decode photos in each epoch.
        force: Overwrite a finished run.

    Raises:
        UserError: If the data or the output folder won't do.
    """
    from train import native_log, output
    from train.data_settings import DataSettings
    from train.dataset import write_manifest
    from train.findings import FINDINGS, findings
    from train.findings_tables import tell
    from train.preflight import look
    from train.progress import stderr_console
    from train.report_page import write_report

    started = time.perf_counter()
    console = stderr_console()
    output.check_output(settings.output, force)
    asked = DataSettings(**{each.name: getattr(settings, each.name) for each in fields(DataSettings)})
    preflight = look(asked, console)
    manifest, found = preflight.manifest, findings(preflight)
    tell(found, console)
    preflight.check()
    output.clear_output(settings.output)
    write_manifest(manifest, settings.output / "dataset.json")
    write_json(settings.output / FINDINGS, found)
    with native_log.to_file(settings.output / "train.log"):
        metrics = _train(settings, manifest, cache, console)
    metrics["training"]["seconds"] = round(time.perf_counter() - started, 1)
    write_report(settings.output, metrics)
    write_json(settings.output / "metrics.json", metrics)  # last: it marks a finished run
    if not output.point_latest(settings.output):
        console.print(f"{settings.output.parent / 'latest'} is no link and stays as it is")
    _tell_result(settings.output, metrics)


def _train(settings: Settings, manifest: Manifest, cache: Path | None, console: Console) -> dict[str, Any]:
    """Train, judge and draw; write all but metrics.json, whose content is returned."""
    from train import device

    console.print("starting TensorFlow ...")
    device.prepare(settings.seed)
    from train.cache import open_pixels
    from train.evaluate import judge
    from train.fit import Recipe, save_model, train_model
    from train.history import best_epoch, write_history
    from train.output import write_config
    from train.pipeline import plain_batches, user_errors
    from train.plots import plot_run
    from train.precision import choose_precision
    from train.predictions import write_predictions

    name, classes = device.device_name(), len(manifest.labels)
    pixels = open_pixels(manifest, settings.image_size, cache, console)
    build = partial(MODELS[settings.model], settings.image_size, classes)
    steps = settings.epochs * math.ceil(len(pixels["train"][0]) / settings.batch_size)
    precision = choose_precision(settings.precision, build, settings.batch_size, steps)
    device.prepare(settings.seed)  # again, as choosing takes random numbers
    recipe = Recipe(
        model=settings.model,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        patience=settings.patience,
        seed=settings.seed,
        precision=precision.policy,
        augmentation=AUGMENTATIONS[settings.augment],
        mixup=settings.mixup,
    )
    found = {
        "device": name,
        "precision_used": precision.policy,
        "precision_timed": precision.images_per_second,
        "augmentation": asdict(recipe.augmentation),
    }
    write_config(settings.output, {**asdict(settings), "output": str(settings.output), **found})
    console.print(f"training on {name}, {precision}; stops after {settings.patience} epochs without improvement")
    with user_errors():
        model, epochs = train_model(recipe, pixels["train"], pixels["validation"], classes, console)
    save_model(model, settings.output / "model.keras")
    write_history(epochs, settings.output / "history.csv")
    scores = {}
    for split in ("validation", "test"):
        with user_errors():
            scores[split] = model.predict(plain_batches(*pixels[split], classes, settings.batch_size), verbose=0)
    write_predictions(settings.output, scores)
    metrics = judge(manifest, scores, settings.false_accept_rate)
    trained = {"epochs": len(epochs), "best_epoch": best_epoch(epochs).epoch, "parameters": model.count_params()}
    metrics["training"] = trained
    plot_run(epochs, metrics["test"], manifest.labels, manifest.name, settings.output / "plots")
    return metrics


def _tell_result(output: Path, metrics: dict[str, Any]) -> None:
    """Print the run's summary on stdout."""
    test = metrics["test"]
    low, high = test["accuracy_interval"]
    gain = 100 * (test["accuracy"] - test["majority"])
    print(f"test accuracy  {test['accuracy']:.1%} of {test['n']} photos (95 % interval {low:.1%} to {high:.1%})")
    print(
        f"majority       {test['majority']:.1%}, always answering the larger class; the model adds {gain:+.1f} points"
    )
    print(f"macro F1       {test['macro_f1']:.3f}")
    print(f"run            {output}")
    print(f"report         {output / 'report.html'}")
    print(f"next           python -m convert.quantize --int8 --run {shlex.quote(str(output))}")


def _flags() -> argparse.ArgumentParser:
    """Return the command's flags."""
    flags = parser("python -m train.run", "Train an image classifier on photos, from scratch.")
    add_data_flags(flags)
    flags.add_argument("--model", choices=sorted(MODELS), default="cnn", help="architecture")
    flags.add_argument(
        "--image-size", type=image_size, default="128", metavar="N|HxW", help="what photos are squashed to"
    )
    flags.add_argument("--epochs", type=positive_int, default=30, metavar="N", help="epochs at most")
    flags.add_argument(
        "--patience", type=positive_int, default=6, metavar="N", help="stop after N epochs without a lower loss"
    )
    flags.add_argument("--batch-size", type=positive_int, default=32, metavar="N", help="images in a batch")
    flags.add_argument("--learning-rate", type=positive_float, default="3e-4", metavar="X", help="Adam's learning rate")
    flags.add_argument(
        "--augment", choices=list(AUGMENTATIONS), default="light", help="how far training images are changed"
    )
    flags.add_argument(
        "--mixup", type=mixup_alpha, default="0", metavar="ALPHA", help="blend pairs of training images, 0.2 or so"
    )
    flags.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of the arithmetic while training; auto times float32 and bfloat16 on processors that have both",
    )
    flags.add_argument(
        "--false-accept-rate",
        type=share,
        default="0.05",
        metavar="X",
        help='wrong answers that the "unknown" threshold may leave among the accepted, 0 to 1',
    )
    flags.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the run's folder (default: runs/DATA-MODEL-TIME)",
    )
    flags.add_argument("--force", action="store_true", help="overwrite a finished run at --output")
    add_cache_flags(flags)
    return flags


def image_size(text: str) -> tuple[int, int]:
    """Parse N or HxW, as an argparse type; returns (height, width)."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and SMALLEST_SIDE <= int(part) <= 4096 for part in parts):
        raise argparse.ArgumentTypeError(
            f"expected N or HxW of {SMALLEST_SIDE} to 4096 pixels, such as 128 or 96x128, got {text!r}"
        )
    return int(parts[0]), int(parts[-1])


def mixup_alpha(text: str) -> float:
    """Parse 0, or 0.01 to 10, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value != 0 and not 0.01 <= value <= 10:
        raise argparse.ArgumentTypeError(f"expected 0 for none, or 0.01 to 10, got {text!r}")
    return value


def positive_float(text: str) -> float:
    """Parse a finite number above 0, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def share(text: str) -> float:
    """Parse a number between 0 and 1, neither of them, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
