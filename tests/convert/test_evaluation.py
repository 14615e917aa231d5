import numpy as np
import pytest

from convert import evaluation


def one_hot(answers, classes=3):
    return np.eye(classes, dtype=np.float32)[answers]


def test_a_verdict_worked_out_by_hand():
    truth = np.array([0, 1, 2, 0])
    verdict = evaluation.judge(one_hot([0, 1, 1, 1]), one_hot([0, 1, 2, 1]), truth)
    assert verdict.n == 4
    assert verdict.accuracy == 0.5
    assert verdict.agreement == 0.75
    assert verdict.drop_points == 25.0
    # lost = [0, 0, 1, 0]: mean 0.25, standard deviation 0.5, half width 1.96 * 0.5 / 2
    assert verdict.drop_interval == pytest.approx((25 - 49, 25 + 49))
    assert verdict.largest_difference == 1.0


def test_equal_scores_go_to_the_lower_index():
    tied = np.array([[0.5, 0.5, 0.0]], np.float32)
    assert evaluation.judge(tied, one_hot([0]), np.array([0])).agreement == 1.0
    assert evaluation.judge(tied, one_hot([1]), np.array([0])).agreement == 0.0


def test_one_photo_proves_nothing():
    verdict = evaluation.judge(one_hot([0]), one_hot([0]), np.array([0]))
    assert verdict.drop_interval == (-100.0, 100.0)


def test_scores_of_a_file_are_the_runtimes_own(digits_run):
    from ai_edge_litert.interpreter import Interpreter

    path = digits_run / "model_int8.tflite"
    images = np.load(digits_run / "eval.npz")["images"][:5]
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = answer["quantization"]
    expected = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis])
        interpreter.invoke()
        expected.append((interpreter.get_tensor(answer["index"])[0].astype(np.float32) - zero_point) * scale)
    ticks = []
    scores = evaluation.run_file(path, images, 1, lambda: ticks.append(1))
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert len(ticks) == 5


def test_latency_is_told_against_float32_of_the_same_format(digits_run):
    paths = [digits_run / name for name in ("model_float32.tflite", "model_int8.tflite", "model_float32.onnx")]
    ratios = evaluation.latency_ratios(paths, np.load(digits_run / "eval.npz")["images"])
    assert ratios["model_float32.tflite"] == ratios["model_float32.onnx"] == 1.0
    assert ratios["model_int8.tflite"] > 0


def test_without_truth_there_is_agreement_alone():
    verdict = evaluation.judge(one_hot([0, 1, 1]), one_hot([0, 1, 2]), None)
    assert verdict.describe() == {"n": 3, "agreement": pytest.approx(2 / 3), "largest_difference": 1.0}
    assert verdict.accuracy is None


def test_a_verdict_is_described_in_the_keys_of_the_contract():
    described = evaluation.judge(one_hot([0, 1]), one_hot([0, 1]), np.array([0, 1])).describe()
    assert described == {
        "n": 2,
        "accuracy": 1.0,
        "agreement": 1.0,
        "drop_points": 0.0,
        "drop_interval": [0.0, 0.0],
        "largest_difference": 0.0,
    }


def test_keras_is_asked_in_portions(small_model, images):
    many = np.concatenate([images, images])  # more than a portion
    ticks = []
    scores = evaluation.run_model(small_model, many, lambda: ticks.append(1))
    np.testing.assert_allclose(scores, small_model(many.astype(np.float32)), atol=1e-6)
    assert len(ticks) == 2
