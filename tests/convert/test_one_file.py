import base64
import hashlib
import io
import json
import zipfile

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convert import one_file, to_onnx, to_tflite
from edge import Classifier, UserError
from edge.golden import GoldenSample, read_golden
from tests.mutate_models import mutate

METADATA = {"labels": ["chat", "été", "犬", "x"], "image_size": [24, 16], "scheme": "float32"}
GOLDEN = [
    GoldenSample("1", "chat", b"\xff\xd8 a photo", b"\x89PNG an image", (0.5, 0.25, 0.25, 0.0), "here", "CC0", 9),
    GoldenSample("2", "x", b"\x89PNG a photo", b"\x89PNG an image 2", (0.0, 0.0, 0.0, 1.0), "", "", 2),
]
MARKER = b"tinysight: a SHA-256 ends this file"


@pytest.fixture(scope="module")
def tflite(small_model):
    return to_tflite.to_float32(small_model)


@pytest.fixture(scope="module")
def onnx_model(small_model):
    return to_onnx.to_float32(small_model)


@pytest.fixture(scope="module")
def whole(tflite, onnx_model):
    return {
        ".tflite": one_file.embed_in_tflite(tflite, METADATA, GOLDEN),
        ".onnx": one_file.embed_in_onnx(onnx_model, METADATA, GOLDEN),
    }


def test_tflite_carries_labels_and_metadata_stored_behind_the_model(tflite):
    whole = one_file.embed_in_tflite(tflite, METADATA)
    assert whole.index(tflite[8:]) % 64 == 8
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == ["labels.txt", "metadata.json"]
        assert archive.read("labels.txt").decode() == "chat\nété\n犬\nx\n"
        assert json.loads(archive.read("metadata.json")) == METADATA


def test_tflite_ends_in_its_hash_and_says_so_in_front(whole):
    data = whole[".tflite"]
    assert data[8:].startswith(MARKER)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        comment = archive.comment.decode()
    assert data.decode("latin-1").endswith(comment)
    assert comment == f"tinysight-sha256: {hashlib.sha256(data[:-64]).hexdigest()}"


def test_onnx_ends_in_its_hash_and_says_so_in_front(whole):
    data = whole[".onnx"]
    assert data.index(MARKER) < 8
    proto = onnx.load_from_string(data)
    assert proto.producer_name == MARKER.decode()
    assert proto.producer_version.startswith("tf2onnx")
    last = proto.metadata_props[-1]
    assert last.key == "tinysight-sha256"
    assert last.value == hashlib.sha256(data[:-64]).hexdigest()
    assert data.endswith(last.value.encode())


def test_onnx_with_functions_still_ends_in_its_hash(onnx_model):
    proto = onnx.load_from_string(onnx_model)
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    opset = [onnx.helper.make_opsetid("", 17)]
    proto.functions.append(onnx.helper.make_function("mine", "f", ["a"], ["b"], [node], opset))
    data = one_file.embed_in_onnx(proto.SerializeToString(), METADATA)
    assert data.endswith(hashlib.sha256(data[:-64]).hexdigest().encode())
    assert len(onnx.load_from_string(data).functions) == 1


def test_equal_models_are_equal_files(tflite, onnx_model, whole):
    assert one_file.embed_in_tflite(tflite, METADATA, GOLDEN) == whole[".tflite"]
    assert one_file.embed_in_onnx(onnx_model, METADATA, GOLDEN) == whole[".onnx"]


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_edge_reads_all_from_the_file_alone(suffix, whole, tmp_path):
    path = tmp_path / f"renamed{suffix}"
    path.write_bytes(whole[suffix])
    classifier = Classifier(path)
    assert classifier.labels == METADATA["labels"]
    assert {key: value for key, value in classifier.metadata.items() if key != "golden"} == METADATA
    assert read_golden(classifier.embedded) == GOLDEN


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_it_answers_as_the_bare_model(suffix, whole, tflite, onnx_model, images, tmp_path):
    bare, sealed = tmp_path / f"bare{suffix}", tmp_path / f"sealed{suffix}"
    bare.write_bytes(tflite if suffix == ".tflite" else onnx_model)
    sealed.write_bytes(whole[suffix])
    classifiers = Classifier(bare), Classifier(sealed)
    for image in images:
        assert np.array_equal(classifiers[0].scores(image), classifiers[1].scores(image))


def test_a_temperature_of_two_classes_brings_the_file_that_the_standard_wants(tflite):
    metadata = {**METADATA, "labels": ["a", "b"], "temperature": 2.0}
    with zipfile.ZipFile(io.BytesIO(one_file.embed_in_tflite(tflite, metadata))) as archive:
        assert archive.read("score_calibration.csv") == b"1,0.5,0\n1,0.5,0"


def test_onnx_is_valid_and_carries_what_ultralytics_reads(whole, tmp_path):
    import ast

    path = tmp_path / "model.onnx"
    path.write_bytes(whole[".onnx"])
    onnx.checker.check_model(str(path))
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    # Ultralytics: int() of the first two, literals of the next two, and the last as it is.
    assert [int(properties[key]) for key in ("stride", "batch")] == [1, 1]
    assert ast.literal_eval(properties["imgsz"]) == [24, 16]
    assert ast.literal_eval(properties["names"]) == dict(enumerate(METADATA["labels"]))
    assert properties["task"] == "classify"
    assert base64.b64decode(properties["golden/1-photo.jpg"]) == GOLDEN[0].photo
    assert base64.b64decode(properties["golden/2-photo.png"]) == GOLDEN[1].photo


@settings(deadline=None, max_examples=30)
@given(labels=st.lists(st.text(alphabet=st.characters(exclude_categories=["C", "Z"])), min_size=1))
def test_any_labels_come_back_from_behind_the_model(tflite, labels):
    whole = one_file.embed_in_tflite(tflite, {**METADATA, "labels": labels})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert json.loads(archive.read("metadata.json"))["labels"] == labels


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_hundreds_of_damaged_files_are_refused_in_one_line(suffix, whole, tmp_path):
    from edge import runtimes

    random = np.random.default_rng(4)
    path = tmp_path / f"damaged{suffix}"
    for _ in range(300):
        path.write_bytes(mutate(whole[suffix], random))
        with pytest.raises(UserError) as refusal:
            runtimes.load(path, 1)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_every_single_flipped_byte_is_found(suffix, whole):
    from pathlib import Path

    from edge.seal import check_whole

    data = bytearray(whole[suffix])
    for place in range(len(data)):
        data[place] ^= 1 << place % 8
        with pytest.raises(UserError, match="is damaged or cut"):
            check_whole(Path("model"), bytes(data))
        data[place] ^= 1 << place % 8
    check_whole(Path("model"), bytes(data))
