import logging
import tempfile
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from convert import one_file, onnx_int8, to_onnx


@pytest.fixture(scope="module")
def model():
    """A network with all that those of `train` have: strides, depthwise, a sum, ReLU6, batch norm, dense."""
    import tf_keras as keras
    from tf_keras import layers

    keras.utils.set_random_seed(7)
    image = keras.Input((24, 16, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.BatchNormalization(name="stem_bn")(x)
    x = first = layers.ReLU(6.0, name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.ReLU(6.0, name="depthwise_relu")(x)
    x = layers.Conv2D(16, 1, name="project")(x)
    x = layers.Add(name="sum")([x, first])
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense", bias_initializer="random_normal")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    scores = layers.Dense(3, activation="softmax", name="scores", bias_initializer="random_normal")(x)
    return keras.Model(image, scores, name="small")


@pytest.fixture(scope="module")
def float32(model):
    return to_onnx.to_float32(model)


@pytest.fixture(scope="module")
def int8(float32, images):
    return onnx_int8.to_int8(float32, images)


def scores_of(content, images, **options):
    """Scores as real numbers, from raw pixels of the model's own type."""
    settings = onnxruntime.SessionOptions()
    for name, value in options.items():
        settings.add_session_config_entry(f"session.{name}", value)
    session = onnxruntime.InferenceSession(content, settings)
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    dtype = np.uint8 if given.type == "tensor(uint8)" else np.float32
    raw = np.concatenate([session.run(None, {given.name: image[np.newaxis].astype(dtype)})[0] for image in images])
    return raw.astype(np.float32) / (255 if answer.type == "tensor(uint8)" else 1)


def test_int8_takes_and_gives_uint8_and_answers_as_float_does(float32, int8, images):
    session = onnxruntime.InferenceSession(int8)
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("image", "tensor(uint8)", [1, 24, 16, 3])
    assert (answer.name, answer.type, answer.shape) == ("scores", "tensor(uint8)", [1, 3])
    np.testing.assert_allclose(scores_of(int8, images), scores_of(float32, images), atol=0.03)


def test_opencv_gives_the_same_scores(int8, images):
    import cv2

    net = cv2.dnn.readNetFromONNX(np.frombuffer(int8, np.uint8))
    for image, expected in zip(images, scores_of(int8, images), strict=True):
        net.setInput(image[np.newaxis])
        np.testing.assert_allclose(net.forward()[0] / 255, expected, atol=4.5 / 255)


def test_no_processor_can_overflow(int8, images):
    # On x86 without VNNI the default sums pairs in 16 bits, this option makes them exact; elsewhere both are.
    np.testing.assert_array_equal(scores_of(int8, images), scores_of(int8, images, x64quantprecision="1"))


def test_nothing_is_left_in_float(int8):
    """Every operation stands between DequantizeLinear and QuantizeLinear; activations went into the latter."""
    graph = onnx.load_from_string(int8).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    users = {name: node.op_type for node in graph.node for name in node.input}
    kinds = Counter(node.op_type for node in graph.node)
    assert not set(kinds) & {"Relu", "Clip", "Pad", "BatchNormalization", "Mul"}
    assert kinds["Conv"] == 3
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul", "MaxPool", "Reshape", "Softmax"):
            assert makers[node.input[0]] == "DequantizeLinear"
            follows = users.get(node.output[0])
            assert follows == "QuantizeLinear" or (node.op_type, follows) == ("MatMul", "Add")
        if node.op_type == "Add":
            assert users[node.output[0]] == "QuantizeLinear"


def test_onnxruntime_makes_integer_operations_of_it(float32, model, int8, images, tmp_path):
    layers = {layer.name: (-6.0, 6.0) for layer in model.layers}  # a pooling's among them, which is its input's
    ranges = onnx_int8.ranges_by_layer(float32, layers)
    for content in (int8, onnx_int8.to_int8(float32, images, ranges=ranges)):
        check_operations(content, tmp_path)


def check_operations(content, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(content, options)
    kinds = {node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node}
    assert {"QLinearConv", "QGemm", "QLinearAdd", "QLinearSoftmax"} <= kinds
    assert not kinds & {"Conv", "Gemm", "MatMul", "Add", "Softmax", "QuantizeLinear", "DequantizeLinear"}


def test_it_is_small(images):
    import tf_keras as keras

    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    x = keras.layers.Conv2D(64, 3, name="a_convolution_of_a_long_name")(x)
    x = keras.layers.Conv2D(128, 3, name="another_convolution_of_a_long_name")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    scores = keras.layers.Dense(3, activation="softmax", name="scores")(x)
    float32 = to_onnx.to_float32(keras.Model(image, scores))
    int8 = onnx_int8.to_int8(float32, images[:3])
    assert len(int8) < 0.28 * len(float32)
    graph = onnx.load_from_string(int8).graph
    names = {name for node in graph.node for name in [*node.input, *node.output]} - {"image", "scores"}
    assert max(map(len, names)) <= 2
    assert len(graph.value_info) == 0


def test_equal_inputs_give_equal_bytes_and_no_noise(float32, int8, images, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    level = logging.getLogger().level
    assert onnx_int8.to_int8(float32, images) == int8
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert logging.getLogger().level == level


def test_known_ranges_reach_the_file_and_others_are_measured(float32, images):
    ranges = onnx_int8.ranges_by_layer(float32, {"stem_relu": (0, 5.1), "dense": (0.0, 2.55), "dropout": (0, 1)})
    assert ranges == {"stem_relu/Relu6": (0, 5.1), "dense/Relu": (0.0, 2.55)}
    graph = onnx.load_from_string(onnx_int8.to_int8(float32, images, ranges=ranges)).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    found = {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            maker = makers[node.input[0]]
            found.setdefault(maker.op_type, []).append((constants[node.input[1]], constants[node.input[2]]))
    np.testing.assert_allclose(found["Conv"][0], (0.02, 0), rtol=1e-6)
    first_sum = min(found["Add"], key=lambda each: abs(each[0] - 0.01))
    np.testing.assert_allclose(first_sum, (0.01, 0), rtol=1e-6)
    assert len({float(scale) for scale, _ in found["Conv"]}) == 3


def test_ranges_come_by_the_last_tensor_of_a_layer_and_scores_have_none(float32, model):
    layers = {layer.name: (0.0, 1.0) for layer in model.layers}
    found = onnx_int8.ranges_by_layer(float32, layers)
    graph = onnx.load_from_string(float32).graph
    assert set(found) <= {name for node in graph.node for name in node.output}
    assert {name.partition("/")[0] for name in found} >= {
        "stem_relu",
        "depthwise_relu",
        "project",
        "sum",
        "pool",
        "dense",
    }
    assert "scores" not in found


def test_the_range_of_a_global_average_is_that_of_what_calculates_it(images):
    import tf_keras as keras

    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(keras.layers.Rescaling(1 / 255, name="scale")(image))
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    float32 = to_onnx.to_float32(keras.Model(image, keras.layers.Dense(3, activation="softmax", name="scores")(x)))
    ranges = onnx_int8.ranges_by_layer(float32, {"features": (0.0, 7.65)})
    graph = onnx.load_from_string(onnx_int8.to_int8(float32, images, ranges=ranges)).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    scales = {float(constants[node.input[1]]) for node in graph.node if node.op_type == "QuantizeLinear"}
    assert any(scale == pytest.approx(0.03) for scale in scales)


def test_a_range_that_lacks_zero_is_widened_to_it(float32, images):
    ranges = onnx_int8.ranges_by_layer(float32, {"dense": (0.5, 2.55)})
    graph = onnx.load_from_string(onnx_int8.to_int8(float32, images, ranges=ranges)).graph
    scales = [numpy_helper.to_array(each) for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    assert any(each.size == 1 and np.isclose(each, 0.01, rtol=1e-6) for each in scales)


@pytest.mark.parametrize("batch", [3, None])
def test_other_batches(model, int8, images, batch):
    content = onnx_int8.to_int8(to_onnx.to_float32(model, batch), images)
    session = onnxruntime.InferenceSession(content)
    raw = session.run(None, {"image": images[:3]})[0]
    np.testing.assert_array_equal(raw / np.float32(255), scores_of(int8, images[:3]))


def test_a_model_that_ends_without_a_softmax_gives_real_numbers(images):
    import tf_keras as keras

    keras.utils.set_random_seed(1)
    image = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Flatten()(image)  # and begins without scaling or convolution
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(x))
    content = onnx_int8.to_int8(to_onnx.to_float32(model), images)
    session = onnxruntime.InferenceSession(content)
    assert [each.type for each in session.get_inputs()] == ["tensor(uint8)"]
    assert [each.type for each in session.get_outputs()] == ["tensor(float)"]
    expected = model(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(scores_of(content, images), expected, atol=0.03 * np.ptp(expected))


def test_edge_reads_it_with_its_metadata(float32, int8, images, tmp_path):
    from edge import Classifier

    metadata = {"labels": ["a", "b", "c"], "scheme": "int8", "image_size": [24, 16]}
    path = tmp_path / "model.onnx"
    path.write_bytes(one_file.embed_in_onnx(int8, metadata))
    onnx.checker.check_model(str(path), full_check=True)
    classifier = Classifier(path)
    assert (classifier.labels, classifier.metadata) == (metadata["labels"], metadata)
    found = np.array([classifier.scores(image) for image in images])
    np.testing.assert_allclose(found, scores_of(int8, images), atol=1e-6)
    np.testing.assert_allclose(found, scores_of(float32, images), atol=0.03)
