"""Reads idx files, the format of MNIST and its kin: a gzipped array of bytes behind a header of its shape."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import UserError

_BYTES = 0x08  # the header's code for unsigned bytes
_MOST_BYTES = 1 << 30


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read a gzipped idx file of unsigned bytes, and never more of it than its header announces.

    Args:
        path: The file.
        dimensions: How many it must have: 1 for labels, 3 for images.

    Raises:
        UserError: If it can't be read, or isn't such a file.
    """
    try:
        with gzip.open(path) as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, _BYTES, dimensions)):
                raise ValueError(f"its header isn't that of bytes in {dimensions} dimensions")
            shape = np.frombuffer(header, ">u4", offset=4).tolist()
            size = math.prod(shape)
            if size > _MOST_BYTES:
                raise ValueError(f"it announces {size:,} bytes, more than {_MOST_BYTES:,}")
            data = file.read(size + 1)
    except OSError as error:
        raise UserError(f"Expected an idx file at {path}, could not read it: {error.strerror or error}") from error
    except (ValueError, EOFError, zlib.error) as error:
        raise UserError(f"Expected an idx file at {path}, got another: {error}; install it again") from error
    if len(data) != size:
        raise UserError(f"Expected {size:,} bytes in {path}, as it announces, got {'more' if data[size:] else 'fewer'}")
    return np.frombuffer(data, np.uint8).reshape(shape)
