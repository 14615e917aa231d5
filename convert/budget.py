"""--max-drop: in each format the first way to quantize that loses no more than that on validation, or else the best.

Post-training quantization is climbed first, and gives model_int8; where none of it holds, the model is trained with
rounding, and gives model_int8_qat.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convert import evaluation, onnx_int8, onnx_ranges, ranges
from convert.evaluation import Scores, Split
from convert.ladder import Attempt, Climb, Judged, Rung, climb, rank
from convert.rungs import ptq_rungs
from convert.schemes import QAT, REFERENCE, Materials, Scheme
from edge.errors import UserError


@dataclass(frozen=True)
class Kept:
    """What a format ends with.

    Attributes:
        file_name: Of the file to use.
        attempt: How that file was made, and what it does on validation.
    """

    file_name: str
    attempt: Attempt


@dataclass
class Budget:
    """An accuracy budget and what was tried to keep it.

    Attributes:
        max_drop: Points of 100 that may be lost on validation.
        require_speedup: How many times as fast as float32 a file has to be, too; None where nobody minds.
        split: The validation split, with its truth.
        reference: Keras's scores of it, (N, classes).
        num_threads: Threads of the runtimes while they answer and are timed.
        tell: Called with a line as each rung has been tried.
    """

    max_drop: float
    require_speedup: float | None
    split: Split
    reference: Scores
    num_threads: int
    tell: Callable[[str], object]
    climbs: dict[str, Climb] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def concerns(self, scheme: Scheme) -> bool:
        """Tell whether a scheme is one to climb for."""
        return scheme.name in ("int8", QAT)

    def needs(self, scheme: Scheme) -> bool:
        """Tell whether what was climbed in a scheme's format doesn't hold yet."""
        return not any(found.holds for name, found in self.climbs.items() if name.endswith(scheme.suffix))

    def keeps(self, scheme: Scheme) -> bool:
        """Tell whether a scheme's file is the one that its format ends with."""
        return any(each.file_name == scheme.file_name for each in self.kept())

    def make(self, scheme: Scheme, materials: Materials) -> bytes:
        """Climb; return the content of the file to keep."""
        rungs = _qat_rung if scheme.name == QAT else _tflite_rungs if scheme.suffix == ".tflite" else _onnx_rungs
        exact = materials.made[f"model_{REFERENCE}{scheme.suffix}"]
        try:
            found = climb(
                rungs(scheme, materials),
                lambda content: self._judge(content, exact, scheme.suffix),
                self.max_drop,
                lambda line: self.tell(f"  {scheme.suffix}  {line}"),
                self.require_speedup,
            )
        except UserError as error:
            self.refused[scheme.file_name] = str(error)
            raise
        self.climbs[scheme.file_name] = found
        return found.content

    def kept(self) -> list[Kept]:
        """Return what each format ends with: what holds, or else the best."""
        kept = []
        for suffix in dict.fromkeys(Path(name).suffix for name in self.climbs):
            candidates = [Kept(name, its.attempt) for name, its in self.climbs.items() if name.endswith(suffix)]
            kept.append(min(candidates, key=_preference))
        return kept

    def describe(self) -> dict[str, Any]:
        """Return the outcome as conversion.json tells it; each file's entry has its own rungs."""
        return {
            "max_drop": self.max_drop,
            "require_speedup": self.require_speedup,
            "judged_on": "validation",
            "n": len(self.reference),
            "kept": {each.file_name: {"holds": each.attempt.holds, "way": each.attempt.name} for each in self.kept()},
            "tried": {name: its.describe()["rungs"] for name, its in self.climbs.items()},
            "refused": self.refused,
        }

    def _judge(self, content: bytes, exact: bytes, suffix: str) -> Judged:
        """Ask a file about the validation split and time it beside float32."""
        with tempfile.TemporaryDirectory(prefix="climbing-") as folder:
            reference, candidate = (Path(folder, f"{name}{suffix}") for name in (f"model_{REFERENCE}", "candidate"))
            reference.write_bytes(exact)
            candidate.write_bytes(content)
            scores = evaluation.run_file(candidate, self.split.images, self.num_threads)
            ratios = evaluation.latency_ratios([reference, candidate], self.split.images, self.num_threads)
        verdict = evaluation.judge(scores, self.reference, self.split.truth)
        if verdict.accuracy is None or verdict.drop_points is None:
            raise ValueError("Expected a validation split whose truth is known")
        return Judged(verdict.n, verdict.accuracy, verdict.drop_points, verdict.agreement, ratios[candidate.name])


def _preference(kept: Kept) -> tuple[bool, tuple[float, float]]:
    """Return what is smaller the better: of those that hold the smallest and then fastest, else what loses least."""
    attempt = kept.attempt
    if not attempt.holds or attempt.judged is None:
        return True, rank(attempt)
    return False, (attempt.size_bytes, attempt.judged.latency_ratio)


def _tflite_rungs(scheme: Scheme, materials: Materials) -> Iterator[Rung]:
    """Return the rungs of the .tflite, without training."""
    return ptq_rungs(
        materials.made[f"model_{REFERENCE}.tflite"], materials.images, plain=lambda: scheme.make(materials)
    )


def _onnx_rungs(scheme: Scheme, materials: Materials) -> Iterator[Rung]:
    """Yield the rungs of the .onnx, without training: a layer left in float costs what int8 gains in onnxruntime."""
    exact, images = materials.made[f"model_{REFERENCE}.onnx"], materials.images
    yield Rung(f"int8, {len(images)} photos", lambda: scheme.make(materials))
    clipped = onnx_ranges.clipped(exact, images)
    yield Rung(
        f"int8, ranges without the outermost {ranges.CLIPPED:.2%} of values",
        lambda: onnx_int8.to_int8(exact, images, ranges=clipped),
    )


def _qat_rung(scheme: Scheme, materials: Materials) -> Iterator[Rung]:
    """Yield the one rung of training."""
    yield Rung("int8, trained further with rounding", lambda: scheme.make(materials))
