"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def stderr_console() -> Console:
    """Return a console on stderr that prints text as it is: nothing in a name is markup."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def silent_console() -> Console:
    """Return a console that prints nothing: of several workers one speaks."""
    return Console(stderr=True, quiet=True)


def progress_bar(console: Console, *columns: TextColumn) -> Progress:
    """Return a bar with extra columns behind it; silent where `console` is no terminal."""
    bar = BarColumn(bar_width=24)
    shown = (TextColumn("{task.description}", markup=False), bar, MofNCompleteColumn(), *columns, TimeRemainingColumn())
    return Progress(*shown, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def counting(console: Console, description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar while the block runs; it gives the function to call after each thing done."""
    with progress_bar(console) as bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)
