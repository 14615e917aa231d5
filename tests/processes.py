"""Reads what the kernel counts about a process: its memory, its threads, its descriptors, what it wrote to disks."""

from __future__ import annotations

from pathlib import Path


def read_rss_mb(process: int | str = "self") -> float:
    """Return the memory that a process has in use, in MB."""
    return _read_kb(process, "VmRSS:") / 1000


def count_threads(process: int | str = "self") -> int:
    """Return how many threads a process has."""
    return sum(1 for _ in Path(f"/proc/{process}/task").iterdir())


def count_descriptors(process: int | str = "self") -> int:
    """Return how many files, sockets and pipes a process has open."""
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def read_written_bytes(process: int | str = "self") -> int:
    """Return how many bytes a process has caused to be written to disks."""
    lines = Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def _read_kb(process: int | str, key: str) -> float:
    """Read one of the sizes in a process's status, in units of 1,000 bytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1.024
