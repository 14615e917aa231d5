"""A bar on stderr while a benchmark works; nothing where rich is missing or nobody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from edge.answers import printable


@contextlib.contextmanager
def counting(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar while the block runs; it gives what to call after each of `total` things."""
    try:
        if not sys.stderr.isatty():
            raise ModuleNotFoundError
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ModuleNotFoundError:
        yield lambda: None
        return
    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)


def tell(line: str) -> None:
    """Say something on stderr, beside the figures."""
    print(printable(line), file=sys.stderr, flush=True)
