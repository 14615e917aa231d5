import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert import tflite_metadata
from edge import normalization
from edge.errors import UserError

PATH = Path("m.tflite")
METADATA = {"labels": ["a", "b"], "image_size": [4, 8]}


def written(monkeypatch, means, deviations):
    """Return metadata as flatbuffers' own builder writes it, with other numbers than ours."""
    real, numbers = tflite_metadata._floats, {(0,): means, (1,): deviations}
    monkeypatch.setattr(tflite_metadata, "_floats", lambda values: real(numbers.get(tuple(values), values)))
    return tflite_metadata.model_metadata(METADATA, float_input=True)


@pytest.mark.parametrize(("means", "deviations"), [([127.5], [127.5]), ([0.0], [255.0]), ([1.0, 2.0, 3.0], [4.0] * 3)])
def test_what_a_builder_wrote_is_read(means, deviations, monkeypatch):
    assert normalization.normalization_of(written(monkeypatch, means, deviations)) == (means, deviations)


def test_metadata_that_names_none_gives_none():
    assert normalization.normalization_of(tflite_metadata.model_metadata(METADATA, float_input=False)) is None


def test_our_float_files_take_raw_pixels_and_int8_files_name_nothing(float_model, int8_model):
    assert normalization.read_input_range(float_model, float_model.read_bytes()) == (0, 255)
    assert normalization.read_input_range(int8_model, int8_model.read_bytes()) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (([127.5], [127.5]), (-1, 1)),
        (([0.0], [255.0]), (0, 1)),
        (([127.0] * 3, [128.0] * 3), (-127 / 128, 1)),
        (None, None),
    ],
)
def test_means_and_deviations_are_a_range(found, expected, monkeypatch):
    monkeypatch.setattr(normalization, "find_normalization", lambda data: found)
    assert normalization.read_input_range(PATH, b"") == expected


@pytest.mark.parametrize(
    "found", [([1.0, 2.0, 3.0], [4.0]), ([1.0], [1.0, 2.0, 3.0]), ([1.0], [0.0]), ([1.0], [float("nan")])]
)
def test_what_is_no_range_is_one_line(found, monkeypatch):
    monkeypatch.setattr(normalization, "find_normalization", lambda data: found)
    with pytest.raises(UserError, match=r"m\.tflite wants each channel normalised in its own way"):
        normalization.read_input_range(PATH, b"")


@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_range_nothing_or_one_line(data):
    refusal = ""
    try:
        normalization.read_input_range(PATH, data)
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal


def test_a_damaged_file_gives_no_exception(float_model):
    data = bytearray(float_model.read_bytes())
    for position in range(0, 400, 3):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        with contextlib.suppress(UserError):
            normalization.read_input_range(PATH, bytes(damaged))
