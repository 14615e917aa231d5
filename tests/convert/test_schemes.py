import pytest

from convert import schemes


def names(rows):
    return [row.file_name for row in rows]


def test_float32_is_made_in_any_case_and_first_of_its_format():
    assert names(schemes.wanted([])) == ["model_float32.tflite", "model_float32.onnx"]
    rows = names(schemes.wanted(["int8"]))
    assert rows[0] == "model_float32.tflite"
    assert "model_int8.tflite" in rows
    onnx = [name for name in names(schemes.SCHEMES) if name.endswith(".onnx")]
    assert onnx[0] == "model_float32.onnx"


def test_no_two_rows_make_the_same_file():
    assert len({*names(schemes.SCHEMES)}) == len(schemes.SCHEMES)


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic_range", "int8"])
def test_every_flag_has_a_row(scheme):
    from convert.flags import SCHEMES

    assert scheme.replace("_", "-") in SCHEMES
    assert f"model_{scheme}.tflite" in names(schemes.wanted([scheme]))


def test_training_gives_a_row_in_each_format():
    assert names(schemes.wanted(["int8_qat"]))[1::2] == ["model_int8_qat.tflite", "model_int8_qat.onnx"]
