"""Every setting of a run and its flag."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from edge.command import parser, positive_int
from train.augment import AUGMENTATIONS
from train.cache_folder import add_cache_flags
from train.cluster import STRATEGIES
from train.data_settings import DataSettings, add_data_flags
from train.device import PRECISIONS
from train.model_settings import add_model_flags
from train.schedule import SCHEDULES

XLA = ("auto", "on", "off")


@dataclass(frozen=True)
class Settings:
    """Every setting that a run's result hangs on.

    Attributes:
        data: Name of a known data set, kaggle:OWNER/NAME, a CSV or a folder.
        split: Percent of train, validation, test.
        group_by: What tells which photos are kept together; see `train.data_settings.DataSettings`.
        leaks: What is done about a photo in two given splits, one of `train.data_settings.LEAKS`.
        near_duplicates: What is done about photos that look alike, one of `train.data_settings.NEAR_DUPLICATES`.
        seed: Seed of split, order, augmentation, first weights and dropout.
        model: Name of the architecture.
        image_size: (height, width).
        alpha: The model's width, where it comes in several.
        weights: What it starts from: "imagenet", "none" or a file.
        head_only: Whether its layer of scores is trained alone.
        epochs: Epochs at most.
        patience: Epochs without a lower validation loss after which training stops.
        batch_size: Images in a batch.
        learning_rate: Adam's, the highest of the schedule.
        schedule: One of `train.schedule.SCHEDULES`.
        warmup: Epochs in which the learning rate rises first.
        clip_norm: Largest norm of all gradients together; None for any.
        augment: Name in `train.augment.AUGMENTATIONS`.
        mixup: Alpha of mixup; 0 for none.
        label_smoothing: What is taken from the label and shared among all classes, 0-1.
        balance: Whether each class counts as much as any other, however many photos it has.
        teacher: Folder of the run whose model's answers are taught along with the labels; None for none.
        teacher_share: Part of the loss that is about the teacher's answers.
        teacher_temperature: What both models' logits are divided by there.
        precision: One of `train.device.PRECISIONS`.
        xla: One of XLA.
        strategy: Who trains together, one of `train.cluster.STRATEGIES`.
        deterministic: Whether the same settings give the same weights to the bit.
        false_accept_rate: Wrong answers among the accepted that the "unknown" threshold is chosen for, 0-1.
        output: The run's folder.
    """

    data: str
    split: tuple[int, int, int]
    group_by: str | None
    leaks: str
    near_duplicates: str
    seed: int
    model: str
    image_size: tuple[int, int]
    alpha: float
    weights: str
    head_only: bool
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    schedule: str
    warmup: float
    clip_norm: float | None
    augment: str
    mixup: float
    label_smoothing: float
    balance: bool
    teacher: Path | None
    teacher_share: float
    teacher_temperature: float
    precision: str
    xla: str
    strategy: str
    deterministic: bool
    false_accept_rate: float
    output: Path

    def data_settings(self) -> DataSettings:
        """Return those that say which photos are used."""
        return DataSettings(**{each.name: getattr(self, each.name) for each in fields(DataSettings)})

    def shared(self) -> dict[str, Any]:
        """Return those that all workers must have alike; where their files lie is each one's own business."""
        own = ("data", "weights", "teacher", "output")
        return {name: value for name, value in self.to_json().items() if name not in own}

    def to_json(self) -> dict[str, Any]:
        """Return them as config.json holds them."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return content


def settings_of_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of Settings' fields that a config.json holds, as flags would give them."""
    kinds, values = get_type_hints(Settings), {}
    for name in kinds.keys() & content.keys():
        value = content[name]
        if isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, str) and kinds[name] in (Path, Path | None):
            value = Path(value)
        values[name] = value
    return values


def run_flags() -> argparse.ArgumentParser:
    """Return the flags of train.run: those of Settings, and where and how the run is kept."""
    flags = parser("python -m train.run", "Train an image classifier on photos.")
    photos = flags.add_argument_group("photos")
    add_data_flags(photos)
    photos.add_argument(
        "--augment", choices=list(AUGMENTATIONS), default="light", help="how far training images are changed"
    )
    photos.add_argument(
        "--mixup", type=mixup_alpha, default="0", metavar="ALPHA", help="blend pairs of training images, 0.2 or so"
    )
    add_cache_flags(photos)
    add_model_flags(flags.add_argument_group("model"))
    _add_training(flags.add_argument_group("training"))
    _add_rate(flags.add_argument_group("learning rate"))
    _add_teacher(flags.add_argument_group("a teacher (distillation)"))
    _add_arithmetic(flags.add_argument_group("arithmetic"))
    _add_run(flags.add_argument_group("the run"))
    return flags


def _add_training(flags: argparse._ArgumentGroup) -> None:
    """Add how long, and what counts."""
    flags.add_argument("--epochs", type=positive_int, default=30, metavar="N", help="epochs at most")
    flags.add_argument(
        "--patience", type=positive_int, default=6, metavar="N", help="stop after N epochs without a lower loss"
    )
    flags.add_argument("--batch-size", type=positive_int, default=32, metavar="N", help="images in a batch")
    flags.add_argument(
        "--label-smoothing",
        type=part,
        default="0",
        metavar="X",
        help="share a part of each label among all classes, 0.1 or so",
    )
    flags.add_argument(
        "--balance", action="store_true", help="let each class count the same, however many photos it has"
    )
    flags.add_argument(
        "--false-accept-rate",
        type=share,
        default="0.05",
        metavar="X",
        help='wrong answers that the "unknown" threshold may leave among the accepted, 0 to 1',
    )


def _add_rate(flags: argparse._ArgumentGroup) -> None:
    """Add how far a step goes."""
    flags.add_argument(
        "--learning-rate", type=positive_float, metavar="X", help="Adam's learning rate (default: what suits the model)"
    )
    flags.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="constant",
        help="cosine: down to 0 at the end; plateau: a fifth after half of --patience without a lower loss",
    )
    flags.add_argument(
        "--warmup", type=not_negative, default="0", metavar="EPOCHS", help="let it rise from near 0 first"
    )
    flags.add_argument(
        "--clip-norm", type=positive_float, metavar="X", help="shorten longer gradients, all together, to X"
    )


def _add_teacher(flags: argparse._ArgumentGroup) -> None:
    """Add who teaches along with the labels."""
    flags.add_argument(
        "--teacher", type=Path, metavar="RUN", help="also learn the answers of the model in this run's folder"
    )
    flags.add_argument(
        "--teacher-share", type=share, default="0.5", metavar="X", help="part of the loss about the teacher, 0 to 1"
    )
    flags.add_argument(
        "--teacher-temperature", type=positive_float, default="2", metavar="T", help="soften both models' scores by T"
    )


def _add_arithmetic(flags: argparse._ArgumentGroup) -> None:
    """Add how it is computed."""
    flags.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="while training; auto times float32 and bfloat16 on processors that have both",
    )
    flags.add_argument("--xla", choices=XLA, default="auto", help="compile the steps; auto does on GPUs")
    flags.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="auto",
        help="who trains together: one; mirrored, all GPUs of this machine; multiworker, the machines that TF_CONFIG "
        "names (see train.launch); auto takes what is there",
    )
    flags.add_argument(
        "--deterministic",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the same settings give the same weights to the bit; costs nothing but on GPUs",
    )


def _add_run(flags: argparse._ArgumentGroup) -> None:
    """Add where the run is kept and what becomes of one that is there."""
    flags.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the run's folder (default: runs/DATA-MODEL-TIME); an unfinished run there is gone on with",
    )
    there = flags.add_mutually_exclusive_group()
    there.add_argument(
        "--resume",
        action="store_true",
        help="go on with the unfinished run at --output, or the newest in runs/, with its own settings",
    )
    there.add_argument("--force", action="store_true", help="begin anew, whatever run is at --output")
    flags.add_argument(
        "--checkpoint-seconds",
        type=not_negative,
        default="60",
        metavar="N",
        help="save at least so often, besides after each epoch",
    )


def _number(is_good: Callable[[float], bool], expected: str) -> Callable[[str], float]:
    """Return an argparse type of numbers that are good; `expected` says which."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not is_good(value):  # nothing is true of nan
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


positive_float = _number(lambda value: 0 < value < float("inf"), "a number above 0")
not_negative = _number(lambda value: 0 <= value < float("inf"), "a number of at least 0")
share = _number(lambda value: 0 < value < 1, "a number between 0 and 1")
part = _number(lambda value: 0 <= value < 1, "0, or a number below 1")
mixup_alpha = _number(lambda value: value == 0 or 0.01 <= value <= 10, "0 for none, or 0.01 to 10")
