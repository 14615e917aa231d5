import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import UserError
from edge.golden import GoldenSample, read_golden

ENTRY = {
    "name": "1",
    "label": "cat",
    "photo": "golden/1-photo.jpg",
    "png": "golden/1.png",
    "scores": [0.25, 0.75],
    "source": "my garden",
    "licence": "CC0",
    "largest_pixel_difference": 7,
}
PICTURES = {"golden/1-photo.jpg": b"a photo", "golden/1.png": b"an image"}


def carrying(listed):
    return {"metadata.json": json.dumps({"golden": listed}).encode(), **PICTURES}


def test_samples_are_read():
    assert read_golden(carrying([ENTRY])) == [
        GoldenSample("1", "cat", b"a photo", b"an image", (0.25, 0.75), "my garden", "CC0", 7)
    ]


@pytest.mark.parametrize("embedded", [{}, {"metadata.json": b"{}"}, {"metadata.json": b'{"labels": ["a"]}'}])
def test_a_file_without_samples_has_none(embedded):
    assert read_golden(embedded) == []


@pytest.mark.parametrize(
    "listed",
    [
        1,
        [1],
        ["x"],
        [{}],
        [{**ENTRY, "photo": "labels.txt"}],
        [{**ENTRY, "png": ["golden/1.png"]}],
        [{**ENTRY, "label": 3}],
        [{**ENTRY, "scores": ["a"]}],
        [{**ENTRY, "scores": None}],
        [{**ENTRY, "largest_pixel_difference": "much"}],
        [{**ENTRY, "largest_pixel_difference": float("inf")}],
    ],
)
def test_odd_samples_are_one_line(listed):
    with pytest.raises(UserError, match="golden samples in the model are damaged") as refusal:
        read_golden(carrying(listed))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", [b"\xff", b"[1]", b"{", b"[" * 200_000])
def test_odd_metadata_is_one_line(text):
    with pytest.raises(UserError, match="golden samples in the model are damaged"):
        read_golden({"metadata.json": text})


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3))


@settings(deadline=None)
@given(key=st.sampled_from(sorted(ENTRY)), value=JSON)
def test_any_value_gives_samples_or_one_line(key, value):
    refusal, samples = "", []
    try:
        samples = read_golden(carrying([{**ENTRY, key: value}]))
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert all(isinstance(sample, GoldenSample) for sample in samples)
