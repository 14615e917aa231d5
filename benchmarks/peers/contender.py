"""One who was trained: what came of it, whoever did it; and how the commands of either are run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import UserError


@dataclass(frozen=True)
class Contender:
    """A trained model with its files.

    Attributes:
        name: Of the toolkit, with its version.
        model: Of the architecture.
        data: Name of the photos.
        folder: Where it lies.
        images: Training photos of an epoch.
        epochs: How many there were.
        seconds: What they took.
        parameters: Of the model.
        n: Test photos.
        right: How many of them were answered rightly, by the best weights.
        files: Name of each exported file -> its bytes.
        image_size: Side of the images.
    """

    name: str
    model: str
    data: str
    folder: Path
    images: int
    epochs: int
    seconds: float
    parameters: int
    n: int
    right: int
    files: Mapping[str, int]
    image_size: int

    def to_row(self) -> dict[str, Any]:
        """Return its row, as a results file holds it."""
        from scipy.stats import binomtest

        interval = binomtest(self.right, self.n).proportion_ci(method="wilson")
        return {
            "run": self.data,
            "model": self.model,
            "runtime": self.name,
            "num_threads": None,
            "image_size": self.image_size,
            "images_per_s": round(self.images * self.epochs / self.seconds, 1),
            "epochs": self.epochs,
            "train_s": round(self.seconds, 1),
            "parameters": self.parameters,
            "n": self.n,
            "accuracy": round(self.right / self.n, 4),
            "accuracy_interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
            "files": dict(self.files),
        }


def run_command(line: Sequence[str], environment: Mapping[str, str], log: Path) -> str:
    """Run a command, its words into a file; say on stderr which.

    Returns:
        What it said on stdout and stderr.

    Raises:
        UserError: If it fails.
    """
    print(f"$ {' '.join(line)}", file=sys.stderr)
    done = subprocess.run(
        line,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(line)}\n{done.stdout}\n")
    if done.returncode:
        said = [each.strip() for each in done.stdout.split("\n") if each.strip()] or ["nothing said"]
        raise UserError(f"{' '.join(line[:4])} ... failed: {said[-1][:200]}; all that it said is in {log}")
    return done.stdout
