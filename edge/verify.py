"""Proves that a model answers here as it did where it was converted.

    python -m edge.verify model_int8.tflite

Replays the golden samples that the file carries: decode, resize, scores, label. Exit code 1 where a stage differs or
the file carries no samples. Runs from a copy of this folder too: `python edge/verify.py MODEL`.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run by path: the folder above edge/ takes the place of edge/ itself
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import dataclasses
import json
from collections.abc import Sequence

from edge.answers import printable
from edge.command import command, parser
from edge.model_flags import add_model_flags, load_classifier

_DESCRIPTION = """\
Replays the golden samples that a model file carries, and says which stage differs from when it was converted, and by
how much: decoding, resizing, the scores, the label."""


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see the module."""
    given = _parse_flags(argv)

    from edge.replay import STAGES, explain, replay

    classifier = load_classifier(given, lambda line: print(line, file=sys.stderr))
    checks = replay(classifier)
    failed = [check for check in checks if not check.passed]
    if given.json:
        rows = [dataclasses.asdict(check) for check in checks]
        report = {"model": str(given.model), "runtime": classifier.runtime, "passed": not failed, "checks": rows}
        print(json.dumps(report, indent=2))
        return 1 if failed else 0
    for check in checks:
        verdict = "ok    " if check.passed else "DIFFERS"
        print(printable(f"sample {check.sample:<3} {check.stage:<7} {verdict:<8} {check.found}"))
    samples = len({check.sample for check in checks})
    if failed:
        stages = ", ".join(stage for stage in STAGES if any(check.stage == stage for check in failed))
        print(f"{given.model} on {classifier.runtime}: {len(failed)} checks of {samples} samples differ, in: {stages}")
        if reason := explain(classifier, failed):
            print(reason)
        return 1
    print(f"{given.model} on {classifier.runtime}: {samples} samples answered as when it was converted")
    return 0


def _parse_flags(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    flags = parser("edge.verify", _DESCRIPTION)
    flags.add_argument(
        "model",
        type=Path,
        nargs="?",
        default=Path("runs/latest/model_int8.tflite"),
        metavar="MODEL",
        help=".tflite or .onnx",
    )
    flags.add_argument("--json", action="store_true", help="print the checks as JSON")
    add_model_flags(flags)
    return flags.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
