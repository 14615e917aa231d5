"""What converted models cost in bytes: file, compressed, by part, the runtime to install, and memory at its peak.

    python -m benchmarks.size               every converted file of runs/latest
    python -m benchmarks.size MODEL...      these files

Compressed by `gzip -9`, and as an app's archive would hold it: an APK keeps a .tflite as it is, since the runtime maps
it from there (`noCompress`), and deflates a .onnx at zlib's usual level. Peak memory is that of a fresh process which
loads the file and answers one camera frame; Python, NumPy, OpenCV and the runtime are in it.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.command import add_num_threads_flag, add_run_flag, command, parser
from edge.errors import UserError


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables, write the figures where asked."""
    from benchmarks.results import add_output_flags, check_outputs, write_outputs

    flags = parser("python -m benchmarks.size", "Show what converted models cost in bytes.")
    flags.add_argument(
        "models", nargs="*", type=Path, metavar="MODEL", help=".tflite or .onnx file (default: every one of the run)"
    )
    add_run_flag(flags)
    add_num_threads_flag(flags)
    add_output_flags(flags)
    given = flags.parse_args(argv)
    check_outputs(given)

    from benchmarks.machine import fingerprint
    from edge.run_folder import model_files, resolve_run

    models = given.models or model_files(resolve_run(given.run))
    content = measure(models, given.num_threads, skip_broken=not given.models)
    write_outputs(given, "size", {"machine": fingerprint(), **content})
    _print(content)
    return 0


def measure(models: Sequence[Path], num_threads: int, *, skip_broken: bool = False) -> dict[str, Any]:
    """Measure model files.

    Args:
        models: The files.
        num_threads: Threads of the runtime while memory is measured.
        skip_broken: Whether a file that can't be loaded is named on stderr and left out.

    Returns:
        "rows", one a file, and "footprint": runtime -> what `installed_footprint` says of it.

    Raises:
        UserError: If a file can't be loaded, or none where broken ones are skipped.
    """
    from benchmarks.footprint import installed_footprint

    rows: list[dict[str, Any]] = []
    for model in models:
        try:
            rows.append(_row(model, num_threads))
        except UserError as error:
            if not skip_broken or (model == models[-1] and not rows):
                raise
            print(f"left out {model.name}: {error}", file=sys.stderr)
    footprints = {name: installed_footprint(name) for name in sorted({row["runtime"].split()[0] for row in rows})}
    for row in rows:
        row["footprint_bytes"] = footprints[row["runtime"].split()[0]]["total_bytes"]
    return {"rows": rows, "footprint": footprints}


def apk_bytes(suffix: str, data: bytes) -> int:
    """Return the bytes that a model file takes in an Android app's archive; see the module's text."""
    return len(data) if suffix == ".tflite" else len(zlib.compress(data, wbits=-15))


def _row(model: Path, num_threads: int) -> dict[str, Any]:
    """Return the row of one file."""
    from benchmarks.fresh_process import measure_fresh
    from benchmarks.parts import measure_parts
    from edge.classifier import Classifier

    classifier = Classifier(model, num_threads)
    data = model.read_bytes()
    parts = measure_parts(model, data)
    scheme = classifier.metadata.get("scheme")
    return {
        "run": model.resolve().parent.name,
        "model": model.name,
        # A stranger's file may say anything here, and what it says reaches the terminal.
        "scheme": scheme if isinstance(scheme, str) and re.fullmatch(r"\w{1,32}", scheme, re.ASCII) else "unknown",
        "runtime": classifier.runtime,
        "num_threads": num_threads,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "gzip_bytes": len(gzip.compress(data, 9, mtime=0)),
        "apk_bytes": apk_bytes(model.suffix.lower(), data),
        "weights_bytes": parts.weights,
        "graph_bytes": parts.graph,
        "metadata_bytes": parts.metadata,
        "golden_bytes": parts.golden,
        "peak_rss_bytes": measure_fresh(model, classifier.runtime.split()[0], num_threads)["peak_rss_bytes"],
    }


def _print(content: dict[str, Any]) -> None:
    """Print the figures: tables or, without rich, JSON."""
    try:
        from benchmarks.size_table import print_tables
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        import json

        from edge.extras import install_line

        print(f"The figures as JSON; for tables install rich: {install_line('rich')}", file=sys.stderr)
        print(json.dumps(content, indent=2))
    else:
        print_tables(content)


if __name__ == "__main__":
    sys.exit(main())
