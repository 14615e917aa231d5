import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge import Classifier, UserError, replay, verify
from edge.golden import read_golden
from edge.preprocess import to_image


@pytest.fixture
def classifier(int8_model):
    return Classifier(int8_model)


def with_samples(monkeypatch, classifier, change):
    """Let the first of the model's golden samples be another one."""
    samples = read_golden(classifier.embedded)
    monkeypatch.setattr(replay, "read_golden", lambda embedded: [change(samples[0]), *samples[1:]])


def failed(classifier):
    return [(check.sample, check.stage, check.found) for check in replay.replay(classifier) if not check.passed]


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.tflite", "model_float32.onnx", "model_int8.onnx"])
def test_a_file_answers_as_when_it_was_converted(name, digits_run):
    if not (digits_run / name).exists():
        pytest.skip("this run wasn't converted to it")
    checks = replay.replay(Classifier(digits_run / name))
    assert all(check.passed for check in checks)
    assert [check.stage for check in checks] == [*replay.STAGES] * (len(checks) // 4)
    assert len(checks) >= 4 * 8


def test_a_photo_that_does_not_decode(monkeypatch, classifier):
    with_samples(monkeypatch, classifier, lambda sample: dataclasses.replace(sample, photo=b"no photo"))
    ((sample, stage, found),) = failed(classifier)
    assert (sample, stage) == ("1", "decode")
    assert "do not decode" in found


def test_a_photo_that_becomes_another_image(monkeypatch, classifier):
    def darken(sample):
        image = cv2.imdecode(np.frombuffer(sample.photo, np.uint8), cv2.IMREAD_COLOR).astype(int)
        image[0, 0] = image[0, 0] + np.where(image[0, 0] < 128, 90, -90)
        return dataclasses.replace(sample, photo=cv2.imencode(".png", image.astype(np.uint8))[1].tobytes())

    allowed = read_golden(classifier.embedded)[0].largest_pixel_difference
    with_samples(monkeypatch, classifier, darken)
    assert failed(classifier) == [("1", "resize", f"largest pixel difference 90, allowed {allowed}")]


def shifted(steps):
    def change(sample):
        scores = np.array(sample.scores)
        scores[scores.argmin()] += steps / 256
        return dataclasses.replace(sample, scores=tuple(scores))

    return change


def test_scores_may_differ_by_a_step_and_no_more(monkeypatch, classifier):
    assert classifier.score_step == pytest.approx(1 / 256)
    with_samples(monkeypatch, classifier, shifted(1))
    assert failed(classifier) == []
    with_samples(monkeypatch, classifier, shifted(2))
    ((_, stage, found),) = failed(classifier)
    assert (stage, found) == ("scores", "largest difference 2.00 steps, allowed 1")


@pytest.mark.parametrize(("scheme", "allowed"), [("float32", 0.001), ("dynamic_range", 0.125)])
def test_real_scores_have_the_tolerance_of_their_scheme(scheme, allowed, monkeypatch, float_model):
    classifier = Classifier(float_model)
    classifier.metadata["scheme"] = scheme
    for factor, stages in ((0.9, []), (1.1, ["scores"])):
        with_samples(monkeypatch, classifier, shifted(-256 * factor * allowed))
        checks = [check for check in replay.replay(classifier) if check.sample == "1" and not check.passed]
        assert [check.stage for check in checks] == stages
        monkeypatch.undo()
    assert checks[0].found.endswith(f", allowed {allowed}")


def test_another_label_is_told_by_name(monkeypatch, classifier):
    with_samples(
        monkeypatch, classifier, lambda sample: dataclasses.replace(sample, scores=tuple(np.roll(sample.scores, 1)))
    )
    (scores, label) = failed(classifier)
    assert (scores[1], label[1]) == ("scores", "label")
    assert ", expected " in label[2]
    with pytest.raises(UserError, match=r"answers otherwise here: sample 1, scores: .*; see python -m edge\.verify"):
        replay.require_same(classifier)


@pytest.mark.parametrize(
    ("runtime", "scheme", "stages", "is_known"),
    [
        ("tflite-runtime 2.14.0", "int8", ["scores", "label"], True),
        ("tflite-runtime 2.14.0", "dynamic_range", ["scores"], True),
        ("tflite-runtime 2.14.0", "float32", ["scores"], False),
        ("tflite-runtime 2.14.0", "int8", ["resize", "scores"], False),
        ("ai-edge-litert 2.3.0", "int8", ["scores"], False),
    ],
)
def test_the_older_runtimes_rounding_is_named_where_it_is_the_reason(runtime, scheme, stages, is_known):
    asked = SimpleNamespace(runtime=runtime, metadata={"scheme": scheme})
    reason = replay.explain(asked, [replay.Check("1", stage, False, "") for stage in stages])
    assert ("rounds int8 layers in its own way; for the same scores: " in reason) == is_known
    assert bool(reason) == is_known


def test_both_verifications_say_that_reason(monkeypatch, classifier, int8_model, capsys):
    monkeypatch.setattr(replay, "to_image", lambda frame, size: 255 - to_image(frame, size))  # photo and PNG alike
    monkeypatch.setattr(replay, "TFLITE_RUNTIME", "ai-edge-litert")
    with pytest.raises(UserError, match=r"sample 1, scores: .* steps, allowed 1; ai-edge-litert rounds int8 layers"):
        replay.require_same(classifier)
    assert verify.main([str(int8_model)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("ai-edge-litert rounds int8 layers in its own way")


def test_a_file_for_another_number_of_classes(monkeypatch, classifier):
    with_samples(monkeypatch, classifier, lambda sample: dataclasses.replace(sample, scores=(0.5, 0.5)))
    assert failed(classifier) == [("1", "scores", "10 scores, expected 2")]


def test_a_file_without_samples_is_one_line():
    with pytest.raises(UserError, match=r"Expected golden samples in m, it carries none; convert it again"):
        replay.replay(SimpleNamespace(embedded={}, path="m"))
