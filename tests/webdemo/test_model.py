import shutil

import pytest

from edge.errors import UserError
from webdemo.app import create_app


def test_the_int8_model_is_taken_and_without_one_the_first_file(digits_run, tmp_path):
    for name in ("model_float32.tflite", "model_float32.onnx"):
        shutil.copy(digits_run / name, tmp_path)
    client = create_app({"RUN": tmp_path}).test_client()
    assert client.get("/healthz").get_json()["model"] == "model_float32.tflite"
    shutil.copy(digits_run / "model_int8.tflite", tmp_path)
    client = create_app({"RUN": tmp_path}).test_client()
    assert client.get("/healthz").get_json()["model"] == "model_int8.tflite"


def test_an_onnx_model_serves_too(digits_run, tmp_path, photo_files):
    shutil.copy(digits_run / "model_float32.onnx", tmp_path)
    client = create_app({"RUN": tmp_path}).test_client()
    answer = client.post("/api/predict", data={"image": photo_files[0].open("rb")}).get_json()
    assert answer["model"] == "model_float32.onnx"
    assert len(answer["predictions"]) == 5


def test_a_folder_without_models_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"convert: python -m convert\.quantize"):
        create_app({"RUN": tmp_path})
