"""Walks through the fields of a protobuf message by hand: a .onnx is one, and a device has no package to read it with.

Nothing is copied: a field is a number and a piece of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; groups (3, 4) are not in proto3


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield each field's number and content, in the file's order.

    Args:
        message: A message's bytes.

    Returns:
        Number, and the content without its key and length: for a text, a message or a packed list its bytes, for a
        number the bytes that encode it.

    Raises:
        ValueError: If the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        start = at
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            length, start = _varint(message, at)
            at = start + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no wire type {kind}")
        if at > len(message) or key >> 3 == 0:
            raise ValueError("a field is cut short or has no number")
        yield key >> 3, message[start:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of base 128, its lowest digits first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is cut short or too long")
