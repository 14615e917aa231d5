"""compare.html: the comparison as one page that needs nothing but itself, light or dark as its reader wants it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from benchmarks.choice import Choice, Limits, describe_limits, figures, name, points_lost
from benchmarks.compare_table import DASH, Column, noise_note, title
from benchmarks.pareto_plot import draw_plane, to_data_uri


def render_page(
    choices: Sequence[Choice], columns: Sequence[Column], limits: Limits, machine: str | None, created: str
) -> str:
    """Return the page.

    Args:
        choices: One a data set.
        columns: Of the tables.
        limits: Those that the choices were made under.
        machine: What the times were measured on; None where nobody measured any.
        created: When, for the foot of the page.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    drawn = [draw_plane(choice, limits) for choice in choices]
    return pages.get_template("compare.html").render(
        choices=choices,
        pictures=[to_data_uri(figure) if figure else None for figure in drawn],
        columns=columns,
        limits=describe_limits(limits),
        machine=machine,
        created=created,
        dash=DASH,
        name=name,
        figures=figures,
        title=title,
        noise_note=noise_note(choices),
        points_lost=points_lost,
    )
