import pytest

from edge.findings_python import examine_python, judge_numpy, judge_opencv, judge_python, judge_runtimes

NUMPY = "2.4.6"


def test_this_machine_is_fine():
    assert [finding.name for finding in examine_python() if finding.state == "error"] == []


def test_a_32_bit_system_and_a_wrong_python_are_told():
    assert "64-bit Raspberry Pi OS" in judge_python((3, 11), 32).mend
    assert judge_python((3, 14), 64).state == "error"
    assert judge_python((3, 13), 64).found.split(",")[:2] == ["Python 3.13", " 64-bit"]
    assert "wheels cp313-" in judge_python((3, 13), 64).found


@pytest.mark.parametrize(
    ("installed", "states", "words"),
    [
        ({"ai-edge-litert": "2.3", "numpy": NUMPY}, ["ok"], "ai-edge-litert 2.3"),
        ({"tflite-runtime": "2.14", "numpy": "1.26.4"}, ["ok"], "tflite-runtime 2.14"),
        ({"tflite-runtime": "2.14", "numpy": NUMPY}, ["error"], "dies under NumPy 2.4.6"),
        ({"tflite-runtime": "2.14", "ai-edge-litert": "2.3", "numpy": NUMPY}, ["ok", "warning"], "dies under"),
        ({"numpy": NUMPY}, ["error"], "no runtime"),
        ({"onnxruntime": "1.32", "numpy": NUMPY}, ["warning", "ok"], "no runtime for .tflite"),
    ],
)
def test_runtimes_and_numpy_go_together_or_not(installed, states, words):
    findings = judge_runtimes(installed, (3, 13))
    assert [finding.state for finding in findings] == states
    assert any(words in finding.found for finding in findings)
    assert all("pip" in finding.mend for finding in findings if finding.state != "ok")


@pytest.mark.parametrize(
    ("opencvs", "numpy", "state", "words"),
    [
        ({"opencv-python-headless": "4.12.0.88"}, NUMPY, "ok", "without windows"),
        ({"opencv-python": "5.0.0.93"}, NUMPY, "ok", "with windows"),
        ({"opencv-python": "4.10.0.84"}, NUMPY, "warning", "fills a broken JPEG"),
        ({"opencv-python": "4.11.0.86"}, NUMPY, "warning", "fills a broken JPEG"),
        ({"opencv-python": "4.9.0.80"}, NUMPY, "error", "built for NumPy 1"),
        ({"opencv-python": "4.9.0.80"}, "1.26.4", "ok", "4.9"),
        ({"opencv-python": "4.12.0.1", "opencv-python-headless": "4.12.0.1"}, NUMPY, "error", "overwrite"),
        ({}, NUMPY, "error", "not installed"),
    ],
)
def test_builds_of_opencv(opencvs, numpy, state, words):
    (finding,) = judge_opencv(opencvs, numpy, has_cv2=bool(opencvs))
    assert finding.state == state
    assert words in finding.found
    assert bool(finding.mend) == (state != "ok")


def test_debians_opencv_and_a_missing_numpy():
    assert judge_opencv({}, NUMPY, has_cv2=True)[0].state == "ok"
    assert judge_numpy("").mend.endswith("pip install numpy")
