"""Trains a model and writes a run's folder: `python -m train.run [--data FOLDER] [--output DIR]`.

A run that was killed or stopped goes on where it was when it is started again with the same --output, or by --resume.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import command
from edge.errors import UserError
from edge.run_folder import write_json
from train.cluster import Cluster, WorkerLost, find_cluster, start_again
from train.model_settings import fill_in
from train.models import build, find_model
from train.settings import Settings, run_flags
from train.stop import Stopped
from train.unfinished import check_same, find_unfinished, is_unfinished, read_settings
from train.weights import find_weights

if TYPE_CHECKING:
    from rich.console import Console

    from train.dataset import Manifest
    from train.phases import Trained
    from train.pixels import Images, Labels
    from train.preflight import Preflight
    from train.workers import Workers

    Pixels = dict[str, tuple[Images, Labels]]


_ON_ALL_WORKERS = "go on: start the same command again on all workers, without --force"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Train a model on photos and write the run's folder."""
    flags = run_flags()
    given = vars(flags.parse_args(argv))
    cluster = find_cluster(given["strategy"])
    if given["resume"]:
        if cluster is not None and cluster.index > 0:
            raise UserError(f"Expected no --resume on a worker without the run's folder; {_ON_ALL_WORKERS}")
        run_there = find_unfinished(given["output"])
        # its settings stand in for the defaults, so that flags that are given again have to be the same
        given = vars(flags.parse_args(argv, argparse.Namespace(**read_settings(run_there)))) | {"output": run_there}
    kept = {name: given.pop(name) for name in ("cache", "force", "checkpoint_seconds")}
    del given["resume"]
    fill_in(given)
    if given["output"] is None:
        given["output"] = default_output(given["data"], given["model"])
    output, began = given["output"], time.time()
    try:
        run(Settings(**given), **kept)
    except Stopped as stopped:
        again = f"go on: python -m train.run --resume --output {shlex.quote(str(output))}"
        print(f"{stopped}; {again if cluster is None else _ON_ALL_WORKERS}", file=sys.stderr)
        return 128 + stopped.signum
    except WorkerLost as lost:
        print(f"another worker is gone ({lost}); going on from the last checkpoint when it is back", file=sys.stderr)
        manifest = output / "dataset.json"
        is_cleared = manifest.exists() and manifest.stat().st_mtime >= began  # what was there before is gone
        flags_again = [flag for flag in (sys.argv[1:] if argv is None else argv) if flag != "--force" or not is_cleared]
        start_again([sys.executable, "-m", "train.run", *flags_again, "--output", str(output)])
    return 0


def default_output(data: str, model: str) -> Path:
    """Return the folder of a run that was given none."""
    return Path("runs", f"{Path(data).resolve().name or 'photos'}-{model}-{datetime.now():%Y%m%d-%H%M%S}")


def run(settings: Settings, cache: Path | None, force: bool = False, checkpoint_seconds: float = 60.0) -> None:
    """Train as `settings` say, write the run's folder, point `latest` beside it at it.

    Goes on with a run that was begun there and isn't finished. Of several workers only the chief writes.

    Args:
        settings: Every setting.
        cache: Folder of the cache of decoded pixels; None to decode photos in each epoch.
        force: Begin anew, whatever run is there.
        checkpoint_seconds: Seconds between two checkpoints within an epoch.

    Raises:
        UserError: If the data or the output folder won't do, or workers disagree on the data.
        Stopped: If a signal asked for it while training.
        WorkerLost: If another worker went away.
    """
    from train import device, native_log, output
    from train.dataset import read_manifest
    from train.progress import silent_console, stderr_console

    started = time.perf_counter()
    cluster = find_cluster(settings.strategy)
    is_chief = cluster is None or cluster.index == 0
    console = stderr_console() if is_chief else silent_console()
    if is_chief:
        output.check_output(settings.output, force)
    weights = find_weights(find_model(settings.model).pretrained, settings.weights, settings.image_size, settings.alpha)
    preflight = None
    if is_chief and is_unfinished(settings.output) and not force:
        check_same(settings.output, settings)
        console.print(f"going on with the unfinished run in {settings.output}")
        manifest = read_manifest(settings.output / "dataset.json")
    else:
        preflight = _look(settings, console)
        manifest = preflight.manifest
    console.print("starting TensorFlow ...")
    with native_log.to_file(Path(os.devnull)):  # before the old run is cleared away: it may not be installed
        device.import_tensorflow()
        workers = _meet(settings, cluster, console)
        if weights is not None:  # and these may be another model's
            build(settings.model, settings.image_size, 2, alpha=settings.alpha, weights=weights)
    from train.workers import agree, lost_workers

    with lost_workers():
        agree(workers, "settings", settings.shared())
        agree(workers, "photos, labels and splits", manifest.identity())
    job = _Job(settings, manifest, weights, cache, checkpoint_seconds, console, workers)
    if is_chief:
        _write_run(job, preflight, started)
    else:
        with native_log.to_file(Path(os.devnull)):
            _learn(job)
    # All stay until the chief has written everything, to be there if that goes wrong.
    with contextlib.suppress(WorkerLost) if is_chief else contextlib.nullcontext(), lost_workers():
        workers.broadcast(b"")


@dataclass(frozen=True)
class _Job:
    """What a process does: `run`'s arguments, and what it made of them."""

    settings: Settings
    manifest: Manifest
    weights: Path | None
    cache: Path | None
    checkpoint_seconds: float
    console: Console
    workers: Workers


def _meet(settings: Settings, cluster: Cluster | None, console: Console) -> Workers:
    """Meet those who train together, all GPUs of this machine or the other workers, and say who they are."""
    from train import device
    from train.workers import join

    device.prepare(settings.seed, settings.deterministic)
    if cluster is not None and len(cluster.workers) > 1:
        console.print(f"waiting for the workers {', '.join(cluster.workers[1:])} ...")
    workers = join(settings.strategy, cluster, settings.batch_size)
    if workers.replicas > 1:
        console.print(f"{workers.replicas} copies of the model on {workers.size} machine(s)")
    if settings.batch_size % workers.replicas:
        raise UserError(
            f"Expected a --batch-size that {workers.replicas} copies of the model can share evenly, "
            f"got {settings.batch_size}; take a multiple of {workers.replicas}"
        )
    if settings.xla == "on" and workers.replicas > 1:
        raise UserError("Expected no --xla on for several workers or GPUs, which it can't compile; leave it out")
    return workers


def _write_run(job: _Job, preflight: Preflight | None, started: float) -> None:
    """Train, judge, and write all of the run's folder; without `preflight`: go on with the run that is there."""
    from train import native_log, output
    from train.dataset import write_manifest
    from train.findings import FINDINGS, findings
    from train.report_page import write_report

    settings = job.settings
    with output.alone(settings.output):
        if preflight is None:
            output.clear_half_written(settings.output)
        else:
            output.clear_output(settings.output)
            write_manifest(job.manifest, settings.output / "dataset.json")
            write_json(settings.output / FINDINGS, findings(preflight))
        with native_log.to_file(settings.output / "train.log"):
            metrics = _judge(job, *_learn(job))
        # of a run that was gone on with: at least that of its epochs
        metrics["training"]["seconds"] = round(max(time.perf_counter() - started, metrics["training"]["seconds"]), 1)
        write_report(settings.output, metrics)
        write_json(settings.output / "metrics.json", metrics)  # marks a finished run
        shutil.rmtree(settings.output / "checkpoints", ignore_errors=True)
    if not output.point_latest(settings.output):
        job.console.print(f"{settings.output.parent / 'latest'} is no link and stays as it is")
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


def _learn(job: _Job) -> tuple[Trained, Pixels]:
    """Train; return what came of it, and the images and labels of each split."""
    from train import device

    device.prepare(job.settings.seed, job.settings.deterministic)
    from train import phases
    from train.cache import open_pixels
    from train.pipeline import user_errors
    from train.workers import lost_workers

    pixels = open_pixels(job.manifest, job.settings.image_size, job.cache, job.console)
    with lost_workers() if job.workers.size > 1 else contextlib.nullcontext(), user_errors():
        trained = phases.train(
            job.settings, job.manifest, pixels, job.weights, job.cache, job.checkpoint_seconds, job.console, job.workers
        )
    return trained, pixels


def _judge(job: _Job, trained: Trained, pixels: Pixels) -> dict[str, Any]:
    """Judge and draw; write all but metrics.json, whose content is returned."""
    from train.evaluate import judge
    from train.fit import save_model
    from train.history import write_history
    from train.pipeline import plain_batches, user_errors
    from train.plots import plot_run
    from train.predictions import write_predictions

    settings, manifest = job.settings, job.manifest
    save_model(trained.model, settings.output / "model.keras")
    write_history(trained.epochs, settings.output / "history.csv")
    scores = {}
    for split in ("validation", "test"):
        with user_errors():
            batches = plain_batches(*pixels[split], len(manifest.labels), settings.batch_size)
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
