import json

import pytest

from convert.budget import Budget
from convert.evaluation import Split, run_file, run_model
from convert.schemes import QAT, SCHEMES, Materials
from edge import UserError

ROWS = {scheme.file_name: scheme for scheme in SCHEMES}
TFLITE, ONNX = ROWS["model_int8.tflite"], ROWS["model_int8.onnx"]


def refuse(suffix):
    raise UserError("The model is nested")


def start(model, images, max_drop, formats=(".tflite", ".onnx"), speedup=None):
    """A budget and what it may be kept with; the float model's answers are the truth."""
    told = []
    reference = run_model(model, images)
    pinned = images.copy()
    pinned[0, 0, 0], pinned[0, -1, -1] = 0, 255
    materials = Materials(model, 1, pinned, refuse)
    for suffix in formats:
        materials.made[f"model_float32{suffix}"] = ROWS[f"model_float32{suffix}"].make(materials)
    split = Split(images, reference.argmax(axis=1))
    return Budget(max_drop, speedup, split, reference, 1, told.append), materials, told


def test_plain_quantization_is_all_where_it_holds(small_model, images):
    budget, materials, told = start(small_model, images, 50.0)
    for scheme in (TFLITE, ONNX):
        assert budget.concerns(scheme)
        assert budget.needs(scheme)
        assert budget.make(scheme, materials)
        assert not budget.needs(scheme)
    assert [line[:28] for line in told] == ["  .tflite  int8, 20 photos: ", "  .onnx  int8, 20 photos: ho"]
    assert {each.file_name: each.attempt.holds for each in budget.kept()} == {
        "model_int8.tflite": True,
        "model_int8.onnx": True,
    }
    told = json.loads(json.dumps(budget.describe()))
    assert told["max_drop"] == 50.0
    assert told["judged_on"] == "validation"
    assert told["kept"]["model_int8.onnx"] == {"holds": True, "way": "int8, 20 photos"}


def test_a_model_that_int8_ruins_is_climbed_for_and_landed(lopsided_model, images, tmp_path):
    budget, materials, told = start(lopsided_model, images, 0.0, (".tflite",))
    content = budget.make(TFLITE, materials)
    assert not budget.needs(TFLITE)
    (kept,) = budget.kept()
    assert "in float with what they read" in kept.attempt.name
    assert budget.climbs["model_int8.tflite"].attempts[0].judged.drop_points > 10
    assert len(told) == len(budget.climbs["model_int8.tflite"].attempts) > 2
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert (run_file(path, images).argmax(axis=1) == budget.split.truth).all()


def test_what_no_rung_holds_ends_with_the_best_and_with_training_refused(lopsided_model, images):
    budget, materials, told = start(lopsided_model, images, 0.0, (".onnx",))
    assert budget.make(ONNX, materials)
    assert budget.needs(ROWS[f"model_{QAT}.onnx"])
    with pytest.raises(UserError, match="The model is nested"):
        budget.make(ROWS[f"model_{QAT}.onnx"], materials)
    assert told[-1].startswith("  .onnx  int8, trained further with rounding: not possible here. The model is nested")
    (kept,) = budget.kept()
    assert budget.describe()["refused"] == {"model_int8_qat.onnx": budget.refused["model_int8_qat.onnx"]}
    assert (kept.file_name, kept.attempt.holds) == ("model_int8.onnx", False)
    best = min(each.judged.drop_points for each in budget.climbs["model_int8.onnx"].attempts)
    assert kept.attempt.judged.drop_points == best > 0


def test_a_training_that_holds_is_kept_before_what_does_not(lopsided_model, images):
    budget, materials, _ = start(lopsided_model, images, 0.0, (".onnx",))
    budget.make(ONNX, materials)
    row = ROWS[f"model_{QAT}.onnx"]
    exact = materials.made["model_float32.onnx"]
    budget.make(type(row)(QAT, ".onnx", lambda _: exact), materials)  # as if training had mended it all
    assert not budget.needs(row)
    (kept,) = budget.kept()
    assert (kept.file_name, kept.attempt.holds) == ("model_int8_qat.onnx", True)


def test_float_files_are_no_concern(small_model, images):
    budget, _, _ = start(small_model, images, 1.0, ())
    assert [scheme.file_name for scheme in SCHEMES if budget.concerns(scheme)] == [
        "model_int8.tflite",
        "model_int8_qat.tflite",
        "model_int8.onnx",
        "model_int8_qat.onnx",
    ]


def test_of_those_that_hold_the_smallest_is_used(small_model, images):
    budget, materials, _ = start(small_model, images, 50.0, (".tflite",))
    budget.make(TFLITE, materials)
    row = ROWS[f"model_{QAT}.tflite"]
    exact = materials.made["model_float32.tflite"]  # larger, and without any loss
    budget.make(type(row)(QAT, ".tflite", lambda _: exact), materials)
    assert [each.file_name for each in budget.kept()] == ["model_int8.tflite"]


def test_a_file_that_is_not_quick_enough_does_not_hold(small_model, images):
    budget, materials, told = start(small_model, images, 50.0, (".onnx",), speedup=1000.0)
    budget.make(ONNX, materials)
    assert budget.needs(ONNX)
    assert len(told) == 2
