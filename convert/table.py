"""What a conversion prints in the end: a table of the files, and in words what is worse than float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from convert.pipeline import Conversion
    from convert.record import Converted

_WIDTH = 96  # what the table needs: where a terminal or a pipe claims to be narrower, figures would be cut off


def print_conversion(conversion: Conversion, num_threads: int) -> None:
    """Print what each file weighs and does."""
    files, source = conversion.files, conversion.source
    console = Console()
    console.width = max(console.width, _WIDTH)
    knows_truth = files[0].verdict.drop_interval is not None
    threads = "one thread" if num_threads == 1 else f"{num_threads} threads"
    lost = "lost: points, with 95 %" if knows_truth else "differs: largest difference of a score"
    photos = f"{files[0].verdict.n} {source.reported.replace('_', ' ')} photos"
    table = Table(
        title=escape(f"{source.folder.name}: {photos} through each file on the device's own runtime"),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title_justify="left",
    )
    table.add_column("file", no_wrap=True)
    columns = ("accuracy", "agrees", "lost") if knows_truth else ("agrees", "differs")
    for column in ("size", "", *columns, "latency"):
        table.add_column(column, justify="right", no_wrap=True)
    sizes = {file.path: file.size_bytes for file in files}
    for file in files:
        table.add_row(
            file.path.name,
            _size(file.size_bytes),
            f"x {file.size_bytes / sizes[file.path.with_stem('model_float32')]:.2f}",
            *_answers(file),
            f"x {file.latency_ratio:.2f}",
        )
    console.print(table)
    console.print(f"agrees: same answer as Keras, photo by photo; {lost}", highlight=False)
    console.print(f"x: size and latency on {threads} over the float32 file of the same format\n", highlight=False)
    for note in source.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
    for file in files:
        for warning in file.warnings:
            console.print(f"warning: {file.path.name} {warning}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"Written to {source.folder}", soft_wrap=True, highlight=False, markup=False)


def _answers(file: Converted) -> list[str]:
    """Return the cells on a file's answers."""
    verdict = file.verdict
    agrees = f"{100 * verdict.agreement:.1f} %"
    if verdict.accuracy is None or verdict.drop_interval is None:
        return [agrees, f"{verdict.largest_difference:.1g}"]
    low, high = verdict.drop_interval
    return [f"{100 * verdict.accuracy:.1f} %", agrees, f"{verdict.drop_points:.1f} ± {(high - low) / 2:.1f}"]


def _size(size_bytes: int) -> str:
    """Return a size in the unit that shows three figures of it."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
