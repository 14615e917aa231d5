"""Tries the consumer matrix: its judgement on worked numbers, its programs on the runtimes that are here anyway."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers.environments import EnvironmentMissing
from tests.consumers import __main__ as command
from tests.consumers import environments
from tests.consumers.catalogue import CONSUMERS, PROGRAMS, Consumer
from tests.consumers.judging import Answer, judge, read_answer
from tests.consumers.matrix import ask_all, read_photos
from tests.consumers.table import notes

LABELS = ["cat", "dog"]
LOCAL = ["ai-edge-litert", "tf.lite.Interpreter", "onnxruntime", "OpenCV's dnn"]


@pytest.fixture(scope="module")
def digits_run(digits_run, tmp_path_factory):
    """The run with one .onnx file, so that a consumer of .onnx gives one answer."""
    run = shutil.copytree(digits_run, tmp_path_factory.mktemp("consumed") / "digits")
    (run / "model_int8.onnx").unlink()
    return run


def answer(scores, scale=0.0, labels=LABELS, is_calibrated=False):
    return Answer("1.0", np.array(scores, float), (scale, 0), is_calibrated, labels)


def this_python(name):
    return sys.executable, []


# --- judging


def test_equal_answers_are_without_fault():
    reference = answer([[0.9, 0.1], [0.2, 0.8]])
    verdict = judge(answer([[0.90005, 0.09995], [0.2, 0.8]]), reference, LABELS, sees_labels=True)
    assert (verdict.photos, verdict.same_top1, verdict.faults) == (2, 2, ())
    assert verdict.largest_difference == pytest.approx(5e-5)


def test_another_top_1_is_a_fault_that_names_the_photo():
    verdict = judge(
        answer([[0.9, 0.1], [0.50001, 0.49999]]), answer([[0.9, 0.1], [0.49999, 0.50001]]), LABELS, sees_labels=True
    )
    assert verdict.same_top1 == 1
    assert verdict.faults == ("answers otherwise on 1 of 2 photos; photo 1: cat, not dog",)


def test_a_tie_goes_to_the_lower_index():
    reference = answer([[128 / 256, 128 / 256]], scale=1 / 256)
    assert judge(answer([[128 / 256, 127 / 256]]), reference, LABELS, sees_labels=True).faults == ()
    (fault,) = judge(answer([[127 / 256, 128 / 256]]), reference, LABELS, sees_labels=True).faults
    assert "answers otherwise on 1 of 1 photos" in fault


@pytest.mark.parametrize(("steps", "is_fault"), [(0, False), (1, False), (2, True)])
def test_a_quantized_file_may_differ_by_one_step(steps, is_fault):
    reference = answer([[200 / 256, 56 / 256]], scale=1 / 256)
    verdict = judge(answer([[(200 + steps) / 256, 56 / 256]]), reference, LABELS, sees_labels=True)
    assert bool(verdict.faults) == is_fault


@pytest.mark.parametrize(
    ("scores", "fault"),
    [
        ((102, 154), None),  # it was 132 to 124: eight steps apart
        ((96, 160), "scores differ by up to 0.14"),
    ],
)
def test_int8_kernels_of_ones_own_may_turn_a_near_tie(scores, fault):
    pairs = [(132, 124), *[(200, 56)] * 99]
    reference = answer(np.array(pairs) / 256, scale=1 / 256)
    pairs[0] = scores
    own = answer(np.array(pairs) / 256, scale=1 / 256)
    verdict = judge(own, reference, LABELS, sees_labels=True, has_own_int8=True)
    assert (verdict.same_top1, verdict.turned) == (99, 1)
    assert [text[: len(fault or "")] for text in verdict.faults] == ([fault] if fault else [])
    assert judge(own, reference, LABELS, sees_labels=True).faults[0].startswith("answers otherwise on 1 of 100")


def test_but_no_clear_answer_and_not_many():
    reference = answer(np.array([(150, 106), *[(200, 56)] * 99]) / 256, scale=1 / 256)
    clear = answer(np.array([(127, 129), *[(200, 56)] * 99]) / 256, scale=1 / 256)
    (fault,) = judge(clear, reference, LABELS, sees_labels=True, has_own_int8=True).faults
    assert fault.startswith("answers otherwise on 1 of 100")
    near = answer(np.array([(130, 126)] * 3 + [(200, 56)] * 97) / 256, scale=1 / 256)
    many = answer(np.array([(126, 130)] * 3 + [(200, 56)] * 97) / 256, scale=1 / 256)
    (fault,) = judge(many, near, LABELS, sees_labels=True, has_own_int8=True).faults
    assert fault.startswith("answers otherwise on 3 of 100")
    floats = answer(near.scores)  # a float file has no int8 kernels to excuse it
    assert judge(answer(many.scores), floats, LABELS, sees_labels=True, has_own_int8=True).faults


def test_a_file_that_quantizes_in_each_call_may_turn_a_near_tie_in_every_runtime():
    floats = answer(np.array([(0.51, 0.49), *[(0.8, 0.2)] * 99]))
    near, far = (answer(np.array([pair, *[(0.8, 0.2)] * 99])) for pair in ((0.49, 0.51), (0.3, 0.7)))
    verdict = judge(near, floats, LABELS, sees_labels=True, is_hybrid=True)
    assert (verdict.turned, verdict.faults) == (1, ())
    assert judge(near, floats, LABELS, sees_labels=True).faults
    assert judge(far, floats, LABELS, sees_labels=True, is_hybrid=True).faults


def test_a_float_file_may_not():
    (fault,) = judge(answer([[0.802, 0.2]]), answer([[0.8, 0.2]]), LABELS, sees_labels=True).faults
    assert fault == "scores differ by up to 0.002, at most 0.0001 was expected"


def test_scores_that_a_consumer_calibrates_are_compared_with_calibrated_ones():
    reference = answer([[0.8, 0.2], [1.0, 0.0]])
    # logit(0.8) = log 4; halved it is log 2, which is 2/3
    calibrated = answer([[2 / 3, 1 / 3], [1.0, 0.0]], is_calibrated=True)
    assert judge(calibrated, reference, LABELS, sees_labels=True, temperature=2.0).faults == ()
    (fault,) = judge(calibrated, reference, LABELS, sees_labels=True).faults
    assert fault.startswith("scores differ by up to 0.13")


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (["dog", "cat"], "sees the labels ['dog', 'cat'], not ['cat', 'dog']"),
        (["cat"], "sees the labels ['cat'], not ['cat', 'dog']"),
        (None, "sees no labels"),
        ([], "sees no labels"),
    ],
)
def test_labels_count_where_there_is_a_way_to_them(seen, fault):
    reference = answer([[0.8, 0.2]])
    assert judge(answer([[0.8, 0.2]], labels=seen), reference, LABELS, sees_labels=True).faults == (fault,)
    assert judge(answer([[0.8, 0.2]], labels=seen), reference, LABELS, sees_labels=False).faults == ()


def test_integers_become_scores_by_the_consumers_scale_or_by_the_references():
    told = {"version": "2", "scores": [[3, 13]], "integers": True, "labels": None}
    assert read_answer(told, 1, 2, (0.5, 1)).scores.tolist() == [[1.0, 6.0]]
    told |= {"scale": 0.1, "zero_point": 3}
    assert read_answer(told, 1, 2, (0.5, 1)).scores.tolist() == [[0.0, 1.0]]
    told["integers"] = False
    assert read_answer(told, 1, 2, (0.5, 1)).scores.tolist() == [[3.0, 13.0]]
    assert not read_answer(told, 1, 2, (0.5, 1)).is_calibrated
    assert read_answer({**told, "calibrated": True}, 1, 2, (0.5, 1)).is_calibrated


@pytest.mark.parametrize(
    ("scores", "words"),
    [([[1, 2, 3]], "2 photos and 2 classes"), ([[0.1, 0.9]], "got \\(1, 2\\)"), ([[0, float("nan")]] * 2, "finite")],
)
def test_scores_that_are_none(scores, words):
    with pytest.raises(ValueError, match=words):
        read_answer({"version": "2", "scores": scores, "integers": False, "labels": None}, 2, 2, (0.0, 0))


# --- asking


def test_the_runtimes_that_are_here_agree_about_a_real_run(digits_run, tmp_path):
    for name in ("model_int8.tflite", "model_float32.onnx"):  # two: TensorFlow takes its time to start
        (tmp_path / name).symlink_to(digits_run / name)
    photos = read_photos(digits_run, 40)
    assert len(photos.images) == 40
    consumers = [each for each in CONSUMERS if each.name in LOCAL]
    rows = list(ask_all(tmp_path, photos, consumers, this_python))
    assert [(row.consumer, row.file) for row in rows] == [
        *((name, "model_int8.tflite") for name in LOCAL[:2]),
        *((name, "model_float32.onnx") for name in LOCAL[2:]),
    ]
    assert {row.reasons for row in rows} == {()}
    assert {(row.state, row.photos, row.same_top1) for row in rows} == {("same", 40, 40)}
    assert [row.labels for row in rows] == [10, 10, 10, None]
    assert min(row.answers for row in rows) > 5
    assert [row.largest_difference is None for row in rows] == [True, False, True, False]


def program(folder, body):
    """Write a consumer's program and return a consumer that runs it."""
    path = folder / "program.py"
    path.write_text(f"import json, sys\nimport numpy as np\nmodel, photos, answer = sys.argv[1:]\n{body}\n")
    return Consumer("another", ".onnx", "here", str(path))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('no such operator')", "exit code 1: no such operator"),
        ("pass", "exit code 0: no word"),
        (
            "scores = [[float(k == 3) for k in range(10)] for _ in np.load(photos)['images']]\n"
            "told = {'version': '7', 'scores': scores, 'integers': False, 'labels': [str(k) for k in range(10)]}\n"
            "open(answer, 'w').write(json.dumps(told))",
            "answers otherwise on ",
        ),
        ("open(answer, 'w').write('{}')", "'scores'"),
        ("open(answer, 'w').write('nonsense')", "Expecting value"),
    ],
)
def test_a_consumer_that_fails_or_answers_otherwise_is_red(digits_run, tmp_path, body, reason):
    reference = next(each for each in CONSUMERS if each.suffix == ".onnx")
    consumers = [reference, program(tmp_path, body)]
    good, bad = ask_all(digits_run, read_photos(digits_run, 20), consumers, this_python)
    assert (good.state, bad.state) == ("same", "differs")
    assert bad.reasons[0].startswith(reason)


def test_frigate_is_left_out_by_a_file_that_it_can_not_use_and_no_path_is_told(digits_run, tmp_path):
    (tmp_path / "model_int8.tflite").symlink_to(digits_run / "model_int8.tflite")
    consumers = [each for each in CONSUMERS if each.name in ("ai-edge-litert", "Frigate's loader")]
    good, left_out = ask_all(tmp_path, read_photos(digits_run, 5), consumers, this_python)
    assert (good.state, left_out.state) == ("same", "skipped")
    assert left_out.reasons == (
        "Frigate gives images of 224x224, model_int8.tflite takes 32x32; train with --image-size 224",
    )


QUANTIZED = """
scores = {scores}
told = {{"version": "7", "scores": scores, "integers": True, "scale": 1 / 256, "zero_point": 0, "labels": None}}
open(answer, "w").write(json.dumps(told))
"""


def test_kin_give_the_same_scores_and_what_the_reference_says_is_told_all_the_same(tmp_path):
    (tmp_path / "model_int8.onnx").touch()
    np.savez(tmp_path / "eval.npz", images=np.zeros((2, 1, 1, 3), np.uint8), labels=[0, 1], names=LABELS)
    said = {
        "reference": [[130, 126], [9, 247]],
        "own": [[126, 130], [9, 247]],
        "kin": [[126, 130], [9, 247]],
        "stranger": [[130, 126], [9, 247]],
    }
    consumers = []
    for name, scores in said.items():
        (tmp_path / name).mkdir()
        asked = program(tmp_path / name, QUANTIZED.format(scores=scores))
        kin = "own" if name in ("kin", "stranger") else None
        consumers.append(replace(asked, name=name, sees_labels=False, has_own_int8=name == "own", kin=kin))
    rows = list(ask_all(tmp_path, read_photos(tmp_path, None), consumers, this_python))
    assert [row.state for row in rows] == ["same", "close", "close", "differs"]
    assert [row.same_top1 for row in rows] == [2, 1, 1, 2]
    assert rows[1].reasons == ("turns 1 of 2 photos that are close to a tie, by int8 kernels of its own",)
    assert rows[2].reasons == ("turns 1 of 2 photos, as own does, whose kernels it shares",)
    assert rows[3].reasons[0].startswith("answers otherwise on 1 of 2 photos")


def test_what_a_consumer_is_known_not_to_read_is_not_asked(digits_run):
    first, *_ = (each for each in CONSUMERS if each.suffix == ".onnx")
    limited = replace(first, name="another", limits={"float32": "it reads no floats"})
    _, left_out = ask_all(digits_run, read_photos(digits_run, 5), [first, limited], this_python)
    assert (left_out.state, left_out.reasons) == ("skipped", ("it reads no floats",))


def test_where_its_kin_has_a_limit_a_consumer_is_held_to_the_reference(digits_run):
    first, *_ = (each for each in CONSUMERS if each.suffix == ".onnx")
    limited = replace(first, name="another", limits={"float32": "it reads no floats"})
    rows = list(
        ask_all(digits_run, read_photos(digits_run, 5), [first, limited, replace(first, kin="another")], this_python)
    )
    assert [row.state for row in rows] == ["same", "skipped", "same"]


def test_without_a_reference_nothing_passes(digits_run, tmp_path):
    broken = program(tmp_path, "sys.exit('broken')")
    other = next(each for each in CONSUMERS if each.suffix == ".onnx")
    rows = list(ask_all(digits_run, read_photos(digits_run, 5), [broken, other], this_python))
    assert [row.state for row in rows] == ["differs", "differs"]
    assert rows[1].reasons == ("there is no reference to compare with",)


def test_every_program_is_there_and_the_first_of_a_suffix_needs_no_environment():
    assert all((PROGRAMS / each.program).is_file() for each in CONSUMERS)
    for suffix in (".tflite", ".onnx"):
        assert next(each for each in CONSUMERS if each.suffix == suffix).environment == "development"


def test_photos_are_taken_evenly(tmp_path):
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1).repeat(3, axis=3)
    np.savez(tmp_path / "eval.npz", images=images, labels=np.zeros(10, np.int64), names=np.array(["a", "b"]))
    assert read_photos(tmp_path, 4).images[:, 0, 0, 0].tolist() == [0, 3, 6, 9]
    assert len(read_photos(tmp_path, 11).images) == 10
    assert read_photos(tmp_path, None).labels == ["a", "b"]


# --- the command


@pytest.fixture
def small_matrix(monkeypatch):
    """Ask two about .onnx files, in this environment."""
    monkeypatch.setattr(command, "CONSUMERS", [each for each in CONSUMERS if each.name in LOCAL[2:]])
    monkeypatch.setattr(command, "prepare", this_python)


def test_the_command_writes_its_table(digits_run, small_matrix, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- consumers -->\nold\n<!-- end of consumers -->\n\nend\n")
    line = ["--run", str(digits_run), "--photos", "12", "--json", str(tmp_path / "m.json"), "--markdown", str(page)]
    assert command.main(line) == 0
    said = capsys.readouterr()
    assert "model_float32.onnx, OpenCV's dnn: same" in said.err
    assert "reference" in said.out
    rows = json.loads((tmp_path / "m.json").read_text())["rows"]
    assert [(row["consumer"], row["state"], row["same_top1"]) for row in rows] == [
        ("onnxruntime", "same", 12),
        ("OpenCV's dnn", "same", 12),
    ]
    lines = page.read_text().splitlines()
    assert lines[:3] == ["# Page", "", "<!-- consumers -->"]
    assert lines[3] == (
        "| consumer | version | file | photos | same top-1 | labels seen | largest difference | as expected |"
    )
    assert lines[6].startswith("| OpenCV's dnn | ")
    assert " | model_float32.onnx | 12 | 12 | no way to | " in lines[6]
    assert lines[-3:] == ["<!-- end of consumers -->", "", "end"]


def test_what_can_not_be_asked_here_is_said_and_what_differs_exits_1(digits_run, small_matrix, monkeypatch, capsys):
    def prepare(name):
        if name != "development":
            raise EnvironmentMissing("npm is not installed")
        return this_python(name)

    monkeypatch.setattr(command, "prepare", prepare)
    assert command.main(["--run", str(digits_run), "--photos", "5"]) == 0
    assert "skipped: OpenCV's dnn: npm is not installed (model_float32.onnx)" in capsys.readouterr().out
    monkeypatch.setattr(command, "prepare", lambda name: (shutil.which("false"), []))
    assert command.main(["--run", str(digits_run), "--photos", "5"]) == 1
    assert "differs: onnxruntime: exit code 1: no word (model_float32.onnx)" in capsys.readouterr().out


def test_a_run_that_answers_always_the_same_proves_little(digits_run, tmp_path):
    body = (
        "scores = [[float(k == 3) for k in range(10)] for _ in np.load(photos)['images']]\n"
        "told = {'version': '7', 'scores': scores, 'integers': False, 'labels': np.load(photos)['names'].tolist()}\n"
        "open(answer, 'w').write(json.dumps(told))"
    )
    rows = list(ask_all(digits_run, read_photos(digits_run, 5), [program(tmp_path, body)], this_python))
    assert [row.state for row in rows] == ["same"]
    assert notes(rows)[0].startswith("proves little: model_float32.onnx give one answer to all photos")


def test_only_some_with_those_that_they_are_compared_with(capsys):
    assert [each.name for each in command._choose([])] == [each.name for each in CONSUMERS]
    assert [each.name for each in command._choose(["LiteRT.js"])] == ["ai-edge-litert", "LiteRT.js"]
    assert len(command._choose(["tflite-runtime"])) == 3  # the reference, and the one of its kin
    assert command.main(["--only", "nobody", "--run", "."]) == 1
    assert "got 'nobody'" in capsys.readouterr().err


def test_a_run_without_a_conversion(tmp_path, capsys):
    assert command.main(["--run", str(tmp_path)]) == 1
    assert "write it: python -m convert.quantize" in capsys.readouterr().err


# --- environments


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("chromium", "Chromium is not installed"),
        ("npm", "npm is not installed"),
    ],
)
def test_an_environment_that_can_not_be_made_says_why(missing, words, tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "run", lambda line, failed: None)
    monkeypatch.setattr(environments.shutil, "which", lambda name: None if missing in name else f"/bin/{name}")
    monkeypatch.setattr(environments, "_CHROMIUM", ("chromium",))
    with pytest.raises(EnvironmentMissing, match=words):
        environments.prepare("browser", tmp_path)
