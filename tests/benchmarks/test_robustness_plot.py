import cv2
import numpy as np

from benchmarks.robustness_plot import draw


def rows(model, scheme, accuracy):
    about = {"run": "solar $x_1$", "model": model, "scheme": scheme, "n": 60, "corrupted_accuracy": 0.5}
    cases = ("gaussian_noise", "jpeg", "rotation", "contrast", "darker")
    return [
        {**about, "case": "all", "clean_accuracy": 0.9},
        *({**about, "case": case, "accuracy": [accuracy] * 5} for case in cases),
    ]


def draw_image(*files):
    data = draw({"photos": "eval.npz", "rows": [row for file in files for row in file]})
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def count(image, color):
    return (np.abs(image - color).max(axis=2) < 40).sum()


def test_each_file_has_a_line_of_its_schemes_colour():
    orange, green = (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)
    both = draw_image(
        rows("model_float32.tflite", "float32", 0.8),
        rows("model_int8.tflite", "int8", 0.6),
        rows("model_int8_qat.onnx", "int8_qat", 0.4),
    )
    assert count(both, orange) > 1000
    assert count(both, green) > 500
    assert count(draw_image(rows("model_float32.tflite", "float32", 0.8)), orange) == 0


def test_files_of_strangers_are_drawn_too():
    assert draw_image(rows("_mobile$\\x$ \u65e5.onnx", "unknown", 0.3)).shape[1] > 1000
