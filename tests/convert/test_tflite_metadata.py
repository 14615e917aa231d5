"""Read by a reader of the test's own, by the numbers in MediaPipe's public schema: MediaPipe itself can't be here."""

import numpy as np
import pytest
from flatbuffers import number_types
from flatbuffers.table import Table

from convert.tflite_metadata import model_metadata, score_calibration
from edge.confidence import temper

METADATA = {
    "labels": ["chat", "été"],
    "image_size": [24, 16],
    "scheme": "int8",
    "dataset": {"name": "pets", "source": "a garden", "licence": "CC BY 4.0"},
    "provenance": {"run": "my-run", "tinysight": "9.9"},
}
UINT8, INT8, UINT32 = number_types.Uint8Flags, number_types.Int8Flags, number_types.Uint32Flags


class Reader:
    """A table of a flatbuffer, its fields by number."""

    def __init__(self, data, position):
        self.table = Table(data, position)

    @classmethod
    def root(cls, data):
        return cls(data, int.from_bytes(data[:4], "little"))

    def _place(self, field):
        return self.table.Offset(4 + 2 * field)

    def has(self, field):
        return self._place(field) != 0

    def text(self, field):
        return self.table.String(self._place(field) + self.table.Pos).decode()

    def number(self, field, flags):
        return self.table.Get(flags, self._place(field) + self.table.Pos) if self.has(field) else 0

    def child(self, field):
        return Reader(self.table.Bytes, self.table.Indirect(self._place(field) + self.table.Pos))

    def children(self, field):
        place = self._place(field)
        if not place:
            return []
        start = self.table.Vector(place)
        count = self.table.VectorLen(place)
        return [Reader(self.table.Bytes, self.table.Indirect(start + 4 * number)) for number in range(count)]

    def floats(self, field):
        place = self._place(field)
        return self.table.GetVectorAsNumpy(number_types.Float32Flags, place).tolist()


def read(metadata, *, float_input):
    data = bytearray(model_metadata(metadata, float_input=float_input))
    assert data[4:8] == b"M001"
    return Reader.root(data)


def test_what_the_model_is():
    root = read(METADATA, float_input=False)
    assert root.text(0) == "pets classifier"
    assert root.text(1) == "Tells 2 classes of images apart. int8"
    assert root.text(2) == "my-run"
    assert root.text(4) == "tinysight 9.9"
    assert "CC BY 4.0" in root.text(5)
    assert root.text(7) == "1.0.0"


@pytest.mark.parametrize("float_input", [True, False])
def test_the_input_is_a_raw_rgb_image(float_input):
    (graph,) = read(METADATA, float_input=float_input).children(3)
    (image,) = graph.children(2)
    content = image.child(3)
    assert content.number(0, UINT8) == 2  # ImageProperties
    assert content.child(1).number(0, INT8) == 1  # RGB
    size = content.child(1).child(1)
    assert (size.number(0, UINT32), size.number(1, UINT32)) == (16, 24)  # width, height
    assert (image.child(5).floats(0), image.child(5).floats(1)) == ([255.0], [0.0])  # max, min
    units = image.children(4)
    assert len(units) == float_input
    for unit in units:
        assert unit.number(0, UINT8) == 1  # NormalizationOptions
        assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([0.0], [1.0])  # mean, deviation


def test_the_output_is_scores_under_the_labels():
    (graph,) = read(METADATA, float_input=True).children(3)
    (scores,) = graph.children(3)
    (labels,) = scores.children(6)
    assert labels.text(0) == "labels.txt"
    assert labels.number(2, INT8) == 2  # TENSOR_AXIS_LABELS
    assert scores.children(4) == []
    assert (scores.child(5).floats(0), scores.child(5).floats(1)) == ([1.0], [0.0])


def test_a_temperature_of_two_classes_is_the_standards_score_calibration():
    metadata = {**METADATA, "temperature": 1.7}
    (graph,) = read(metadata, float_input=True).children(3)
    (scores,) = graph.children(3)
    assert [file.text(0) for file in scores.children(6)] == ["labels.txt", "score_calibration.csv"]
    assert [file.number(2, INT8) for file in scores.children(6)] == [2, 4]
    (unit,) = scores.children(4)
    assert unit.number(0, UINT8) == 2  # ScoreCalibrationOptions
    assert unit.child(1).number(0, INT8) == 2  # INVERSE_LOGISTIC: log(x) - log(1 - x)
    lines = score_calibration(metadata).split("\n")
    assert len(lines) == 2
    p = np.array([0.999, 0.8, 0.5, 0.01])
    expected = temper(np.stack([p, 1 - p], axis=1), 1.7)
    for column, values in enumerate([p, 1 - p]):
        scale, slope, offset = map(float, lines[column].split(","))
        calibrated = scale / (
            1 + np.exp(-(slope * (np.log(values) - np.log(1 - values)) + offset))
        )  # the schema's words
        assert np.allclose(calibrated, expected[:, column], atol=1e-7)


def test_more_classes_or_no_temperature_have_no_score_calibration():
    assert score_calibration({**METADATA, "labels": ["a", "b", "c"], "temperature": 2.0}) is None
    assert score_calibration(METADATA) is None


def test_what_is_not_known_is_left_empty():
    root = read({"labels": ["a", "b"], "image_size": [8, 8]}, float_input=True)
    assert [root.text(field) for field in (0, 1, 2, 4, 5)] == [
        *("classifier", "Tells 2 classes of images apart.", "", "tinysight", "")
    ]
