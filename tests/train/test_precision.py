import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from train import device, precision
from train.precision import choose_precision


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpu_names", list)


@pytest.fixture
def fast_bfloat16(monkeypatch, no_gpu):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda: True)


def unbuilt():
    pytest.fail("nothing is to be timed here")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def small():
    import tf_keras as keras

    pixels = keras.Input((8, 8, 3))
    return keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(pixels)))


@pytest.mark.parametrize("asked", device.PRECISIONS[1:])
def test_what_is_asked_for_is_taken(asked):
    assert choose_precision(asked, unbuilt, 32, 10_000) == precision.Precision(asked, {})


def test_auto_means_float16_on_a_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpu_names", lambda: ["NVIDIA L4"])
    assert choose_precision("auto", unbuilt, 32, 10_000).policy == "mixed_float16"


def test_auto_means_float32_where_bfloat16_is_emulated(monkeypatch, no_gpu):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda: False)
    assert choose_precision("auto", unbuilt, 32, 10_000).policy == "float32"


def test_a_short_training_is_not_worth_timing(fast_bfloat16):
    assert choose_precision("auto", unbuilt, 32, 160).policy == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("float32", "bfloat16", "chosen"),
    [(0.2, 0.1, "mixed_bfloat16"), (0.2, 0.19, "float32"), (0.1, 0.3, "float32")],
)
def test_the_quicker_is_taken_where_it_is_worth_it(monkeypatch, fast_bfloat16, float32, bfloat16, chosen):
    monkeypatch.setattr(precision, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    monkeypatch.setattr(precision, "time_steps", lambda *_: {"float32": float32, "mixed_bfloat16": bfloat16})
    choice = choose_precision("auto", small, 32, 10_000)
    assert choice.policy == chosen
    assert choice.images_per_second == {"float32": round(32 / float32, 1), "mixed_bfloat16": round(32 / bfloat16, 1)}
    assert str(choice).startswith(f"{chosen} (timed, images/s: float32 ")


def test_both_are_timed_on_the_model_itself_in_another_process(fast_bfloat16):
    choice = choose_precision("auto", small, 4, 10_000)
    assert list(choice.images_per_second) == ["float32", "mixed_bfloat16"]
    assert all(np.isfinite(rate) and rate > 0 for rate in choice.images_per_second.values())
    assert choice.policy in choice.images_per_second


def test_each_model_is_built_under_its_policy(monkeypatch):
    import tf_keras as keras

    policies = []

    def build():
        policies.append(keras.mixed_precision.global_policy().name)
        return small()

    assert precision.time_steps(build, 4).keys() == {"float32", "mixed_bfloat16"}
    assert policies == ["float32", "mixed_bfloat16"]
    assert keras.mixed_precision.global_policy().name == "float32"


def test_where_timing_is_killed_the_one_that_needs_less_memory_is_taken(fast_bfloat16):
    assert choose_precision("auto", die, 4, 10_000) == precision.Precision("mixed_bfloat16", {})
