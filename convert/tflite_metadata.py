"""Writes TFLite Metadata, which tells MediaPipe Tasks, Android Studio and others how to use a .tflite.

No package writes it today. It is a flatbuffer of its own (identifier M001) in the model's `metadata` list, under the
name TFLITE_METADATA; the files that it names lie behind the model in a zip archive. The numbers below are places of
fields in the tables of MediaPipe's public metadata_schema.fbs, version 1.5.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
SCORE_CALIBRATION = "score_calibration.csv"

_OLDEST_PARSER = b"1.0.0"  # all that is used here was in the schema's first version
_RGB = 1
_IMAGE_PROPERTIES = 2  # of the union ContentProperties
_NORMALIZATION, _CALIBRATION = 1, 2  # of the union ProcessUnitOptions
_AXIS_LABELS, _AXIS_CALIBRATION = 2, 4  # of AssociatedFileType
_INVERSE_LOGISTIC = 2  # of ScoreTransformationType

_Write = Callable[[flatbuffers.Builder], int]  # writes a value, returns its offset
_Field = _Write | tuple[str, int]  # a reference, or a number and how it is stored


def model_metadata(metadata: dict[str, Any], *, float_input: bool) -> bytes:
    """Return the flatbuffer that describes an image classifier.

    Args:
        metadata: The file's metadata.json; "labels" and "image_size" are needed.
        float_input: Whether the input is float32; such a one takes raw pixels too, said as mean 0 and deviation 1.
    """
    height, width = metadata["image_size"]
    dataset, provenance = metadata.get("dataset", {}), metadata.get("provenance", {})
    scheme, name = metadata.get("scheme", ""), dataset.get("name", "")
    image = _table(
        {
            0: _text("image"),
            1: _text(f"An RGB photo, squashed to {width}x{height}; raw pixels, 0 to 255."),
            3: _table({0: ("Uint8", _IMAGE_PROPERTIES), 1: _image_properties(width, height)}),
            4: _tables([_unit(_NORMALIZATION, {0: _floats([0]), 1: _floats([1])})] if float_input else []),
            5: _table({0: _floats([255]), 1: _floats([0])}),
        }
    )
    calibrated = score_calibration(metadata) is not None
    files = [_file(LABELS, "The classes, in the order of the output.", _AXIS_LABELS)]
    if calibrated:
        files.append(_file(SCORE_CALIBRATION, "Scale, slope and offset a class.", _AXIS_CALIBRATION))
    scores = _table(
        {
            0: _text("scores"),
            1: _text("The probability of each class."),
            4: _tables([_unit(_CALIBRATION, {0: ("Int8", _INVERSE_LOGISTIC)})] if calibrated else []),
            5: _table({0: _floats([1]), 1: _floats([0])}),
            6: _tables(files),
        }
    )
    root = _table(
        {
            0: _text(f"{name} classifier".strip()),
            1: _text(f"Tells {len(metadata['labels'])} classes of images apart. {scheme}".strip()),
            2: _text(provenance.get("run", "")),
            3: _tables([_table({2: _tables([image]), 3: _tables([scores])})]),
            4: _text(f"tinysight {provenance.get('tinysight', '')}".strip()),
            5: _text(f"Trained on photos under: {dataset['licence']}" if dataset.get("licence") else ""),
            7: _text(_OLDEST_PARSER.decode()),
        }
    )
    builder = flatbuffers.Builder()
    builder.Finish(root(builder), b"M001")
    return bytes(builder.Output())


def score_calibration(metadata: dict[str, Any]) -> str | None:
    """Return the standard's score calibration file, a line a class; None where the standard can't say what we do.

    The standard's calibration looks at each class alone: scale / (1 + exp(-(slope * logit(score) + offset))). A
    temperature looks at all classes together, so the two are the same for two classes only: there
    p^(1/T) / (p^(1/T) + (1 - p)^(1/T)) is the logistic function of logit(p) / T.
    """
    temperature = metadata.get("temperature")
    if len(metadata["labels"]) != 2 or temperature is None:
        return None
    line = f"1,{1 / temperature:.9g},0"
    return f"{line}\n{line}"  # MediaPipe would count an empty line behind a last line's end as a third class


def _image_properties(width: int, height: int) -> _Write:
    """Return a writer of ImageProperties: RGB, and the size that the model takes."""
    return _table({0: ("Int8", _RGB), 1: _table({0: ("Uint32", width), 1: ("Uint32", height)})})


def _unit(kind: int, options: dict[int, _Field]) -> _Write:
    """Return a writer of a ProcessUnit."""
    return _table({0: ("Uint8", kind), 1: _table(options)})


def _file(name: str, description: str, kind: int) -> _Write:
    """Return a writer of an AssociatedFile."""
    return _table({0: _text(name), 1: _text(description), 2: ("Int8", kind)})


def _table(fields: dict[int, _Field]) -> _Write:
    """Return a writer of a table."""

    def write(builder: flatbuffers.Builder) -> int:
        # A table's strings, lists and tables have to be written before it.
        offsets = {place: field(builder) for place, field in fields.items() if callable(field)}
        builder.StartObject(max(fields) + 1)
        for place, field in fields.items():
            if callable(field):
                builder.PrependUOffsetTRelativeSlot(place, offsets[place], 0)
            else:
                getattr(builder, f"Prepend{field[0]}Slot")(place, field[1], 0)
        return int(builder.EndObject())

    return write


def _tables(tables: Sequence[_Write]) -> _Write:
    """Return a writer of a list of tables."""

    def write(builder: flatbuffers.Builder) -> int:
        offsets = [table(builder) for table in tables]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    return write


def _floats(numbers: Sequence[float]) -> _Write:
    """Return a writer of a list of float32."""

    def write(builder: flatbuffers.Builder) -> int:
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependFloat32(number)
        return int(builder.EndVector())

    return write


def _text(text: str) -> _Write:
    """Return a writer of a text."""
    return lambda builder: int(builder.CreateString(text))
