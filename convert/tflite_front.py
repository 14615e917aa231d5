"""Puts a block in front of what a .tflite's flatbuffer holds: a marker, and a buffer that the model lists by name.

A flatbuffer's offsets are relative and its references point forward, so a block right behind the 8 bytes of its head
may refer to all that was there, and nothing of that changes: the block holds a new root table, longer lists of buffers
and metadata, and what they have more. Its size is a multiple of 64 bytes, so that weights stay aligned as they were.
(Reading and writing the whole model with generated classes would move every weight, and forget their alignment.)
"""

from __future__ import annotations

import struct

from edge.errors import TinySightError

_HEAD = 8  # the offset of the root table, and the identifier
_BLOCK = 64
# Fields of the table Model, by the public schema; all but the version are offsets.
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
_KNOWN_FIELDS = 10
_BUFFER_ALIGNMENT = 16


def insert_front(model: bytes, marker: bytes, name: str, content: bytes) -> bytes:
    """Return the model with `marker` at byte 8 and `content` as the buffer of a new entry of its metadata.

    Args:
        model: A TFLite flatbuffer; what follows it stays behind it.
        marker: Any bytes.
        name: Of the new entry.
        content: Of the buffer; lies at a multiple of 16 bytes.

    Raises:
        TinySightError: If the bytes are no TFLite model of a schema that is known here.
    """
    try:
        fields = _root_fields(model)
        buffers, metadata = (_references(model, fields.get(field)) for field in (_BUFFERS, _METADATA))
    except struct.error as error:
        raise TinySightError(f"Expected a TFLite flatbuffer, got {len(model):,} bytes that end too early") from error
    version = fields.pop(_VERSION, 0)
    return _write(model, marker, name.encode(), content, version, fields, buffers, metadata)


def _root_fields(model: bytes) -> dict[int, int]:
    """Return the version, and the position that each other field of the root table refers to."""
    if model[4:_HEAD] != b"TFL3":
        raise TinySightError(f"Expected a TFLite flatbuffer, got bytes that begin with {model[:_HEAD]!r}")
    (root,) = struct.unpack_from("<I", model)
    (to_vtable,) = struct.unpack_from("<i", model, root)
    (vtable_size,) = struct.unpack_from("<H", model, root - to_vtable)
    slots = struct.unpack_from(f"<{vtable_size // 2 - 2}H", model, root - to_vtable + 4)
    if len(slots) > _KNOWN_FIELDS:
        raise TinySightError(f"Expected at most {_KNOWN_FIELDS} fields in a TFLite model, got {len(slots)}")
    places = {field: root + slot for field, slot in enumerate(slots) if slot}
    values = {field: struct.unpack_from("<I", model, place)[0] for field, place in places.items()}
    return {field: value if field == _VERSION else places[field] + value for field, value in values.items()}


def _references(model: bytes, position: int | None) -> list[int]:
    """Return the positions that a list of tables refers to; none where there is no list."""
    if position is None:
        return []
    (count,) = struct.unpack_from("<I", model, position)
    offsets = struct.unpack_from(f"<{count}I", model, position + 4)
    return [position + 4 + 4 * number + offset for number, offset in enumerate(offsets)]


def _write(
    model: bytes,
    marker: bytes,
    name: bytes,
    content: bytes,
    version: int,
    fields: dict[int, int],
    buffers: list[int],
    metadata: list[int],
) -> bytes:
    """Lay the block out and write it; positions in `fields`, `buffers` and `metadata` are those in `model`."""
    # Tables are preceded by the vtable that says where in them each field lies; all is aligned to 4 bytes.
    root_vtable = _align(_HEAD + len(marker))
    root = _align(root_vtable + 4 + 2 * _KNOWN_FIELDS)
    buffer_list = root + 4 + 4 * _KNOWN_FIELDS
    metadata_list = buffer_list + 4 + 4 * (len(buffers) + 1)
    entry_vtable = metadata_list + 4 + 4 * (len(metadata) + 1)
    entry = entry_vtable + 8
    buffer_vtable = entry + 12
    buffer = buffer_vtable + 8
    text = buffer + 8
    data = _align(text + 4 + len(name) + 1 + 4, _BUFFER_ALIGNMENT) - 4
    shift = _align(data + 4 + len(content) - _HEAD, _BLOCK)
    front = bytearray(_HEAD + shift)

    def put(position: int, form: str, *values: int) -> None:
        struct.pack_into(f"<{form}", front, position, *values)

    def put_list(position: int, old: list[int], new: int) -> None:
        put(position, "I", len(old) + 1)
        for number, target in enumerate([*(each + shift for each in old), new]):
            place = position + 4 + 4 * number
            put(place, "I", target - place)

    put(0, "I4s", root, b"TFL3")  # type: ignore[arg-type]
    front[_HEAD : _HEAD + len(marker)] = marker
    targets = {field: target + shift for field, target in fields.items()}
    targets |= {_BUFFERS: buffer_list, _METADATA: metadata_list}
    put(root_vtable, "HH", 4 + 2 * _KNOWN_FIELDS, 4 + 4 * _KNOWN_FIELDS)
    put(root, "i", root - root_vtable)
    for field, target in {_VERSION: 0, **targets}.items():
        place = root + 4 + 4 * field
        put(root_vtable + 4 + 2 * field, "H", place - root)
        put(place, "I", version if field == _VERSION else target - place)
    put_list(buffer_list, buffers, buffer)
    put_list(metadata_list, metadata, entry)
    put(entry_vtable, "HHHH", 8, 12, 4, 8)
    put(entry, "iII", entry - entry_vtable, text - (entry + 4), len(buffers))
    put(buffer_vtable, "HHH", 6, 8, 4)
    put(buffer, "iI", buffer - buffer_vtable, data - (buffer + 4))
    put(text, "I", len(name))
    front[text + 4 : text + 4 + len(name)] = name
    put(data, "I", len(content))
    front[data + 4 : data + 4 + len(content)] = content
    return bytes(front) + model[_HEAD:]


def _align(position: int, to: int = 4) -> int:
    """Return the next multiple of `to`."""
    return -(-position // to) * to
