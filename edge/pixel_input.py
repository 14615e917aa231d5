"""How an RGB image becomes a model's input tensor: written in place, whatever the maker of the file chose.

Files of ours take raw pixels. Files of others are taken so:

- uint8: raw pixels, 0-255; so is every model of that kind that is known.
- int8: pixel - 128, which is what its scale and zero point make of raw pixels, of 0 to 1 and of -1 to 1 alike.
- float: raw pixels, unless the file's TFLite Metadata or the user says into which range 0-255 is to be mapped.
- (1, 3, height, width), as PyTorch exports it, is told from (1, height, width, 3) by where the 3 stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import UserError

RAW = 0.0, 255.0
_MOST_PIXELS = 1 << 24  # 4096x4096; classifiers take a hundredth, a hostile file claims all memory
_FLOATS = np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.float64)


@dataclass(frozen=True)
class PixelInput:
    """A model's input.

    Attributes:
        image_size: (height, width) of the image that it takes.
        dtype: Type of the tensor.
        channels_first: Whether the tensor is (3, height, width).
        input_range: What pixels of 0 and of 255 become in a float tensor; (0, 255) leaves them as they are.
    """

    image_size: tuple[int, int]
    dtype: np.dtype[Any]
    channels_first: bool = False
    input_range: tuple[float, float] = RAW

    @property
    def is_image(self) -> bool:
        """Whether the tensor is an image itself, (height, width, 3) uint8."""
        return self.dtype == np.uint8 and not self.channels_first

    def write(self, image: npt.NDArray[np.uint8], tensor: npt.NDArray[Any]) -> None:
        """Write an image (height, width, 3) uint8 into the tensor of one image; allocates nothing.

        Args:
            image: RGB, of `image_size`.
            tensor: The view to write into, without the batch's axis.
        """
        target = tensor.transpose(1, 2, 0) if self.channels_first else tensor
        if self.dtype == np.int8:
            np.bitwise_xor(image, np.uint8(128), out=target.view(np.uint8))  # pixel - 128, in two's complement
            return
        np.copyto(target, image, casting="unsafe")
        low, high = self.input_range
        if (low, high) != RAW:
            target *= (high - low) / 255
            target += low


def describe_input(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], input_range: tuple[float, float] | None = None
) -> PixelInput:
    """Tell how a model takes an image.

    Args:
        path: The model file, for messages.
        shape: Of its input tensor.
        dtype: Of its input tensor.
        input_range: What pixels of 0 and of 255 become; None for raw pixels.

    Raises:
        UserError: If it takes anything but one RGB image.
    """
    channels_first = len(shape) == 4 and shape[1] == 3 and shape[3] != 3
    size = shape[2:] if channels_first else shape[1:3]
    if len(shape) != 4 or shape[0] != 1 or (not channels_first and shape[3] != 3) or min(shape) < 1:
        raise UserError(f"Expected a model that takes one RGB image, (1, height, width, 3); {path} takes {shape}")
    if dtype not in (np.uint8, np.int8, *_FLOATS):
        raise UserError(f"Expected a model that takes uint8, int8 or float pixels, {path} takes {dtype.name}")
    if size[0] * size[1] > _MOST_PIXELS:
        raise UserError(f"Expected a model that takes at most {_MOST_PIXELS:,} pixels, {path} takes {shape}")
    if input_range is not None and dtype not in _FLOATS:
        raise UserError(f"--input-range is for models that take floats, {path} takes {dtype.name}; leave it out")
    return PixelInput((size[0], size[1]), dtype, channels_first, input_range or RAW)


def describe_assumption(path: Path, pixels: PixelInput) -> str:
    """Return what is assumed about the input of a file that doesn't say it, in one line."""
    order = ", channels first" if pixels.channels_first else ""
    if pixels.dtype == np.uint8:
        return f"{path} is of another maker; taken to want RGB pixels of 0 to 255{order}"
    if pixels.dtype == np.int8:
        return f"{path} is of another maker; taken to want RGB pixels less 128{order}"
    low, high = pixels.input_range
    hint = "" if pixels.input_range != RAW else " (--input-range 0 1, or -1 1, if it was trained so)"
    return f"{path} is of another maker; taken to want RGB of {low:g} to {high:g}{order}{hint}"
