"""Reads from a .tflite's standard metadata how its float pixels are normalised: (pixel - mean) / deviation.

Both are flatbuffers: numbers and offsets at places that a table at their beginning names. What is read here is eight
fields, not worth a package on the device. The field numbers are those of TensorFlow's schema.fbs and of MediaPipe's
metadata_schema.fbs.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edge.errors import UserError

_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_SUBGRAPHS, _INPUTS, _PROCESS_UNITS = 3, 2, 4  # of ModelMetadata, SubGraphMetadata, TensorMetadata
_NORMALIZATION = 1  # of the union ProcessUnitOptions
_MOST = 1 << 16  # entries of a list that are looked at; a hostile file claims billions


def read_input_range(path: Path, data: bytes) -> tuple[float, float] | None:
    """Return what pixels of 0 and of 255 become; None where the file's metadata doesn't say it.

    Args:
        path: The model file, for messages.
        data: Its bytes.

    Raises:
        UserError: If each channel is normalised in its own way, which isn't done here.
    """
    try:
        normalization = find_normalization(data)
    except (struct.error, IndexError):  # no metadata as the standard has it, and the runtime doesn't mind
        return None
    if normalization is None:
        return None
    means, deviations = normalization
    if len({*means}) != 1 or len({*deviations}) != 1 or not deviations[0] > 0:
        raise UserError(
            f"{path} wants each channel normalised in its own way, by {means} and {deviations}, which isn't done here; "
            "put it into the model and convert it again"
        )
    return -means[0] / deviations[0], (255 - means[0]) / deviations[0]


def find_normalization(data: bytes) -> tuple[list[float], list[float]] | None:
    """Return means and deviations of the first input; struct.error or IndexError where the bytes are no flatbuffer."""
    model = _follow(data, 0)
    buffers = _list(data, _field(data, model, _MODEL_BUFFERS))
    for entry in _list(data, _field(data, model, _MODEL_METADATA)):
        name = _field(data, entry, 0)
        if name and _text(data, name) == b"TFLITE_METADATA":
            number = _field(data, entry, 1)
            content = _field(data, buffers[struct.unpack_from("<I", data, number)[0] if number else 0], 0)
            start = _follow(data, content)
            return normalization_of(data[start + 4 : start + 4 + struct.unpack_from("<I", data, start)[0]])
    return None


def normalization_of(metadata: bytes) -> tuple[list[float], list[float]] | None:
    """Return means and deviations that a metadata flatbuffer names for the first input; None where it names none."""
    table = _follow(metadata, 0)
    for key in (_SUBGRAPHS, _INPUTS):
        tables = _list(metadata, _field(metadata, table, key))
        if not tables:
            return None
        table = tables[0]
    for unit in _list(metadata, _field(metadata, table, _PROCESS_UNITS)):
        kind, options = _field(metadata, unit, 0), _field(metadata, unit, 1)
        if kind and options and metadata[kind] == _NORMALIZATION:
            values = _follow(metadata, options)
            means, deviations = (_floats(metadata, _field(metadata, values, key)) for key in (0, 1))
            return (means, deviations) if means and deviations else None
    return None


def _follow(data: bytes, position: int) -> int:
    """Return where the offset at a position leads to."""
    target: int = position + struct.unpack_from("<I", data, position)[0]
    return target


def _field(data: bytes, table: int, number: int) -> int:
    """Return the position of a table's field; 0 where the field isn't there."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    if fields < 0:
        raise IndexError(fields)
    if 4 + 2 * number >= struct.unpack_from("<H", data, fields)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, fields + 4 + 2 * number)[0]
    return table + offset if offset else 0


def _list(data: bytes, field: int) -> list[int]:
    """Return the positions of the tables that a field lists; none where the field isn't there."""
    if not field:
        return []
    start = _follow(data, field)
    count = min(_MOST, struct.unpack_from("<I", data, start)[0])
    return [_follow(data, start + 4 + 4 * number) for number in range(count)]


def _floats(data: bytes, field: int) -> list[float]:
    """Return a field's numbers; none where the field isn't there."""
    if not field:
        return []
    start = _follow(data, field)
    count = min(_MOST, struct.unpack_from("<I", data, start)[0])
    return list(struct.unpack_from(f"<{count}f", data, start + 4))


def _text(data: bytes, field: int) -> bytes:
    """Return a field's text."""
    start = _follow(data, field)
    return data[start + 4 : start + 4 + struct.unpack_from("<I", data, start)[0]]
