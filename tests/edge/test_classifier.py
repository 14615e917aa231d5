"""Compares the classifier with the bare runtime, and feeds it model files of other makers and broken ones."""

import json
import math
import shutil
import zipfile

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper

import edge
from edge import Classifier, UserError, seal
from edge.preprocess import read_frame, to_image


@pytest.fixture(scope="module")
def photos(digits_photos):
    return [next(folder.iterdir()) for folder in sorted(digits_photos.iterdir())]


def interpret(path, image):
    """Return the scores of LiteRT's own interpreter, by the book."""
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], image[None].astype(given["dtype"]))
    interpreter.invoke()
    raw = interpreter.get_tensor(answer["index"])[0]
    scale, zero_point = answer["quantization"]
    return (raw.astype(np.float64) - zero_point) * scale if scale else raw


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.tflite"])
def test_answers_are_those_of_the_bare_interpreter(name, digits_run, photos):
    classifier = Classifier(digits_run / name, num_threads=2)
    for photo in photos:
        frame = read_frame(photo)
        expected = interpret(digits_run / name, frame[..., ::-1])
        predictions = classifier.classify(frame, top_k=10)
        by_index = sorted(predictions, key=lambda prediction: prediction.index)
        assert np.allclose([prediction.confidence for prediction in by_index], expected, atol=1e-6)
        assert predictions[0].index == np.argmax(expected)  # which too takes the first of equals
        assert classifier.classify(frame) == predictions[:1]


def test_onnx_answers_as_float_tflite(digits_run, photos):
    onnx_classifier = Classifier(digits_run / "model_float32.onnx")
    tflite_classifier = Classifier(digits_run / "model_float32.tflite")
    assert onnx_classifier.labels == tflite_classifier.labels
    for photo in photos:
        image = to_image(read_frame(photo), tflite_classifier.image_size)
        assert np.abs(onnx_classifier.scores(image) - tflite_classifier.scores(image)).max() < 1e-4


def test_the_file_alone_tells_labels_size_and_scheme(int8_model, digits_photos, tmp_path):
    alone = shutil.copy(int8_model, tmp_path / "renamed.bin")
    classifier = Classifier(alone)
    assert classifier.has_labels
    assert classifier.labels == sorted(folder.name for folder in digits_photos.iterdir())
    assert classifier.image_size == (32, 32)
    assert classifier.metadata["format"] == "tinysight"
    assert classifier.metadata["scheme"] == "int8"
    assert classifier.runtime.startswith("ai-edge-litert ")


def test_most_photos_get_their_own_label(int8_model, digits_photos):
    classifier = Classifier(int8_model)
    photos = [photo for folder in sorted(digits_photos.iterdir()) for photo in sorted(folder.iterdir())[:10]]
    right = [classifier.classify(read_frame(photo))[0].label == photo.parent.name for photo in photos]
    assert np.mean(right) > 0.8  # guessing gives 0.1


def test_frames_of_any_size_and_layout_are_taken(int8_model):
    classifier = Classifier(int8_model)
    for shape in [(480, 640, 3), (7, 900), (33, 31, 4), (1, 1, 1)]:
        assert classifier.classify(np.zeros(shape, np.uint8))[0].label in classifier.labels


def test_equal_scores_go_to_the_lower_index(int8_model):
    classifier = Classifier(int8_model)
    scores = np.array([0.1, 0.3, 0.1, 0.3, 0.3, 0, 0, 0, 0, 0], np.float32)
    assert [prediction.index for prediction in classifier.rank(scores, 5)] == [1, 3, 4, 0, 2]
    assert [prediction.label for prediction in classifier.rank(scores, 2)] == classifier.labels[1:4:2]
    assert len(classifier.rank(scores, 99)) == 10


def without_files(model, path, files=None, method=zipfile.ZIP_STORED):
    """Write `model` to `path` without what travels in it or, given `files`, with those instead."""
    with zipfile.ZipFile(model) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    unsealed = model.read_bytes()[:start].replace(seal.MARKER, bytes(len(seal.MARKER)))
    path.write_bytes(unsealed)
    if files is not None:
        with zipfile.ZipFile(path, "a", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    return path


def test_a_foreign_model_without_labels_answers_with_indices(int8_model, tmp_path):
    foreign = Classifier(without_files(int8_model, tmp_path / "foreign.tflite"))
    assert not foreign.has_labels
    assert foreign.metadata == {}
    assert foreign.labels == [str(index) for index in range(10)]
    frame = np.zeros((32, 32, 3), np.uint8)
    (prediction,) = foreign.classify(frame)
    assert prediction.label == str(prediction.index)
    assert prediction.index == Classifier(int8_model).classify(frame)[0].index


NAMES = [f"class {index}" for index in range(10)]


@pytest.mark.parametrize(
    "files",
    [
        {"labels.txt": "\n".join(NAMES)},
        {"labelmap.txt": "\r\n".join(NAMES) + "\r\n"},
        {"metadata.json": json.dumps({"labels": [1, 2]}), "labels.txt": "\n".join(NAMES)},
        {"metadata.json": json.dumps({"labels": NAMES}), "labels.txt": "other\n" * 10},
    ],
    ids=["labels.txt", "windows", "odd metadata", "metadata first"],
)
def test_labels_are_found_in_the_file(files, int8_model, tmp_path):
    model = without_files(int8_model, tmp_path / "model.tflite", files, zipfile.ZIP_DEFLATED)
    assert Classifier(model).labels == NAMES


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"metadata.json": "{'labels'"}, "metadata in .* is damaged"),
        ({"metadata.json": "[" * 200_000}, "metadata in .* is damaged"),
        ({"metadata.json": "[1]"}, "to be a JSON object, got list"),
        ({"metadata.json": b"\xff\xfe"}, "metadata in .* is damaged"),
        ({"labels.txt": b"\xff\xfe"}, "labels in .* are damaged"),
        ({"metadata.json": json.dumps({"labels": ["a", "b"]})}, "has 10 classes but carries 2 labels"),
        ({"labels.txt": ""}, "has 10 classes but carries 0 labels"),
    ],
    ids=["no JSON", "deep JSON", "no object", "no UTF-8", "labels no UTF-8", "two labels", "empty labels"],
)
def test_odd_metadata_is_refused_in_one_line(files, message, int8_model, tmp_path):
    model = without_files(int8_model, tmp_path / "model.tflite", files)
    with pytest.raises(UserError, match=message) as refusal:
        Classifier(model)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_damaged_files_in_the_model_are_refused(method, int8_model, tmp_path):
    model = without_files(int8_model, tmp_path / "model.tflite", {"labels.txt": "\n".join(NAMES)}, method)
    with zipfile.ZipFile(model) as archive:
        entry = archive.getinfo("labels.txt")
    data = bytearray(model.read_bytes())
    content = entry.header_offset + 30 + len(entry.filename)  # 30: a local header without its name
    data[content : content + 20] = bytes(range(200, 220))
    model.write_bytes(data)
    with pytest.raises(UserError, match=r"files appended to .* are damaged"):
        Classifier(model)


@pytest.mark.parametrize(
    "bomb",
    [
        {"labels.txt": bytes(1 << 25)},
        {f"l{number}.txt": bytes(1 << 21) for number in range(10)},
        {f"l{number}.txt": b"" for number in range(100)},
    ],
    ids=["one", "many", "empty"],
)
def test_a_zip_bomb_is_not_unpacked(bomb, int8_model, tmp_path):
    model = without_files(int8_model, tmp_path / "model.tflite", bomb, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match=r"Expected at most 16 texts of 16 MiB in all in .*model\.tflite, got "):
        Classifier(model)


@pytest.mark.parametrize("files", [["README.txt", "labelmap.txt"], ["a.txt", "labels.txt"], ["a.txt", "z.txt"]])
def test_foreign_labels_are_the_text_that_fits(files, int8_model, tmp_path):
    texts = {files[0]: "About this model\n", files[1]: "\n".join(NAMES)}
    assert Classifier(without_files(int8_model, tmp_path / "model.tflite", texts)).labels == list(NAMES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.tflite", b"I am no model, whatever my name says", "Expected a .tflite or .onnx model"),
        ("empty.tflite", b"", "Expected a .tflite or .onnx model"),
        ("head.tflite", b"\x1c\0\0\0TFL3", "ai-edge-litert refuses"),
        ("text.onnx", b"I am no model, whatever my name says", "onnxruntime refuses"),
        ("empty.onnx", b"", "onnxruntime refuses"),
    ],
)
def test_what_is_no_model_is_refused(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as refusal:
        Classifier(path)
    assert "\n" not in str(refusal.value)
    assert name in str(refusal.value)


def test_a_model_cut_off_is_refused(int8_model, tmp_path):
    data = int8_model.read_bytes()
    for share in (0.1, 0.5, 0.9):
        cut = tmp_path / "cut.tflite"
        cut.write_bytes(data[: int(share * len(data))])
        with pytest.raises(UserError, match="is damaged or cut"):
            Classifier(cut)
    foreign = without_files(int8_model, tmp_path / "foreign.tflite").read_bytes()
    for share in (0.1, 0.5, 0.9):
        cut.write_bytes(foreign[: int(share * len(foreign))])
        with pytest.raises(UserError, match="refuses"):
            Classifier(cut)


def test_a_missing_model_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="could not read it: No such file"):
        Classifier(tmp_path / "none.tflite")
    with pytest.raises(UserError, match="could not read it: Is a directory"):
        Classifier(tmp_path)


def onnx_model(path, shapes, dtype=TensorProto.FLOAT):
    """Write an ONNX model that takes tensors of `shapes` and gives the mean of the first."""
    inputs = [helper.make_tensor_value_info(f"x{n}", dtype, shape) for n, shape in enumerate(shapes)]
    output = helper.make_tensor_value_info("y", dtype, None)
    nodes = [helper.make_node("ReduceMean", ["x0"], ["y"], axes=[1, 2], keepdims=0)]
    graph = helper.make_graph(nodes, "g", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def test_a_foreign_onnx_model_answers_with_indices(tmp_path):
    classifier = Classifier(onnx_model(tmp_path / "mean.onnx", [(1, 4, 5, 3)]))
    assert classifier.image_size == (4, 5)
    frame = np.zeros((4, 5, 3), np.uint8)
    frame[..., 0] = 200  # blue, so the last of the RGB classes
    (prediction,) = classifier.classify(frame)
    assert (prediction.label, prediction.index, prediction.confidence) == ("2", 2, 200.0)


@pytest.mark.parametrize(
    ("shapes", "dtype", "message"),
    [
        ([(2, 3, 8, 8)], TensorProto.FLOAT, r"takes \(2, 3, 8, 8\)"),
        ([(1, 8, 8, 1)], TensorProto.FLOAT, r"takes \(1, 8, 8, 1\)"),
        ([(2, 8, 8, 3)], TensorProto.FLOAT, r"takes \(2, 8, 8, 3\)"),
        ([(1, "h", "w", 3)], TensorProto.FLOAT, r"takes \(1, -1, -1, 3\)"),
        ([(1, 8, 8)], TensorProto.FLOAT, r"takes \(1, 8, 8\)"),
        ([(1, 8, 8, 3)], TensorProto.INT32, "takes int32"),
        ([(1, 8, 8, 3), (1,)], TensorProto.FLOAT, "has 2 and 1"),
    ],
)
def test_models_that_take_something_else_are_refused(shapes, dtype, message, tmp_path):
    path = onnx_model(tmp_path / "odd.onnx", shapes, dtype)
    with pytest.raises(UserError, match=message):
        Classifier(path)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2, 4), (1, 0), (1, 2, 2, 3)], ids=str)
def test_models_that_do_not_give_a_score_a_class_are_refused(shape, tmp_path):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, math.prod(shape)], [0.5] * 3 * math.prod(shape))
    sizes = helper.make_tensor("s", TensorProto.INT64, [len(shape)], shape)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["flat"]),
        helper.make_node("Reshape", ["flat", "s"], ["y"], allowzero=1),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 4, 3))
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [given], [taken], [weights, sizes])
    path = tmp_path / "odd.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), path)
    with pytest.raises(UserError, match=r"one score a class") as refused:
        Classifier(path)
    assert str(shape) in str(refused.value)
    assert ("exported with two" in str(refused.value)) == (shape == (1, 1))


def test_the_package_exports_what_it_says():
    assert all(hasattr(edge, name) for name in edge.__all__)
    with pytest.raises(AttributeError, match="no attribute 'classifer'"):
        _ = edge.classifer


def test_a_model_that_fails_in_its_first_inference_is_one_line(tmp_path):
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 5, 3))
    shape = helper.make_tensor("shape", TensorProto.INT64, (1,), [7])
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", [image], [scores], [shape])
    path = tmp_path / "reshape.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    with pytest.raises(UserError, match=r"reshape\.onnx (fails in its first inference|)") as refusal:
        Classifier(path)
    assert "\n" not in str(refusal.value)


def test_a_model_that_claims_all_memory_is_refused(tmp_path):
    with pytest.raises(UserError, match="at most 16,777,216 pixels"):
        Classifier(onnx_model(tmp_path / "huge.onnx", [(1, 100_000, 100_000, 3)]))


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_told(broken, int8_model):
    with pytest.raises(UserError, match="scores that are not finite"):
        Classifier(int8_model).rank(np.array([0.5, broken, 0.1], np.float32))


def test_onnx_may_not_load_files_beside_it(tmp_path):
    weights = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 1, 3))
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [image], [scores], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "beside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(UserError, match="onnxruntime refuses"):
        Classifier(path)
