"""Sets finished runs side by side: what each reached, and whether the best is really better, photo by photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from scipy.stats import binomtest

from edge.errors import UserError
from edge.run_folder import read_json, resolve_run
from train.dataset import read_manifest
from train.evaluate import true_classes
from train.predictions import read_predictions

_MADE_BY = "python -m train.run"

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Paired:
    """A run beside the best one, on the photos that both had in their test split.

    Attributes:
        n: Photos.
        only_best: Photos that only the best run got right.
        only_this: Photos that only this run got right.
        difference_points: Accuracy on these photos over the best run's, in points of 100.
        p_value: Of McNemar's exact test: how likely so uneven a count is, or a more uneven one, if both were equally
            good.
    """

    n: int
    only_best: int
    only_this: int
    difference_points: float
    p_value: float


@dataclass(frozen=True)
class Row:
    """What a run reached; None is what the run's files don't say.

    Attributes:
        run: The run's folder, as the user typed it.
        data: The data set's name.
        model: The architecture's name.
        image_size: (height, width).
        parameters: Of the model.
        epochs: Epochs trained.
        seconds: From the photos to the figures.
        n: Test photos.
        accuracy: On the test split, 0-1.
        accuracy_interval: Its 95 % interval.
        macro_f1: On the test split.
        ece: On the test split, as trained.
        ece_calibrated: On the test split, at the run's temperature.
        best: Whether no run has a higher accuracy; of equal ones the first.
        paired: Beside the best run; None for itself, and where it isn't possible.
        note: Why it isn't possible, in one line.
    """

    run: str
    data: str
    model: str
    image_size: tuple[int, int] | None
    parameters: int | None
    epochs: int | None
    seconds: float | None
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    ece: float
    ece_calibrated: float | None
    best: bool = False
    paired: Paired | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the row as compare's JSON has it."""
        return asdict(self)


def compare(runs: Sequence[Path]) -> list[Row]:
    """Read finished runs and hold each against the best.

    Args:
        runs: Their folders; at least one.

    Raises:
        UserError: If a folder is no finished run.
    """
    rows = [_read(run) for run in runs]
    best = max(range(len(rows)), key=lambda number: rows[number].accuracy)
    answers = [_try_answers(run) for run in runs]
    compared = []
    for number, row in enumerate(rows):
        paired, note = (None, "") if number == best else _pair(answers[number], answers[best], rows[best].run)
        compared.append(Row(**{**vars(row), "best": number == best, "paired": paired, "note": note}))
    return compared


@dataclass(frozen=True)
class _Answers:
    """Which test photos a run got right: by the photo's hash, the class it was counted under and whether."""

    right: dict[str, tuple[str, bool]]
    labels: frozenset[str]


def _read(run: Path) -> Row:
    """Read what a run's files say of it."""
    folder = resolve_run(run)
    metrics = read_json(folder / "metrics.json", f"{_MADE_BY}, to the end")
    config, manifest = read_json(folder / "config.json", _MADE_BY), read_manifest(folder / "dataset.json")
    try:
        test, training, size = metrics["test"], metrics.get("training", {}), config.get("image_size")
        low, high = test["accuracy_interval"]
        return Row(
            run=str(run),
            data=manifest.name,
            model=str(config["model"]),
            image_size=(int(size[0]), int(size[1])) if size else None,
            parameters=_maybe(int, training.get("parameters")),
            epochs=_maybe(int, training.get("epochs")),
            seconds=_maybe(float, training.get("seconds")),
            n=int(test["n"]),
            accuracy=float(test["accuracy"]),
            accuracy_interval=(float(low), float(high)),
            macro_f1=float(test["macro_f1"]),
            ece=float(test["ece"]),
            ece_calibrated=_maybe(float, test.get("ece_calibrated")),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(
            f"Expected the figures of a finished run in {run}, got {error!r}; train again: {_MADE_BY}"
        ) from error


def _maybe(kind: Callable[[Any], _Number], value: Any) -> _Number | None:
    """Return a number of a JSON, or None where there is none."""
    return None if value is None else kind(value)


def _try_answers(run: Path) -> _Answers | str:
    """Return a run's answers to its test photos, or why there are none."""
    folder = resolve_run(run)
    manifest = read_manifest(folder / "dataset.json")
    try:
        scores = read_predictions(folder, manifest)["test"]
    except UserError as error:
        return str(error)
    right = scores.argmax(axis=1) == true_classes(manifest, "test")
    photos = zip(manifest.of("test"), right, strict=True)
    return _Answers({photo.sha256: (photo.label, bool(its)) for photo, its in photos}, frozenset(manifest.labels))


def _pair(this: _Answers | str, best: _Answers | str, name: str) -> tuple[Paired | None, str]:
    """Hold a run against the best, or say why it can't be."""
    for answers in (this, best):
        if isinstance(answers, str):
            return None, answers
    if this.labels != best.labels:
        return None, f"It tells other classes apart than {name}"
    shared = [sha256 for sha256, (label, _) in this.right.items() if best.right.get(sha256, ("", False))[0] == label]
    if not shared:
        return None, f"It has no test photo in common with {name}, so the accuracies are of different photos"
    pairs = [(this.right[sha256][1], best.right[sha256][1]) for sha256 in shared]
    only_this, only_best = pairs.count((True, False)), pairs.count((False, True))
    different = only_this + only_best
    return Paired(
        n=len(shared),
        only_best=only_best,
        only_this=only_this,
        difference_points=100 * (only_this - only_best) / len(shared),
        p_value=float(binomtest(only_this, different).pvalue) if different else 1.0,
    ), ""
