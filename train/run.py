"""Trains a model and writes a run's folder: `python -m train.run [--data FOLDER] [--output DIR]`.

A run that was killed or stopped goes on where it was when it is started again with the same --output, or by --resume.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command
from edge.run_folder import read_json, write_json
from train.augment import AUGMENTATIONS
from train.models import MODELS
from train.settings import Settings, run_flags
from train.stop import Stopped
from train.unfinished import check_same, check_teacher, find_unfinished, hash_beginning, is_unfinished, read_settings

if TYPE_CHECKING:
    import tf_keras as keras
    from rich.console import Console

    from train.dataset import Manifest
    from train.history import Epoch
    from train.pixels import Images, Labels
    from train.preflight import Preflight

    Pixels = dict[str, tuple[Images, Labels]]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Train a model on photos and write the run's folder."""
    flags = run_flags()
    given = vars(flags.parse_args(argv))
    if given["resume"]:
        run_there = find_unfinished(given["output"])
        # its settings stand in for the defaults, so that flags that are given again have to be the same
        given = vars(flags.parse_args(argv, argparse.Namespace(**read_settings(run_there)))) | {"output": run_there}
    kept = {name: given.pop(name) for name in ("cache", "force", "checkpoint_seconds")}
    del given["resume"]
    if given["output"] is None:
        data = Path(given["data"]).resolve().name or "photos"
        given["output"] = Path("runs", f"{data}-{given['model']}-{datetime.now():%Y%m%d-%H%M%S}")
    try:
        run(Settings(**given), **kept)
    except Stopped as stopped:
        output = shlex.quote(str(given["output"]))
        print(f"{stopped}; go on: python -m train.run --resume --output {output}", file=sys.stderr)
        return 128 + stopped.signum
    return 0


def run(settings: Settings, cache: Path | None, force: bool = False, checkpoint_seconds: float = 60.0) -> None:
    """Train as `settings` say, write the run's folder, point `latest` beside it at it.

    Goes on with a run that was begun there and isn't finished.

    Args:
        settings: Every setting.
        cache: Folder of the cache of decoded pixels; None to decode photos in each epoch.
        force: Begin anew, whatever run is there.
        checkpoint_seconds: Seconds between two checkpoints within an epoch.

    Raises:
        UserError: If the data or the output folder won't do.
        Stopped: If a signal asked for it while training.
    """
    from train import device, native_log, output
    from train.dataset import read_manifest, write_manifest
    from train.findings import FINDINGS, findings
    from train.progress import stderr_console
    from train.report_page import write_report

    started = time.perf_counter()
    console = stderr_console()
    output.check_output(settings.output, force)
    preflight = None
    if is_unfinished(settings.output) and not force:
        check_same(settings.output, settings)
        console.print(f"going on with the unfinished run in {settings.output}")
    else:
        preflight = _look(settings, console)
    console.print("starting TensorFlow ...")
    with native_log.to_file(Path(os.devnull)):  # before the old run is cleared away: it may not be installed
        device.import_tensorflow()
    with output.alone(settings.output):
        if preflight is None:
            output.clear_half_written(settings.output)
            manifest = read_manifest(settings.output / "dataset.json")
        else:
            manifest = preflight.manifest
            output.clear_output(settings.output)
            write_manifest(manifest, settings.output / "dataset.json")
            write_json(settings.output / FINDINGS, findings(preflight))
        with native_log.to_file(settings.output / "train.log"):
            metrics = _train(settings, manifest, cache, checkpoint_seconds, console)
        # of a run that was gone on with: at least that of its epochs
        metrics["training"]["seconds"] = round(max(time.perf_counter() - started, metrics["training"]["seconds"]), 1)
        write_report(settings.output, metrics)
        write_json(settings.output / "metrics.json", metrics)  # marks a finished run
        shutil.rmtree(settings.output / "checkpoints", ignore_errors=True)
    if not output.point_latest(settings.output):
        console.print(f"{settings.output.parent / 'latest'} is no link and stays as it is")
    _tell_result(settings.output, metrics)


def _look(settings: Settings, console: Console) -> Preflight:
    """Look at the photos, tell what is wrong with them, refuse what would flatter the result."""
    from train.findings import findings
    from train.findings_tables import tell
    from train.preflight import look

    preflight = look(settings.data_settings(), console)
    tell(findings(preflight), console)
    preflight.check()
    return preflight


def _train(
    settings: Settings, manifest: Manifest, cache: Path | None, checkpoint_seconds: float, console: Console
) -> dict[str, Any]:
    """Train, judge and draw; write all but metrics.json, whose content is returned."""
    from train import device

    device.prepare(settings.seed, settings.deterministic)
    from train.cache import open_pixels
    from train.evaluate import judge
    from train.fit import save_model
    from train.history import best_epoch, write_history
    from train.pipeline import plain_batches, user_errors
    from train.plots import plot_run
    from train.predictions import write_predictions

    classes = len(manifest.labels)
    pixels: Pixels = open_pixels(manifest, settings.image_size, cache, console)
    with user_errors():
        model, epochs = _fit(settings, manifest, pixels, checkpoint_seconds, console)
    save_model(model, settings.output / "model.keras")
    write_history(epochs, settings.output / "history.csv")
    scores = {}
    for split in ("validation", "test"):
        with user_errors():
            scores[split] = model.predict(plain_batches(*pixels[split], classes, settings.batch_size), verbose=0)
    write_predictions(settings.output, scores)
    metrics = judge(manifest, scores, settings.false_accept_rate)
    metrics["training"] = {
        "epochs": len(epochs),
        "best_epoch": best_epoch(epochs).epoch,
        "parameters": model.count_params(),
        "seconds": sum(epoch.seconds for epoch in epochs),
    }
    plot_run(epochs, metrics["test"], manifest.labels, manifest.name, settings.output / "plots")
    return metrics


def _fit(
    settings: Settings, manifest: Manifest, pixels: Pixels, checkpoint_seconds: float, console: Console
) -> tuple[keras.Model, list[Epoch]]:
    """Train the model, with what the machine chose when the run began."""
    from train import device
    from train.checkpoints import Checkpoints
    from train.fit import fit
    from train.loss import Teacher
    from train.output import write_config
    from train.recipe import Recipe, image_feed
    from train.teacher import load_teacher

    build = partial(MODELS[settings.model], settings.image_size, len(manifest.labels))
    teacher, teacher_hash = None, None
    if settings.teacher is not None:
        model, teacher_hash = load_teacher(settings.teacher, manifest, settings.image_size)
        teacher = Teacher(model, settings.teacher_share, settings.teacher_temperature)
    if is_unfinished(settings.output):
        chosen = read_json(settings.output / "config.json", "python -m train.run --force")
        check_teacher(settings.output, chosen, teacher_hash)
    else:
        chosen = _choose(settings, build, math.ceil(len(pixels["train"][1]) / settings.batch_size))
        chosen["teacher_sha256"] = teacher_hash
        write_config(settings.output, settings.to_json() | chosen)
    recipe = Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        patience=settings.patience,
        seed=settings.seed,
        precision=chosen["precision_used"],
        augmentation=AUGMENTATIONS[settings.augment],
        mixup=settings.mixup,
        schedule=settings.schedule,
        warmup=settings.warmup,
        label_smoothing=settings.label_smoothing,
        balance=settings.balance,
        clip_norm=settings.clip_norm,
        xla=chosen["xla_used"],
    )
    console.print(
        f"training on {device.device_name()}, {recipe.precision}; "
        f"stops after {settings.patience} epochs without improvement"
    )
    device.prepare(settings.seed, settings.deterministic)  # again, as choosing takes random numbers
    return fit(
        build,
        recipe,
        image_feed(recipe, pixels["train"], pixels["validation"], len(manifest.labels)),
        console,
        checkpoints=Checkpoints(settings.output / "checkpoints", hash_beginning(settings.output), checkpoint_seconds),
        teacher=teacher,
        log_folder=settings.output / "tensorboard",
    )


def _choose(settings: Settings, build: Callable[[], keras.Model], steps_per_epoch: int) -> dict[str, Any]:
    """Return what is left to the machine, and what it is: written down, so that the run can go on with the same."""
    from train import device
    from train.precision import choose_precision

    steps = settings.epochs * steps_per_epoch
    precision = choose_precision(settings.precision, build, settings.batch_size, steps)
    return {
        "device": device.device_name(),
        "precision_used": precision.policy,
        "precision_timed": precision.images_per_second,
        "xla_used": settings.xla == "on" or (settings.xla == "auto" and bool(device.gpu_names())),
        "augmentation": asdict(AUGMENTATIONS[settings.augment]),
    }


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


if __name__ == "__main__":
    sys.exit(main())
