"""What a conversion shows in quantization.html: every file's answers, and each layer's error in the int8 .tflite."""

from __future__ import annotations

from collections.abc import Sequence

from convert.diff_report import write_diff_report
from convert.differences import Measured, Photos
from convert.pipeline import Conversion
from convert.record import Converted
from convert.schemes import REFERENCE
from convert.sensitivity import LayerError, layer_errors

_PHOTOS = 32  # of those that calibrated: one layer's SQNR differs by less than 0.5 dB from that of 300


def write_report(conversion: Conversion) -> None:
    """Write quantization.html and quantization.json beside the files."""
    source = conversion.source
    split = source.splits[source.reported]
    dataset = source.describe(REFERENCE).get("dataset", {})
    photos = Photos(
        split=source.reported,
        names=source.reported_names,
        images=split.images,
        truth=split.truth,
        labels=source.labels,
        reference=conversion.reference[source.reported],
    )
    sizes = {file.path: file.size_bytes for file in conversion.files}
    measured = [
        Measured(
            name=file.path.name,
            scheme=file.scheme,
            scores=file.scores[source.reported],
            size_bytes=file.size_bytes,
            size_ratio=file.size_bytes / sizes[file.path.with_stem(f"model_{REFERENCE}")],
            latency_ratio=file.latency_ratio,
            layers=_layers(conversion, file),
            slow=file.slow,
            way="" if file.climb is None else file.climb.kept,
        )
        for file in conversion.files
    ]
    name, licence = dataset.get("name", ""), dataset.get("licence") or ""
    write_diff_report(source.folder, photos, measured, name, licence, conversion.num_threads)


def _layers(conversion: Conversion, file: Converted) -> Sequence[LayerError]:
    """Return each layer's error; none where the file isn't a quantized .tflite for one image."""
    if file.path.suffix != ".tflite" or file.batch != 1 or not file.scheme.startswith("int8"):
        return []
    exact = file.path.with_stem(f"model_{REFERENCE}").read_bytes()
    return layer_errors(exact, file.path.read_bytes(), conversion.calibration.images[:_PHOTOS])
