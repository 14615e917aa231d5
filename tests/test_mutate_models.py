from pathlib import Path

import cv2
import numpy as np
import pytest

from tests import mutate_models


def test_damaged_files_of_ours_are_refused_by_the_command_in_a_process_that_lives_on(digits_run):
    data = (digits_run / "model_float32.onnx").read_bytes()
    assert mutate_models.is_sealed(data)
    outcomes = mutate_models.damage_and_ask(data, ".onnx", 20, np.random.default_rng(1))
    assert outcomes == {"refused": 20}


def test_a_whole_file_is_answered(digits_run, tmp_path):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.zeros((20, 20, 3), np.uint8))
    path = digits_run / "model_int8.tflite"
    assert mutate_models.ask([path], photo) == {path: "answered"}


def test_a_process_that_dies_is_told_and_the_rest_goes_on(monkeypatch):
    child = """
import json, os, sys
for path in sys.argv[2:]:
    if path == "b":
        os.kill(os.getpid(), 11)
    print(json.dumps([path, "refused"]), flush=True)
"""
    monkeypatch.setattr(mutate_models, "_CHILD", child)
    paths = [Path(name) for name in "abc"]
    outcomes = mutate_models.ask(paths, Path("photo"))
    assert outcomes == dict(zip(paths, ["refused", "died, -11", "refused"], strict=True))


@pytest.mark.parametrize("size", [300, 5000])
def test_damage_is_damage_and_half_of_it_hits_the_end(size):
    random = np.random.default_rng(3)
    data = random.bytes(size)
    ends = 0
    for _ in range(400):
        changed = mutate_models.mutate(data, random)
        assert changed != data
        ends += changed[: int(0.95 * size)] == data[: int(0.95 * size)]
    assert ends > 150
