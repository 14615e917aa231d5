"""Ultralytics' classification beside train and convert: the same photos and splits, random weights, equal time.

    python -m benchmarks.peers.training --data PHOTOS --output build/training-peers

Trains ours for `--epochs`, then Ultralytics for as many seconds, each by its own commands and defaults (batch, image
size and seed alike); judges both on the same test photos; exports; times both from a decoded photo to its class, in
turn. Needs what `train` and `convert` need; Ultralytics comes into an environment of its own (6 GB, for PyTorch).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.environments import ULTRALYTICS_LOCK, EnvironmentMissing, install_packages
from benchmarks.results import add_output_flags, check_outputs, write_outputs
from edge.command import command, parser, positive_int, seed
from edge.errors import UserError


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Train both, judge both, show."""
    flags = parser("python -m benchmarks.peers.training", "Train Ultralytics' classifier beside ours, for equal time.")
    flags.add_argument("--data", required=True, metavar="DATA", help="photos, as train.run takes them")
    flags.add_argument("--model", default="cnn_gap", metavar="NAME", help="ours; from random weights")
    flags.add_argument("--yaml", default="yolo11n-cls.yaml", metavar="FILE", help="theirs; from random weights")
    flags.add_argument("--image-size", type=positive_int, default=128, metavar="PX", help="of both")
    flags.add_argument("--epochs", type=positive_int, default=12, metavar="N", help="of ours; theirs get the same time")
    flags.add_argument("--seed", type=seed, default=0, metavar="N", help="of both")
    flags.add_argument("--output", type=Path, default=Path("build/training-peers"), metavar="DIR", help="for all of it")
    flags.add_argument(
        "--environments", type=Path, default=Path(".venv-peers"), metavar="DIR", help="where environments are kept"
    )
    flags.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="also put the table into FILE, between <!-- training peers --> and its end",
    )
    add_output_flags(flags)
    given = flags.parse_args(argv)
    check_outputs(given)
    from benchmarks.machine import fingerprint
    from benchmarks.marks import put_between_marks
    from benchmarks.peers import ours, ultralytics
    from benchmarks.peers.training_table import print_table, to_markdown

    output: Path = given.output.absolute()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Could not make {output}: {error.strerror}; name another --output DIR") from error
    try:
        python = install_packages(ULTRALYTICS_LOCK, None, given.environments.absolute() / "ultralytics")
    except EnvironmentMissing as error:
        raise UserError(f"Expected an environment for Ultralytics, there is none: {error}") from error
    own = ours.train(output / "ours", given.data, given.model, given.image_size, given.epochs, given.seed)
    theirs = ultralytics.train(
        python,
        output,
        ultralytics.lay_out(own, output / "photos"),
        given.yaml,
        given.image_size,
        given.seed,
        own.seconds,
    )
    rows = [own.to_row(), theirs.to_row()]
    own_times, their_times = [], []
    for _ in range(3):  # in turn: the machine may drift
        own_times.append(ours.time_frames(own.folder))
        their_times.append(ultralytics.time_photos(python, theirs, given.image_size))
    rows[0]["predict_ms"], rows[1]["predict_ms"] = ours.merge_times(own_times), ours.merge_times(their_times)
    results = {"machine": fingerprint(), "rows": rows}
    print_table(results)
    if given.markdown:
        put_between_marks(given.markdown, "training peers", to_markdown(results))
    write_outputs(given, "training_peers", results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
