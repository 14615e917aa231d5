"""Quantization-aware fine-tuning: a model goes on learning while it rounds as an int8 device does.

It starts where post-training quantization ends, with ranges of calibration photos and the same weights, and learns from
the float model: from its scores and from the features that they are calculated from, as a photo has few scores and a
thousand features. What comes out may be no better: `QatResult` says what both do on validation, and the caller chooses.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras
from rich.console import Console

from convert.fake_quant import take_weights
from convert.fold import fold
from convert.layer_ranges import Ranges, measure_ranges
from convert.qat_learner import Aim, Figures, RoundingLearner
from convert.ranges import CLIPPED
from train import device
from train.augment import Augmentation
from train.pipeline import training_batches, user_errors
from train.pixels import Images, Labels
from train.progress import counting
from train.schedule import Schedule

_WARMUP = 0.1  # part of the steps in which the learning rate rises: Adam's first steps know its gradients' size badly


@dataclass(frozen=True)
class Settings:
    """How to fine-tune.

    Attributes:
        steps: Training steps, at least 1.
        rounds: How often the model is asked about the validation split on the way; the best one of them is kept.
        batch_size: Images in a batch.
        learning_rate: Adam's highest, in int8 steps of each weight: it rises over the first training steps and falls to
            0 along half a cosine.
        teacher_share: Part of the loss that is about the float model, 0-1; the rest is about the labels.
        temperature: What both models' logits are divided by for that part.
        features_weight: How much the float model's features count in that part, beside its scores.
        clipped: Of each layer's values, the share that lies farthest out on each side and beyond the range.
        in_pairs: Whether weights are rounded in the steps of an int8 .onnx (`convert.onnx_weights`) or of a .tflite.
        augmentation: What is done to training images.
        validation_size: Photos of the validation split that are asked about at most, evenly spread over it.
        seed: Fixes order and augmentation.
    """

    steps: int = 120
    rounds: int = 3
    batch_size: int = 32
    # EfficientNet-Lite0 after 60 steps, validation, error of the logits: 0.33 before, 0.14 at 0.02, 0.19 at 0.05; 0.18
    # by Adam on real numbers at 1e-5, 0.21 at 1e-4.
    learning_rate: float = 0.02
    teacher_share: float = 1.0
    temperature: float = 1.0
    features_weight: float = 10.0  # 1e-5, 60 steps: that error went to 0.22 without features, to 0.18 with them
    clipped: float = CLIPPED
    in_pairs: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    validation_size: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class QatResult:
    """What came of a fine-tuning.

    Attributes:
        model: The float model with the fine-tuned weights, from raw pixels to scores, as `convert.fold.fold` makes it;
            `convert.fixed_ranges.to_int8` takes it with `ranges`, or `convert.onnx_int8.to_int8` where it was trained
            with `in_pairs`. The other of the two has other steps for the weights and little of the gain.
        ranges: Lowest and highest value of each layer's output that int8 rounds, by the layer's name in `model`.
        start: What the model did before the first step: post-training quantization with these ranges.
        best: What `model` does; equal to `start` where no step made it better.
        best_step: After how many steps that was; 0 where no step made it better.
        seconds_per_step: Median.
    """

    model: keras.Model
    ranges: Ranges
    start: Figures
    best: Figures
    best_step: int
    seconds_per_step: float

    def describe(self) -> dict[str, Any]:
        """Return the training as conversion.json tells it."""
        return {
            "judged_on": "validation",
            "start": asdict(self.start),
            "best": asdict(self.best),
            "best_step": self.best_step,
            "seconds_per_step": round(self.seconds_per_step, 3),
        }


def fine_tune(
    model: keras.Model,
    calibration: npt.NDArray[np.uint8],
    train: tuple[Images, Labels],
    validation: tuple[Images, Labels],
    settings: Settings,
    console: Console,
) -> QatResult:
    """Train a model further while it rounds as an int8 device does.

    Batch norms are folded away and ranges stay as they are measured first, so that nothing moves but weights. Equal
    arguments give equal bits on one machine.

    Args:
        model: The float model, one of `train.models` or one like them; stays as it is.
        calibration: Images (N, height, width, 3) uint8 RGB of the training split that the ranges are measured on.
        train: Images and labels to learn from.
        validation: Images and labels by which the best of the rounds is chosen.
        settings: How.
        console: Where progress goes.

    Raises:
        UserError: If the model is of a kind that can't be trained so, or the loss stops being a number.
    """
    device.prepare(settings.seed)
    folded = fold(model)
    ranges = measure_ranges(folded, calibration, settings.clipped, settings.seed)
    aim = Aim(settings.teacher_share, settings.temperature, settings.features_weight)
    schedule = Schedule("cosine", settings.learning_rate, 1, _WARMUP)
    learner = RoundingLearner(folded, ranges, aim, schedule, in_pairs=settings.in_pairs)
    with user_errors():
        start, best, best_step, seconds = _train(learner, model.output_shape[-1], train, validation, settings, console)
    take_weights(folded, learner.model)
    return QatResult(folded, ranges, start, best, best_step, statistics.median(seconds))


def _train(
    learner: RoundingLearner,
    classes: int,
    train: tuple[Images, Labels],
    validation: tuple[Images, Labels],
    settings: Settings,
    console: Console,
) -> tuple[Figures, Figures, int, list[float]]:
    """Do all steps, leave the learner with its best weights; return `start`, `best`, `best_step`, the steps' times."""
    size = min(settings.validation_size, len(validation[1]))
    chosen = np.linspace(0, len(validation[1]) - 1, size).round().astype(np.int64)
    start = best = learner.figures(*validation, chosen)
    best_weights, best_step = learner.weights(), 0
    console.print(f"quantized, not yet fine-tuned  {start}")
    steps, seconds, losses = settings.steps, [], []
    epochs = math.ceil(steps / math.ceil(len(train[1]) / settings.batch_size))
    batches = training_batches(*train, classes, settings.batch_size, epochs, settings.seed, settings.augmentation)
    ends = {math.ceil(steps * (number + 1) / settings.rounds) for number in range(settings.rounds)}
    with counting(console, "fine-tuning", steps) as advance:
        for step, batch in enumerate(batches.take(steps), 1):
            started = time.perf_counter()
            losses.append(learner.step(*batch, step - 1, steps))
            seconds.append(time.perf_counter() - started)
            advance()
            if step not in ends:
                continue
            figures = learner.figures(*validation, chosen)
            is_better = figures.loss < best.loss
            if is_better:
                best, best_weights, best_step = figures, learner.weights(), step
            console.print(
                f"step {step:>{len(str(steps))}}/{steps}  {statistics.median(seconds):.2f} s a step"
                f"  loss {statistics.fmean(losses):.4f}  {figures}{'  best so far' if is_better else ''}"
            )
            losses.clear()
    learner.restore(best_weights)
    return start, best, best_step, seconds
