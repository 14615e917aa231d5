"""Draws a data set on one sheet: what is wrong, marked, and examples of each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from edge import preprocess
from edge.errors import UserError
from train.examine import Examined
from train.intake import copies
from train.preflight import Preflight

_COLUMNS = 10
_TILE = 128
_GAP = 12
_MARGIN = 32
_WIDTH = 2 * _MARGIN + _COLUMNS * (_TILE + _GAP) - _GAP
_TITLE = 52  # height of the sheet's title
_HEAD = 40  # of a section's
_LINE = 15  # of a caption's line
_LINES = 3
_MOST_ROWS = 2
_MOST_CLASSES = 200  # rows of a JPEG end at 65,535 pixels
_FEW_CLASSES = 4  # up to here each class gets all its rows

_INK, _GREY, _RED, _AMBER, _PAPER, _MOUNT = "#1c2530", "#66707c", "#c0262d", "#b87400", "#ffffff", "#e9ecef"


class _Tile(NamedTuple):
    """A photo on the sheet, None where it can't be shown, and what stands below it."""

    path: Path | None
    caption: Sequence[str] = ()


@dataclass(frozen=True)
class _Section:
    """Photos under a title.

    Attributes:
        title: What they have in common.
        about: How many there are.
        tiles: At most as many as fit into the rows.
        colour: Of the title and of frames.
        pairs: Whether each two of them belong together.
        lines: Lines of a caption.
    """

    title: str
    about: str
    tiles: Sequence[_Tile]
    colour: str = _INK
    pairs: bool = False
    lines: int = 0

    @property
    def row_height(self) -> int:
        """Height of a row with its captions."""
        return _TILE + _LINE * self.lines + _GAP

    @property
    def height(self) -> int:
        """Height of the whole section."""
        return _HEAD + self.row_height * -(-len(self.tiles) // _COLUMNS) + _GAP


def draw_contact_sheet(preflight: Preflight, path: Path) -> None:
    """Draw a data set on one sheet: trouble first, then the classes.

    Args:
        preflight: The data set after it was looked at.
        path: A .jpg or .png to write.

    Raises:
        UserError: If it can't be written.
    """
    manifest = preflight.manifest
    sections = [*_troubles(preflight), *_classes(preflight)]
    sheet = Image.new("RGB", (_WIDTH, _MARGIN + _TITLE + sum(section.height for section in sections) + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    title = f"{manifest.name}: {len(manifest.files):,} photos in {len(manifest.labels)} classes"
    pen.text((_MARGIN, _MARGIN), _fitting(title, _font(26), _WIDTH - 2 * _MARGIN), _INK, _font(26))
    top = _MARGIN + _TITLE
    for section in sections:
        _draw_section(sheet, pen, section, top)
        top += section.height
    try:
        sheet.save(path, quality=88)
    except OSError as error:
        raise UserError(f"Expected to write the contact sheet to {path}: {error.strerror or error}") from error


def _troubles(preflight: Preflight) -> Iterator[_Section]:
    """Yield a section for each kind of trouble that there is."""
    intake, near = preflight.intake, preflight.near
    splits = {file.path: file.split for file in preflight.manifest.files}
    leaks = [(leak.copy, leak.kept) for leak in intake.leaks]
    told = {photo.content for group in (*leaks, *intake.conflicts) for photo in group}
    equal = [group for group in copies(intake.photos) if group[0].content not in told]
    unusable = [*intake.source.unreadable, *(photo for photo in intake.photos if photo.reason)]

    def pairs(title: str, about: str, groups: Sequence[Sequence[Examined]], colour: str) -> Iterator[_Section]:
        """Yield a section of the first two of each group."""
        photos = [photo for group in groups[: _MOST_ROWS * _COLUMNS // 2] for photo in group[:2]]
        if photos:
            tiles = [
                _Tile(intake.source.root / each.candidate.path, (each.path, each.label, _split(each, splits)))
                for each in photos
            ]
            yield _Section(title, about, tiles, colour, True, _LINES)

    yield from pairs("In two splits", f"pairs of equal photos: {len(leaks):,}", leaks, _RED)
    yield from pairs("Under two classes", f"equal photos, left out: {len(intake.conflicts):,}", intake.conflicts, _RED)
    if unusable:
        tiles = [_Tile(None, (each.path, *_wrapped(each.reason))) for each in unusable[: _MOST_ROWS * _COLUMNS]]
        yield _Section("Can't be used", f"files, left as they are: {len(unusable):,}", tiles, _RED, False, _LINES)
    yield from pairs("Equal photos in one class", f"photos that have copies: {len(equal):,}", equal, _AMBER)
    alike = f"pairs: {near.pairs:,}, {near.across_splits:,} across splits, {near.across_classes:,} across classes"
    yield from pairs("Look alike", alike, [pair.photos for pair in near.listed], _AMBER)


def _split(photo: Examined, splits: dict[str, str]) -> str:
    """Return the split that a photo is in, or, where it is left out, the one that it came in."""
    return splits.get(photo.path, photo.candidate.split or "left out")


def _classes(preflight: Preflight) -> Iterator[_Section]:
    """Yield examples of each class, evenly over its photos."""
    manifest, counts = preflight.manifest, preflight.manifest.counts()
    most = _COLUMNS * (_MOST_ROWS if len(manifest.labels) <= _FEW_CLASSES else 1)
    by_label: dict[str, list[str]] = {label: [] for label in manifest.labels}
    for file in manifest.files:
        by_label[file.label].append(file.path)
    for label in manifest.labels[:_MOST_CLASSES]:
        paths = by_label[label]
        shown = min(most, len(paths))
        tiles = [_Tile(manifest.root / paths[number * len(paths) // shown]) for number in range(shown)]
        parts = ", ".join(f"{split} {by[label]:,}" for split, by in counts.items())
        yield _Section(label, f"{len(paths):,} photos: {parts}", tiles)
    if len(manifest.labels) > _MOST_CLASSES:
        yield _Section(f"... and {len(manifest.labels) - _MOST_CLASSES:,} more classes", "", ())


def _draw_section(sheet: Image.Image, pen: ImageDraw.ImageDraw, section: _Section, top: int) -> None:
    """Draw a section's title and its photos from `top` on."""
    font = _font(18)
    title = _fitting(section.title, font, _WIDTH // 2)
    pen.text((_MARGIN, top + 8), title, section.colour, font)
    shown = len(section.tiles) // (2 if section.pairs else 1)
    left = _MARGIN + font.getlength(title) + 14
    pen.text((left, top + 12), f"{section.about}" + (f"; {shown} shown" if section.lines else ""), _GREY, _font(14))
    for number, tile in enumerate(section.tiles):
        row, column = divmod(number, _COLUMNS)
        x, y = _MARGIN + column * (_TILE + _GAP), top + _HEAD + row * section.row_height
        _draw_tile(sheet, pen, tile, x, y)
        for line, text in enumerate(tile.caption[: section.lines]):
            colour = _INK if line == 0 else _GREY
            pen.text((x, y + _TILE + 2 + line * _LINE), _fitting(text, _font(11), _TILE, line == 0), colour, _font(11))
        if section.pairs and number % 2 == 0:
            frame = (x - 4, y - 4, x + 2 * _TILE + _GAP + 4, y + _TILE + 3)
            pen.rectangle(frame, outline=section.colour, width=3)


def _draw_tile(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: _Tile, x: int, y: int) -> None:
    """Draw a photo in its mount, by the same road as the model's pixels; a cross where there is none."""
    pen.rectangle((x, y, x + _TILE - 1, y + _TILE - 1), fill=_MOUNT)
    try:
        frame = preprocess.read_frame(tile.path) if tile.path else None
    except UserError:  # it was whole a moment ago
        frame = None
    if frame is None:
        pen.line((x + 40, y + 40, x + _TILE - 41, y + _TILE - 41), fill=_RED, width=6)
        pen.line((x + 40, y + _TILE - 41, x + _TILE - 41, y + 40), fill=_RED, width=6)
        return
    height, width = frame.shape[:2]
    scale = _TILE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    photo = Image.fromarray(preprocess.to_image(frame, size))
    sheet.paste(photo, (x + (_TILE - photo.width) // 2, y + (_TILE - photo.height) // 2))


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib brings: it has more alphabets than Pillow's."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int, end: bool = False) -> str:
    """Return a text as wide as there is room; what is cut is its end, or its beginning where the `end` says more."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[1:] if end else text[:-1]
    return "…" + text if end else text + "…"


def _wrapped(text: str) -> list[str]:
    """Divide a reason into lines that about fit below a tile."""
    import textwrap

    return textwrap.wrap(text.removeprefix("does not decode: "), 20)
