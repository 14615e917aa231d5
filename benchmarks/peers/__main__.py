"""Other people's runtimes beside ours: the same files, the same frames, in turn.

    python -m benchmarks.peers                       the int8 and float32 files of runs/latest
    python -m benchmarks.peers MODEL... --runs 500

From a 640x480 frame in memory to the best class, as each one's own guide does it. Environments that others need are
made in `.venv-peers` at the first call; who can't be had here is skipped, and why is said.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import add_output_flags, check_outputs, write_outputs
from edge.command import add_num_threads_flag, add_run_flag, command, parser, positive_int

CACHE = Path(".venv-peers")
_DEFAULT = ("model_int8.tflite", "model_float32.tflite", "model_int8.onnx", "model_float32.onnx")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Race, show, write."""
    flags = parser(
        "python -m benchmarks.peers", "Time other people's runtimes beside ours, on the same files and frames."
    )
    flags.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="default: int8 and float32 of the run")
    add_run_flag(flags)
    add_num_threads_flag(flags)
    flags.add_argument("--runs", type=positive_int, default=200, metavar="N", help="timed frames of each at least")
    flags.add_argument("--seconds", type=positive_int, default=2, metavar="S", help="timed seconds of each at least")
    flags.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these, and TinySight")
    flags.add_argument("--environments", type=Path, default=CACHE, metavar="DIR", help="where environments are kept")
    flags.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also put the table into FILE, between <!-- peers --> and its end"
    )
    add_output_flags(flags)
    given = flags.parse_args(argv)
    check_outputs(given)
    from benchmarks.machine import fingerprint
    from benchmarks.marks import put_between_marks
    from benchmarks.peers.racing import compare
    from benchmarks.peers.table import print_table, to_markdown
    from edge.run_folder import model_files, resolve_run

    models = given.models or [path for path in model_files(resolve_run(given.run)) if path.name in _DEFAULT]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            rows += compare(
                model, given.num_threads, given.only, given.runs, given.seconds, given.environments, Path(folder)
            )
    results = {"machine": fingerprint(), "rows": rows}
    print_table(results)
    if given.markdown:
        put_between_marks(given.markdown, "peers", to_markdown(results))
    write_outputs(given, "peers", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
