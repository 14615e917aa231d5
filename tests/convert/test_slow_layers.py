import numpy as np
import pytest
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter

from convert import slow_layers, to_tflite
from convert.graph import read_layers, read_model
from convert.slow_layers import LayerTime, explain, layers_without_xnnpack, single_layer, slower_layers


@pytest.fixture(scope="module")
def swishing(images):
    """A model with two hard-swishes, as MobileNetV3 has them, in float32 and int8."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((24, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
    for filters in (8, 16):
        x = keras.layers.Conv2D(filters, 3, name=f"conv_{filters}")(x)
        x = x * keras.layers.ReLU(6.0)(x + 3.0) * (1 / 6)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(pixels, keras.layers.Dense(4, activation="softmax", name="scores")(x))
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    return to_tflite.to_float32(model), to_tflite.to_int8(model, pinned)


def test_xnnpack_leaves_hard_swish_aside_in_int8_alone(swishing):
    exact, quantized = swishing
    assert layers_without_xnnpack(exact) == []
    aside = [layer.operation for layer in layers_without_xnnpack(quantized)]
    assert aside.count("HARD_SWISH") == 2
    assert not {"CONV_2D", "FULLY_CONNECTED", "MEAN"} & set(aside)


def test_a_layer_by_itself_calculates_as_keras_does(swishing):
    exact, _ = swishing
    layer = next(layer for layer in read_layers(exact) if layer.operation == "HARD_SWISH")
    interpreter = Interpreter(model_content=single_layer(read_model(exact), layer))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    values = np.random.default_rng(0).normal(0, 4, given["shape"]).astype(np.float32)
    interpreter.set_tensor(given["index"], values)
    interpreter.invoke()
    expected = values * np.clip(values + 3, 0, 6) / 6
    np.testing.assert_allclose(interpreter.get_tensor(answer["index"]), expected, atol=1e-5)


def test_a_layer_with_weights_keeps_them(swishing):
    exact, quantized = swishing
    for content, dtype in ((exact, np.float32), (quantized, np.int8)):
        layer = next(layer for layer in read_layers(content) if layer.operation == "FULLY_CONNECTED")
        interpreter = Interpreter(model_content=single_layer(read_model(content), layer))
        interpreter.allocate_tensors()
        (given,) = interpreter.get_input_details()
        assert (given["dtype"], list(given["shape"])) == (dtype, [1, 16])


def test_every_layer_is_timed_in_both_files(swishing, monkeypatch):
    times = iter([1.0, 2.0] * 20)

    def fake(actions, **_):
        for action in actions:
            action()
        return [np.array([next(times)]), np.array([next(times)])]

    monkeypatch.setattr(slow_layers, "time_alternating", fake)
    timed = slow_layers.time_layers(*swishing)
    assert [each.operation for each in timed] == [layer.operation for layer in read_layers(swishing[0])]
    assert all((each.float32_ms, each.int8_ms) == (1.0, 2.0) for each in timed)
    assert {each.operation for each in timed if not each.has_xnnpack} >= {"HARD_SWISH"}


def test_those_that_lose_most_come_first():
    times = [
        LayerTime("conv", "CONV_2D", 1.0, 2.0, True),
        LayerTime("act_1", "HARD_SWISH", 3.0, 0.5, False),
        LayerTime("pool", "MEAN", 1.25, 1.0, True),
        LayerTime("act_2", "HARD_SWISH", 4.0, 0.5, False),
    ]
    assert [each.title for each in slower_layers(times)] == ["act_2", "act_1", "pool"]
    # 2.5 + 3.5 = 6 ms of 6.25; the pool's 0.25 is below a tenth
    assert explain(times) == "HARD_SWISH (2 layers, which XNNPACK leaves aside in int8) loses 6.00 ms"
    assert explain(times[:1]) == ""
    assert explain(times[2:3]) == "MEAN (1 layer) loses 0.25 ms"
