"""Damages model files in thousands of ways: is every one refused in one line, and does the process always live on?

`python -m tests.mutate_models --files 2000` converts a tiny network to a sealed .tflite and .onnx, damages each a
thousand times (bytes flipped, ends cut off, bytes put in or left out, blocks swapped, ranges zeroed; half of it in the
last 5 %) and runs the camera command on each file, in processes of their own, so that a crash or a signal is seen.
Files that aren't sealed are damaged as often: nothing can refuse those for certain, but a crash would be ours to mend.
`--model FILE` damages that file instead. Exits 1 where a sealed file was taken or anything but one line came.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edge import seal
from edge.command import command, parser, positive_int
from tests.tree import ROOT

_BATCH = 100  # files for one process
_CHILD = """
import json, sys
from pathlib import Path
from tests.mutate_models import judge
photo, *paths = map(Path, sys.argv[1:])
for path in paths:
    print(json.dumps([str(path), judge(path, photo)]), flush=True)
"""
METADATA = {"labels": ["one", "two", "three"], "image_size": [16, 16], "scheme": "float32"}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Damage, ask, count; 1 where anything is not as it should be."""
    flags = parser("python -m tests.mutate_models", "Damage model files and see whether edge refuses each.")
    flags.add_argument("--files", type=positive_int, default=2000, metavar="N", help="sealed files, and as many others")
    flags.add_argument("--model", type=Path, action="append", metavar="FILE", help="a model to damage; repeatable")
    flags.add_argument("--seed", type=int, default=0, metavar="N", help="of the damages")
    given = flags.parse_args(argv)
    models = [(path.suffix, path.read_bytes()) for path in given.model] if given.model else make_models()
    bad = 0
    for number, (suffix, data) in enumerate(models):
        sealed = is_sealed(data)
        count = given.files // max(1, sum(is_sealed(each) == sealed for _, each in models))
        outcomes = damage_and_ask(data, suffix, count, np.random.default_rng([given.seed, number]))
        told = ", ".join(f"{many} {outcome}" for outcome, many in outcomes.most_common())
        print(f"{'sealed' if sealed else 'foreign'} {suffix}, {len(data):,} bytes, {count} damaged: {told}", flush=True)
        bad += count - outcomes["refused"] - (0 if sealed else outcomes["answered"])
    print("all sealed files refused in one line, no crash, no signal" if not bad else f"{bad} not as they should be")
    return 1 if bad else 0


def is_sealed(data: bytes) -> bool:
    """Tell whether a whole model file is a sealed one."""
    return seal.MARKER in data


def mutate(data: bytes, random: np.random.Generator) -> bytes:
    """Return the bytes damaged in one of seven ways, near the end half of the time; never the same bytes."""
    low = int(0.95 * len(data)) if random.random() < 0.5 else 0
    while True:
        first, second = sorted(int(place) for place in random.integers(low, len(data), 2))
        length = int(random.integers(1, 200))
        noise = random.bytes(length)
        changed = bytearray(data)
        kind = random.integers(7)
        if kind == 0:
            changed[first] ^= 1 << random.integers(8)
        elif kind == 1:
            for place in random.integers(low, len(data), int(random.integers(1, 20))):
                changed[place] = random.integers(256)
        elif kind == 2:
            del changed[first:]
        elif kind == 3:
            changed[first:first] = noise
        elif kind == 4:
            del changed[first : first + length]
        elif kind == 5:
            changed[first : first + length] = bytes(len(changed[first : first + length]))
        elif first + length <= second:
            head, tail = data[first : first + length], data[second : second + length]
            changed[second : second + length] = head
            changed[first : first + length] = tail
        if bytes(changed) != data:
            return bytes(changed)


def damage_and_ask(data: bytes, suffix: str, count: int, random: np.random.Generator) -> Counter[str]:
    """Damage a model `count` times; return how often which outcome came.

    Outcomes: "refused", one line and exit 1; "answered"; all else is a fault, and the file is kept and named.
    """
    outcomes = Counter[str]()
    for start in range(0, count, _BATCH):
        with tempfile.TemporaryDirectory(prefix="tinysight-") as folder:
            photo = Path(folder, "photo.png")
            cv2.imwrite(str(photo), np.full((20, 20, 3), 100, np.uint8))
            paths = [Path(folder, f"{number}{suffix}") for number in range(start, min(start + _BATCH, count))]
            for path in paths:
                path.write_bytes(mutate(data, random))
            for path, outcome in ask(paths, photo).items():
                outcomes[outcome] += 1
                if outcome not in ("refused", "answered"):
                    kept = Path(tempfile.gettempdir(), f"tinysight-mutant-{os.getpid()}-{path.name}")
                    kept.write_bytes(path.read_bytes())
                    print(f"{kept}: {outcome}", file=sys.stderr)
    return outcomes


def ask(paths: Sequence[Path], photo: Path) -> dict[Path, str]:
    """Run the camera command on each file in a process that may die; another one goes on where it did."""
    outcomes: dict[Path, str] = {}
    while len(outcomes) < len(paths):
        rest = paths[len(outcomes) :]
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(photo), *map(str, rest)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what the runtimes tell; our own line is looked at in there
            check=False,
        )
        lines = done.stdout.decode().splitlines()
        outcomes |= {Path(path): outcome for path, outcome in map(json.loads, lines)}
        if len(lines) < len(rest):
            outcomes[rest[len(lines)]] = f"died, {done.returncode}"
    return outcomes


def judge(path: Path, photo: Path) -> str:
    """Return the outcome of the camera command on one model file, in this process."""
    from edge.camera_classify import main as classify

    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            code = classify(["--model", str(path), "--source", str(photo)])
    except Exception as error:
        return f"raised {type(error).__name__}"
    if code == 0:
        return "answered"
    errors = [line for line in told.getvalue().splitlines() if re.match("error: ", line)]
    return "refused" if code == 1 and len(errors) == 1 else f"left with {code} and {len(errors)} lines"


def make_models() -> list[tuple[str, bytes]]:
    """Convert a tiny network; return suffix and bytes of its sealed and its bare files."""
    import tf_keras as keras

    from convert import one_file, to_onnx, to_tflite

    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    tflite, onnx = to_tflite.to_float32(model), to_onnx.to_float32(model)
    sealed = one_file.embed_in_tflite(tflite, METADATA), one_file.embed_in_onnx(onnx, METADATA)
    return [(".tflite", sealed[0]), (".onnx", sealed[1]), (".tflite", tflite), (".onnx", onnx)]


if __name__ == "__main__":
    sys.exit(main())
