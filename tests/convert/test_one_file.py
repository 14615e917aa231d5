import io
import json
import zipfile

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert import one_file, to_onnx, to_tflite

METADATA = {"labels": ["chat", "été", "犬", "x"], "image_size": [24, 16], "scheme": "float32"}


@pytest.fixture(scope="module")
def tflite(small_model):
    return to_tflite.to_float32(small_model)


def test_tflite_carries_labels_and_metadata_stored_behind_the_model(tflite):
    whole = one_file.embed_in_tflite(tflite, METADATA)
    assert whole.startswith(tflite)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("labels.txt").decode() == "chat\nété\n犬\nx\n"
        assert json.loads(archive.read("metadata.json")) == METADATA


def test_equal_models_are_equal_files(tflite):
    assert one_file.embed_in_tflite(tflite, METADATA) == one_file.embed_in_tflite(tflite, METADATA)


def test_tflite_with_metadata_still_runs_and_edge_reads_it_from_the_file_alone(tflite, tmp_path):
    from edge import Classifier

    path = tmp_path / "renamed.tflite"
    path.write_bytes(one_file.embed_in_tflite(tflite, METADATA))
    classifier = Classifier(path)
    assert classifier.labels == METADATA["labels"]
    assert classifier.metadata == METADATA


def test_onnx_carries_the_same_and_edge_reads_it_from_the_file_alone(small_model, tmp_path):
    from edge import Classifier

    path = tmp_path / "renamed.onnx"
    path.write_bytes(one_file.embed_in_onnx(to_onnx.to_float32(small_model), METADATA))
    onnx.checker.check_model(str(path))
    classifier = Classifier(path)
    assert classifier.labels == METADATA["labels"]
    assert classifier.metadata == METADATA


@given(st.binary(min_size=8, max_size=2000), st.lists(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]))))
def test_any_labels_come_back_from_behind_any_model(model, labels):
    whole = one_file.embed_in_tflite(model, {"labels": labels})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert json.loads(archive.read("metadata.json"))["labels"] == labels
