"""Tells a model file of ours that is damaged or cut from a whole one, before any runtime sees its bytes.

A sealed file ends in the SHA-256, as 64 hexadecimal digits, of all bytes before them. In a .tflite they end the comment
of the zip archive that TFLite Metadata appends, in a .onnx they are the value of a last entry of `metadata_props`.
Runtimes load a file that lost such an end, so a marker in the part that they can't do without says that it must follow.
`convert.one_file` writes both.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge.errors import UserError

MARKER = b"tinysight: a SHA-256 ends this file"
END = b"tinysight-sha256"
# What stands before the digits: in a zip comment, and in an ONNX entry (protobuf for "field 2, 64 bytes").
TFLITE_END, ONNX_END = END + b": ", END + b"\x12\x40"
DIGITS = 64


def digest(body: bytes | memoryview) -> bytes:
    """Return what a sealed file ends in, 64 hexadecimal digits, given all bytes before it."""
    return hashlib.sha256(body).hexdigest().encode()


def check_whole(path: Path, data: bytes) -> None:
    """Refuse a sealed file that is no longer as it was sealed; one without marker and end is foreign and passes.

    Both are looked for in the whole file, not only where they belong: one whose parts were moved is not foreign.

    Raises:
        UserError: If there is a marker or an end, but not both in their places, or the hash is of other bytes.
    """
    if MARKER not in data and END not in data:
        return
    ends = data[-DIGITS - len(TFLITE_END) : -DIGITS] in (TFLITE_END, ONNX_END)
    if not (ends and MARKER in data and digest(memoryview(data)[:-DIGITS]) == data[-DIGITS:]):
        raise UserError(f"{path} is damaged or cut: it does not end in the SHA-256 of what it holds; copy it again")
