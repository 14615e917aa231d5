import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.differences import find_differences, is_same_machine

PI = {"cpu_model": "Cortex-A76", "cores": 4, "temperature_c": 50.0, "versions": {"numpy": "2.0"}}
WARM = {**PI, "temperature_c": 70.0, "versions": {"numpy": "2.4"}}
PC = {**PI, "cpu_model": "EPYC"}

names = st.sampled_from(["model_float32.tflite", "model_int8.tflite", "model_int8.onnx"])
drawn_rows = st.fixed_dictionaries(
    {"model": names, "num_threads": st.integers(1, 2), "runtime": st.sampled_from(["onnxruntime 1.0", "x 2.0"])},
    optional={
        "run": st.sampled_from(["a", "b"]),
        "scheme": st.sampled_from(["float32", "int8"]),
        "n": st.sampled_from([50, 656]),
        "accuracy": st.floats(0, 1),
        "agreement": st.none() | st.floats(0, 1),
        "size_bytes": st.integers(0, 10**8),
        "peak_rss_bytes": st.integers(1, 10**9),
        "invoke_ms": st.fixed_dictionaries({"p50": st.floats(1e-3, 1e3)}),
        "noisy": st.booleans(),
    },
)
sections = st.dictionaries(
    st.sampled_from(["latency", "accuracy", "size"]),
    st.fixed_dictionaries(
        {"machine": st.sampled_from([PI, WARM, PC]), "rows": st.lists(drawn_rows, max_size=6)},
    ),
    max_size=3,
)


@given(sections, st.booleans())
def test_nothing_differs_from_itself(results, as_ratios):
    found = find_differences(results, copy.deepcopy(results), 0.0, as_ratios=as_ratios)
    assert (found.worse, found.better, found.missing, found.new) == ([], [], [], [])


def about(lines):
    """Return what lines are about: the figures in them stand the other way round on the way back."""
    return sorted(line.partition(" -> ")[0].rpartition(" ")[0] or line for line in lines)


@given(sections, sections, st.sampled_from([0.0, 0.05, 1.0]), st.booleans())
def test_worse_one_way_is_better_the_other_way(old, new, tolerance, as_ratios):
    there = find_differences(old, new, tolerance, as_ratios=as_ratios)
    back = find_differences(new, old, tolerance, as_ratios=as_ratios)
    assert about(there.worse) == about(back.better)
    assert about(there.better) == about(back.worse)
    assert sorted(there.missing) == sorted(back.new)
    assert sorted(there.new) == sorted(back.missing)
    assert there.same == back.same


def timed(model, ms, **values):
    scheme = "float32" if "float32" in model else "int8"
    return {
        **{"run": "demo", "model": model, "scheme": scheme, "runtime": "onnxruntime 1.32.0", "num_threads": 1},
        **{"invoke_ms": {"p50": ms}, **values},
    }


def results(*rows, machine=PI, section="latency"):
    return {section: {"machine": machine, "rows": list(rows)}}


def test_lines_name_what_changed():
    old = results(timed("model_float32.onnx", 4.0), timed("model_int8.onnx", 2.0), timed("model_float16.onnx", 4.0))
    new = results(
        timed("model_float32.onnx", 3.0), timed("model_int8.onnx", 3.0, noisy=True), timed("model_int8_qat.onnx", 2.0)
    )
    found = find_differences(old, new, 0.05)
    start = "latency: demo, "
    end = ", onnxruntime, 1 thread"
    assert found.worse == [f"{start}model_int8.onnx{end}: invoke_ms p50 2 -> 3 ms (+50.0%) (by more than 15 %: noisy)"]
    assert found.better == [f"{start}model_float32.onnx{end}: invoke_ms p50 4 -> 3 ms (-25.0%) (by more than 5 %)"]
    assert found.missing == [f"{start}model_float16.onnx{end}"]
    assert found.new == [f"{start}model_int8_qat.onnx{end}"]


def test_machines_that_differ_are_compared_over_their_float32_files():
    old = results(timed("model_float32.onnx", 4.0), timed("model_int8.onnx", 2.0))
    slow = results(timed("model_float32.onnx", 40.0), timed("model_int8.onnx", 20.0), machine=PC)
    found = find_differences(old, slow, 0.05)
    assert (found.worse, found.better, found.same) == ([], [], 1)
    assert found.passed_over == ["latency: times and memory as they stand: the machines differ"]
    worse = results(timed("model_float32.onnx", 40.0), timed("model_int8.onnx", 50.0), machine=PC)
    assert "invoke_ms p50 over float32's 0.5 -> 1.25 (+150.0%)" in find_differences(old, worse, 0.05).worse[0]


def test_ratios_on_one_machine_when_asked():
    old = results(timed("model_float32.onnx", 4.0), timed("model_int8.onnx", 2.0))
    new = results(timed("model_float32.onnx", 8.0), timed("model_int8.onnx", 4.0))
    assert len(find_differences(old, new, 0.05).worse) == 2
    assert find_differences(old, new, 0.05, as_ratios=True).worse == []


def test_float32_of_another_format_run_or_thread_count_is_no_reference():
    others = [
        timed("model_float32.tflite", 1.0),
        timed("model_float32.onnx", 1.0, num_threads=4),
        timed("model_float32.onnx", 1.0, run="other"),
    ]
    both = results(*others, timed("model_int8.onnx", 2.0))
    found = find_differences(both, both, 0.05, as_ratios=True)
    assert found.same == 0
    assert ["no float32 file beside it" in line for line in found.passed_over] == [True]


def test_sizes_are_compared_as_they_stand_on_any_machine():
    old, new = (results({"model": "m", "size_bytes": size}, machine=m) for size, m in ((100, PI), (120, PC)))
    assert len(find_differences(old, new, 0.05).worse) == 1


def test_a_newer_runtime_is_the_same_runtime():
    new = results(timed("model_int8.onnx", 2.0, runtime="onnxruntime 1.40.0"))
    found = find_differences(results(timed("model_int8.onnx", 2.0)), new, 0.05)
    assert (found.missing, found.new, found.same) == ([], [], 1)


def test_other_photos_are_not_compared():
    old, new = (results({"model": "m", "n": n, "accuracy": share}) for n, share in ((656, 0.9), (393, 0.1)))
    assert find_differences(old, new, 0.05).passed_over == ["latency: m: of 656 and of 393 photos"]


def test_a_figure_that_is_gone():
    found = find_differences(
        results({"model": "m", "size_bytes": 1, "fps": 3}), results({"model": "m", "size_bytes": 1}), 0
    )
    assert found.missing == ["latency: m: fps"]


def test_cases_of_robustness_are_rows_of_their_own():
    old = [{"model": "m", "case": case, "n": 500, "corrupted_accuracy": 0.8} for case in ("all", "blur")]
    new = [old[0], {**old[1], "corrupted_accuracy": 0.6}]
    (worse,) = find_differences(results(*old), results(*new), 0.05).worse
    assert worse.startswith("latency: m, blur: corrupted_accuracy 0.8 -> 0.6 of 1 (-25.0%)")


def test_a_loss_against_float32_that_shows_photo_by_photo():
    row = {"model": "m", "n": 656, "accuracy": 0.88}
    old = {**row, "mcnemar": {"only_float32_right": 4, "only_this_right": 4, "p_value": 1.0}}
    new = {**row, "accuracy": 0.865, "mcnemar": {"only_float32_right": 11, "only_this_right": 1, "p_value": 0.006}}
    (worse,) = find_differences(results(old), results(new), 0.05).worse  # the intervals alone would hide it
    assert "against float32, photo by photo" in worse


def test_what_strangers_say_is_printable():
    found = find_differences(results({"model": "m\x1b[2J\n"}), results(), 0.05)
    assert found.missing == ["latency: m?[2J?"]


@pytest.mark.parametrize(("one", "other", "same"), [(PI, WARM, True), (PI, PC, False), (PI, None, False)])
def test_machines(one, other, same):
    assert is_same_machine({"machine": one}, {"machine": other}) is same
