"""Reads tensors from a file in torch's old format (a .pth of before torch 1.6), without torch and without unpickling.

Such a file is five pickles and the raw numbers behind them. A pickle is a program that may call anything, so it isn't
run: its instructions are listed (`pickletools` only parses) and those of a plain dictionary of tensors are followed;
any other instruction, and any other name than the handful below, is refused. No number in the file is believed before
it is held against the file's length.
"""

from __future__ import annotations

import io
import math
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import UserError

Tensors = dict[str, npt.NDArray[Any]]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MOST_BYTES = 1 << 30  # of a file; the largest model here has 100 MB
_MOST_DIMENSIONS = 8

# The names that a file may mention; what they stand for here is made of tuples and dictionaries.
_STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch IntStorage": np.dtype("<i4"),
    "torch LongStorage": np.dtype("<i8"),
}
_DICTIONARY = "collections OrderedDict"
_REBUILD = "torch._utils _rebuild_tensor_v2"

_MARK = object()  # stands on the stack where a tuple, list or dictionary begins


class _RefusedError(Exception):
    """The file isn't what it should be; the text says how."""


@dataclass(frozen=True)
class _Name:
    """A name that the file mentions."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """A run of numbers at the end of the file."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _View:
    """A tensor: how it lies in a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> Tensors:
    """Read a dictionary of tensors, such as a model's `state_dict()`.

    Args:
        path: The file.

    Returns:
        Name -> array, in the file's order; read-only views of the file's bytes, so that no tensor, however often the
        file repeats it, costs memory.

    Raises:
        UserError: If the file can't be read or is anything but such a dictionary.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _RefusedError(f"{path.stat().st_size:,} bytes, more than {_MOST_BYTES:,}")
        return _read(path.read_bytes())
    except OSError as error:
        raise UserError(f"Expected a file of weights at {path}, could not read it: {error.strerror}") from error
    except _RefusedError as error:
        raise UserError(
            f"Expected tensors in torch's old format (.pth) in {path}, got {error}; pass the file as it was published"
        ) from error


def _read(data: bytes) -> Tensors:
    """Read the five pickles, then the storages."""
    if data.startswith(b"PK"):
        raise _RefusedError("torch's newer zip format (write it with _use_new_zipfile_serialization=False)")
    file = io.BytesIO(data)
    if _follow(file) != _MAGIC:
        raise _RefusedError("another kind of file")
    if _follow(file) != _PROTOCOL:
        raise _RefusedError("another version of the format")
    system = _follow(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _RefusedError("numbers that are not little-endian")
    views = _follow(file)
    if not isinstance(views, dict) or not views or not all(isinstance(view, _View) for view in views.values()):
        raise _RefusedError("something else than a dictionary of tensors")
    keys = _follow(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _RefusedError("no list of storages")
    storages = _read_storages(data, file.tell(), keys, {view.storage.key: view.storage for view in views.values()})
    return {name: _cut(view, storages) for name, view in views.items()}


def _read_storages(data: bytes, place: int, keys: list[str], wanted: dict[str, _Storage]) -> Tensors:
    """Return key -> numbers, as views of the file's bytes; each storage is its length (8 bytes) and its numbers."""
    found: Tensors = {}
    for key in keys:
        storage = wanted.get(key)
        if storage is None:
            raise _RefusedError("numbers of no tensor")
        count = int.from_bytes(data[place : place + 8], "little")
        end = place + 8 + count * storage.dtype.itemsize
        if count != storage.count or end > len(data):
            raise _RefusedError("a file that was cut short or changed")
        found[key] = np.frombuffer(data, storage.dtype, count, place + 8)
        place = end
    return found


def _cut(view: _View, storages: Tensors) -> npt.NDArray[Any]:
    """Return a tensor as a view of its storage."""
    numbers = storages.get(view.storage.key)
    if numbers is None:
        raise _RefusedError("a tensor without numbers")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    # A view that repeats numbers could grow to any size, so the elements may not be more than the storage has.
    if last >= len(numbers) or math.prod(view.shape) > len(numbers):
        raise _RefusedError("a tensor that reaches beyond its numbers")
    strides = [stride * numbers.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides, writeable=False)


def _follow(file: io.BytesIO) -> Any:
    """Return what the next pickle describes: numbers, text, tuples, lists, dictionaries by text, names and tensors."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for instruction, argument, _ in pickletools.genops(file):
            match instruction.name:
                case "STOP":
                    break
                case "PROTO":
                    pass
                case "LONG1" | "BININT" | "BININT1" | "BININT2" | "BINUNICODE":
                    stack.append(argument)
                case "NONE" | "NEWTRUE" | "NEWFALSE":
                    stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[instruction.name])
                case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                    stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[instruction.name]())
                case "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case "MARK":
                    stack.append(_MARK)
                case "TUPLE":
                    stack.append(tuple(_since_mark(stack)))
                case "TUPLE1" | "TUPLE2" | "TUPLE3":
                    stack.append(tuple(_take(stack, int(instruction.name[-1]))))
                case "APPEND":
                    _extend(_take(stack, 1), stack)
                case "APPENDS":
                    _extend(_since_mark(stack), stack)
                case "SETITEM":
                    _update(_take(stack, 2), stack)
                case "SETITEMS":
                    _update(_since_mark(stack), stack)
                case "GLOBAL":
                    stack.append(_name(argument))
                case "BINPERSID":
                    stack.append(_storage(*stack.pop()))
                case "REDUCE":
                    stack.append(_call(*_take(stack, 2)))
                case "BUILD":
                    _take(stack, 1)  # version numbers of the layers, which nothing here needs
                case other:
                    raise _RefusedError(f"the instruction {other}, which no dictionary of tensors needs")
        return stack.pop()
    except (ValueError, IndexError, KeyError, TypeError, UnicodeError) as error:
        raise _RefusedError("a broken or foreign file") from error


def _take(stack: list[Any], count: int) -> list[Any]:
    """Take values off the stack; the topmost last."""
    taken = [stack.pop() for _ in range(count)]
    return taken[::-1]


def _since_mark(stack: list[Any]) -> list[Any]:
    """Take everything above the last mark, and the mark, off the stack."""
    taken: list[Any] = []
    while (value := stack.pop()) is not _MARK:
        taken.append(value)
    return taken[::-1]


def _extend(values: list[Any], stack: list[Any]) -> None:
    """Put values into the list on top of the stack."""
    if not isinstance(stack[-1], list):
        raise TypeError("no list")
    stack[-1].extend(values)


def _update(items: list[Any], stack: list[Any]) -> None:
    """Put keys and values, in turn, into the dictionary on top of the stack."""
    keys, values = items[::2], items[1::2]
    if not isinstance(stack[-1], dict) or not all(isinstance(key, str) for key in keys):
        raise TypeError("no dictionary by text")
    stack[-1].update(zip(keys, values, strict=True))


def _name(text: str) -> _Name:
    """Return one of the names that a file may mention."""
    if text not in (*_STORAGES, _DICTIONARY, _REBUILD):
        raise _RefusedError(f"the name {text[:80]!a}, which no dictionary of tensors needs")
    return _Name(text)


def _call(function: Any, arguments: Any) -> Any:
    """Make an empty dictionary or a tensor, the two things that may be called for."""
    if function == _Name(_DICTIONARY) and arguments == ():
        return {}
    if function == _Name(_REBUILD):
        return _view(*arguments)
    raise _RefusedError("a call that no dictionary of tensors needs")


def _storage(kind: Any, name: Any, key: Any, _device: Any, count: Any, _view_of: Any) -> _Storage:
    """Return the storage that a file describes."""
    if kind != "storage" or not isinstance(name, _Name) or not isinstance(key, str) or not _is_size(count):
        raise TypeError("no storage")
    return _Storage(key, _STORAGES[name.text], count)


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_gradient_and_hooks: Any) -> _View:
    """Return the tensor that `torch._utils._rebuild_tensor_v2` would make of these."""
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise TypeError("no tensor")
    sizes = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS or not all(map(_is_size, sizes)) or 0 in shape:
        raise ValueError("no tensor")
    return _View(storage, offset, shape, strides)


def _is_size(value: Any) -> bool:
    """Tell whether a value can be a size of something in a file."""
    return isinstance(value, int) and 0 <= value <= _MOST_BYTES
