"""conversion.json: what each file is and does, whatever conversion of the same model it came from."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.confidence import Confidence
from convert.evaluation import Scores, Verdict
from convert.ladder import Climb
from convert.qat import QatResult
from edge.errors import UserError
from edge.run_folder import read_json

NAME = "conversion.json"
REPORTS = ("quantization.html", "quantization.json")
PASSING = ".converting-"  # how the folder of files that are being made is called, in front
_LEFT_S = 86_400  # one that is a day old was left by a conversion that was killed

# A file counts as slower than float32 from here on; below it the machine's noise decides.
SLOWER = 1.1
# What float32 may be off Keras: rounding in another order, not another model.
CLOSE = 1e-4


@dataclass(frozen=True)
class Converted:
    """One converted file and what it does.

    Attributes:
        path: The file, where it lies in the end.
        scheme: Such as "int8".
        batch: Images in a call; None where that is free.
        calibration: "n" and "seed" of the photos that set its ranges; None where none did.
        size_bytes: Its size.
        sha256: Its hash, in hex.
        scores: What it gave each photo, by split: (N, classes).
        verdicts: Its answers beside Keras's, by split.
        reported: The split that `verdict` is of.
        confidence: Its temperature and threshold; None where no truth is known.
        seconds: Time that the conversion itself took.
        latency_ratio: Its latency over that of the float32 file of the same format, measured in turn.
        slow: Which layers make it slower than float32; empty where it isn't, or nobody knows.
        trained: What training with rounding did; None where there was none.
        climb: What was tried to keep an accuracy budget; None where there was none.
    """

    path: Path
    scheme: str
    batch: int | None
    calibration: dict[str, int] | None
    size_bytes: int
    sha256: str
    scores: Mapping[str, Scores]
    verdicts: Mapping[str, Verdict]
    reported: str
    confidence: Confidence | None
    seconds: float
    latency_ratio: float
    slow: str = ""
    trained: QatResult | None = None
    climb: Climb | None = None

    @property
    def verdict(self) -> Verdict:
        """Its answers on the split that is reported: test where there is one."""
        return self.verdicts[self.reported]

    @property
    def warnings(self) -> list[str]:
        """What is worse than float32, or than float32 should be: a sentence each."""
        warnings = []
        verdict = self.verdict
        if self.latency_ratio > SLOWER:
            because = f"; {self.slow}" if self.slow else ""
            warnings.append(f"slower than float32 on this machine: {self.latency_ratio:.2f} of its latency{because}")
        if verdict.drop_interval is not None and verdict.drop_interval[0] > 0:
            warnings.append(f"loses accuracy beyond chance: {verdict.drop_points:.1f} points")
        if self.scheme == "float32" and verdict.largest_difference > CLOSE:
            warnings.append(f"scores differ from Keras's by up to {verdict.largest_difference:.1g}, more than {CLOSE}")
        if self.trained is not None and self.trained.best_step == 0:
            warnings.append("training made it no better: it is int8 with the ranges that training began with")
        return warnings

    def describe(self) -> dict[str, Any]:
        """Return the file's entry of conversion.json."""
        confidence = self.confidence
        return {
            "scheme": self.scheme,
            "batch": describe_batch(self.batch),
            **({} if self.calibration is None else {"calibration": self.calibration}),
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            **{split: verdict.describe() for split, verdict in self.verdicts.items()},
            **(
                {} if confidence is None else {"temperature": confidence.temperature, "threshold": confidence.threshold}
            ),
            "latency_ratio": self.latency_ratio,
            "conversion_seconds": round(self.seconds, 3),
            **({} if self.trained is None else {"qat": self.trained.describe()}),
            **({} if self.climb is None else {"budget": self.climb.describe()}),
            "warnings": self.warnings,
        }


def describe_batch(batch: int | None) -> int | str:
    """Return a batch as it is written: "dynamic" for a free one."""
    return "dynamic" if batch is None else batch


def kept_entries(folder: Path, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of an earlier conversion.json that still hold.

    A conversion for float16 must not make those of int8, made before, files that nobody vouches for.

    Args:
        folder: Where the files lie.
        origin: What `Convertible.describe_origin` gives: entries of another model, or of other settings, are dropped.

    Returns:
        Entries by file name, of files that are as they were.
    """
    try:
        before = read_json(folder / NAME, "python -m convert.quantize")
    except UserError:  # none, or damaged: then nothing is known
        return {}
    files = before.get("files")
    if before.get("origin") != origin or not isinstance(files, dict):
        return {}
    return {name: entry for name, entry in files.items() if _is_as_it_was(folder / Path(name).name, entry)}


def _is_as_it_was(path: Path, entry: Any) -> bool:
    """Tell whether a file is the one that an entry is about."""
    try:
        return isinstance(entry, dict) and hashlib.sha256(path.read_bytes()).hexdigest() == entry.get("sha256")
    except OSError:
        return False


def find_strays(folder: Path, known: Collection[str]) -> list[Path]:
    """Return files of an earlier conversion that nobody will vouch for: benchmarks and pages would go on using them.

    Only what the earlier conversion.json names, and as it was written then: all else may be somebody's own.

    Args:
        folder: Where the files lie.
        known: Names of the files that the new conversion.json vouches for.
    """
    try:
        files = read_json(folder / NAME, "python -m convert.quantize").get("files")
    except UserError:
        return []
    if not isinstance(files, dict):
        return []
    paths = {folder / Path(name).name: entry for name, entry in files.items() if Path(name).name not in known}
    return [path for path, entry in paths.items() if _is_as_it_was(path, entry)]


def sweep(folder: Path) -> None:
    """Remove what conversions that were killed left in a folder."""
    for left in folder.glob(f"{PASSING}*"):
        if left.is_dir() and time.time() - left.stat().st_mtime > _LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
