"""Trains a model and writes a run's folder: `python -m train.run [--data FOLDER] [--output DIR]`.

A run that was killed or stopped goes on where it was when it is started again with the same --output, or by --resume.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command
from edge.run_folder import write_json
from train.model_settings import fill_in
from train.models import build, find_model
from train.settings import Settings, run_flags
from train.stop import Stopped
from train.unfinished import check_same, find_unfinished, is_unfinished, read_settings
from train.weights import find_weights

if TYPE_CHECKING:
    from rich.console import Console

    from train.dataset import Manifest
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
    fill_in(given)
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
    weights = find_weights(find_model(settings.model).pretrained, settings.weights, settings.image_size, settings.alpha)
    preflight = None
    if is_unfinished(settings.output) and not force:
        check_same(settings.output, settings)
        console.print(f"going on with the unfinished run in {settings.output}")
    else:
        preflight = _look(settings, console)
    console.print("starting TensorFlow ...")
    with native_log.to_file(Path(os.devnull)):  # before the old run is cleared away: it may not be installed
        device.import_tensorflow()
        if weights is not None:  # and these may be another model's
            build(settings.model, settings.image_size, 2, alpha=settings.alpha, weights=weights)
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
            metrics = _train(settings, manifest, weights, cache, checkpoint_seconds, console)
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
    settings: Settings,
    manifest: Manifest,
    weights: Path | None,
    cache: Path | None,
    checkpoint_seconds: float,
    console: Console,
) -> dict[str, Any]:
    """Train, judge and draw; write all but metrics.json, whose content is returned."""
    from train import device

    device.prepare(settings.seed, settings.deterministic)
    from train import phases
    from train.cache import open_pixels
    from train.evaluate import judge
    from train.fit import save_model
    from train.history import write_history
    from train.pipeline import plain_batches, user_errors
    from train.plots import plot_run
    from train.predictions import write_predictions

    classes = len(manifest.labels)
    pixels = open_pixels(manifest, settings.image_size, cache, console)
    with user_errors():
        trained = phases.train(settings, manifest, pixels, weights, cache, checkpoint_seconds, console)
    save_model(trained.model, settings.output / "model.keras")
    write_history(trained.epochs, settings.output / "history.csv")
    scores = {}
    for split in ("validation", "test"):
        with user_errors():
            batches = plain_batches(*pixels[split], classes, settings.batch_size)
            scores[split] = trained.model.predict(batches, verbose=0)
    write_predictions(settings.output, scores)
    metrics = judge(manifest, scores, settings.false_accept_rate)
    metrics["training"] = trained.summary()
    plot_run(trained.epochs, metrics["test"], manifest.labels, manifest.name, settings.output / "plots")
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


if __name__ == "__main__":
    sys.exit(main())
