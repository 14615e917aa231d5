"""Trains a run's model: from random weights all at once; from trained ones its head first, then everything."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tf_keras as keras
from rich.console import Console

from edge.errors import UserError
from edge.run_folder import read_json
from train import device
from train.augment import AUGMENTATIONS
from train.checkpoints import Checkpoint, Checkpoints
from train.dataset import Manifest
from train.features import photos_key
from train.fit import fit
from train.history import Epoch, best_epoch
from train.loss import Teacher
from train.models import build
from train.output import write_config
from train.pixels import Images, Labels
from train.precision import choose_precision
from train.recipe import Recipe, image_feed
from train.settings import Settings
from train.teacher import load_teacher
from train.transfer import fine_tune, head_recipe, is_better, learn_head
from train.unfinished import check_file, hash_beginning, is_unfinished
from train.weights import published_name
from train.workers import Workers, agree

Pixels = dict[str, tuple[Images, Labels]]


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        model: With the best weights.
        epochs: Those of everything, or of the head where that alone was trained.
        head: Those of the head before everything else was trained; empty where it wasn't.
    """

    model: keras.Model
    epochs: list[Epoch]
    head: list[Epoch]

    def summary(self) -> dict[str, Any]:
        """Return what metrics.json says of the training; `best_epoch` 0 is the head's alone."""
        content = {
            "epochs": len(self.epochs),
            "best_epoch": best_epoch(self.epochs).epoch,
            "parameters": self.model.count_params(),
            "seconds": sum(epoch.seconds for epoch in self.epochs + self.head),
        }
        if self.head:
            best = best_epoch(self.head)
            content["head"] = {"epochs": len(self.head), "loss": best.val_loss, "accuracy": best.val_accuracy}
            if not is_better(self.epochs, self.head):
                content["best_epoch"] = 0
        return content


def train(
    settings: Settings,
    manifest: Manifest,
    pixels: Pixels,
    weights: Path | None,
    cache: Path | None,
    checkpoint_seconds: float,
    console: Console,
    workers: Workers,
) -> Trained:
    """Train the model, with what the machine chose when the run began; go on where it was if it did.

    The chief chooses, trains the head and writes; the others learn from it what it chose and where it is.

    Args:
        settings: Every setting.
        manifest: The photos.
        pixels: Images and labels of "train" and "validation".
        weights: File of the weights to start from; None for random ones.
        cache: Folder where features are kept between runs; None for memory.
        checkpoint_seconds: Seconds between two checkpoints within an epoch.
        console: Where progress goes.
        workers: Who trains together.

    Raises:
        UserError: If a file isn't the one that the run began with, the others have other files, or the loss stops being
            a number.
        Stopped: If a signal asked for it.
    """
    plain = partial(build, settings.model, settings.image_size, len(manifest.labels), alpha=settings.alpha)
    weights_hash = None if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest()
    teacher, teacher_hash = None, None
    if settings.teacher is not None:
        model, teacher_hash = load_teacher(settings.teacher, manifest, settings.image_size)
        teacher = Teacher(model, settings.teacher_share, settings.teacher_temperature)
    agree(workers, "files of --teacher and --weights", [teacher_hash, weights_hash])
    chosen: dict[str, Any] = {}
    if workers.is_chief and is_unfinished(settings.output):
        chosen = read_json(settings.output / "config.json", "python -m train.run --force")
        check_file(settings.output, chosen, "teacher", teacher_hash)
        check_file(settings.output, chosen, "weights", weights_hash)
    elif workers.is_chief:
        chosen = _choose(settings, plain, math.ceil(len(pixels["train"][1]) / settings.batch_size), workers)
        chosen |= {"teacher_sha256": teacher_hash, "weights_sha256": weights_hash}
        write_config(settings.output, settings.to_json() | chosen)
    if workers.size > 1:
        chosen = json.loads(workers.broadcast(json.dumps(chosen).encode()))
    if chosen.get("replicas", 1) != workers.replicas:
        raise UserError(
            f"The unfinished run in {settings.output} began with {chosen.get('replicas', 1)} copies of the model, here "
            f"are {workers.replicas}; start as many workers, or begin anew: --force"
        )
    recipe = _recipe(settings, chosen)
    device.prepare(settings.seed, settings.deterministic)  # again, as choosing takes random numbers
    head: list[Epoch] = []
    if weights is not None:
        name = published_name(weights)
        console.print(f"starting from {weights.name}, {'as published' if name else 'not a file that is known here'}")
        model = plain(weights=weights)
        keys = {split: photos_key(manifest, split, settings.image_size) for split in ("train", "validation")}
        if workers.is_chief:
            head = learn_head(model, pixels, keys, head_recipe(recipe), cache, console)
        if workers.size > 1:
            head = _share_head(model, head, workers)
        if settings.head_only:
            return Trained(model, head, [])
    console.print(
        f"training on {device.device_name()}, {recipe.precision}; "
        f"stops after {settings.patience} epochs without improvement"
    )
    fit_all = partial(
        fit,
        recipe=recipe,
        feed=image_feed(recipe, pixels["train"], pixels["validation"], len(manifest.labels), workers),
        console=console,
        teacher=teacher,
        workers=workers,
    )
    if workers.is_chief:
        checkpoints = Checkpoints(settings.output / "checkpoints", hash_beginning(settings.output), checkpoint_seconds)
        fit_all = partial(fit_all, checkpoints=checkpoints, log_folder=settings.output / "tensorboard")
    if weights is None:
        return Trained(*fit_all(plain), [])
    return Trained(model, fine_tune(model, head, plain, fit_all, console), head)


def _recipe(settings: Settings, chosen: dict[str, Any]) -> Recipe:
    """Return how everything is trained."""
    return Recipe(
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


def _share_head(model: keras.Model, head: list[Epoch], workers: Workers) -> list[Epoch]:
    """Give all processes the chief's model and the epochs of its head, which are returned."""
    state = {"head": [asdict(epoch) for epoch in head]}
    shared = Checkpoint.from_bytes(workers.broadcast(Checkpoint(state, {"weights": model.get_weights()}).to_bytes()))
    model.set_weights(shared.arrays["weights"])
    return [Epoch(**epoch) for epoch in shared.state["head"]]


def _choose(
    settings: Settings, build: Callable[[], keras.Model], steps_per_epoch: int, workers: Workers
) -> dict[str, Any]:
    """Return what is left to the machine, and what it is: written down, so that the run can go on with the same."""
    steps = settings.epochs * steps_per_epoch
    asked = "float32" if settings.head_only else settings.precision  # a head has nothing to gain
    precision = choose_precision(asked, build, settings.batch_size, steps)
    alone = workers.replicas == 1  # XLA can't compile what copies of a model tell each other
    return {
        "device": device.device_name(),
        "precision_used": precision.policy,
        "precision_timed": precision.images_per_second,
        "xla_used": settings.xla == "on" or (settings.xla == "auto" and bool(device.gpu_names()) and alone),
        "workers": workers.size,
        "replicas": workers.replicas,
        "augmentation": asdict(AUGMENTATIONS[settings.augment]),
    }
