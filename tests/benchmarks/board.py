"""What the tests share that play a board: its small system files."""

from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Write a file of /sys or /proc, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return path
