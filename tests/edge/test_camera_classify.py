"""Runs the camera loop as its users do: in process, and by path from a copy of edge/ alone."""

import json
import shutil
import signal
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from edge.camera_classify import main
from edge.classifier import Classifier
from edge.seal import MARKER
from tests.cameras import Bench
from tests.edge.conftest import VIDEO_FRAMES, environment, run

KEYS = ["frame", "time", "label", "index", "confidence", "latency_ms", "dropped", "decision"]
SCRIPT = "edge/camera_classify.py"


def flags(model, source, *more):
    return ["--model", str(model), "--source", str(source), *map(str, more)]


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_every_frame_of_a_video_gets_its_line(int8_model, video, capsys):
    assert main(flags(int8_model, video, "--every-frame", "--jsonl", "-")) == 0
    said = capsys.readouterr()
    lines = json_lines(said.out)
    assert [list(line) for line in lines] == [KEYS] * VIDEO_FRAMES
    assert [line["frame"] for line in lines] == list(range(VIDEO_FRAMES))
    assert {line["dropped"] for line in lines} == {0}
    assert f"{VIDEO_FRAMES} frames answered, 0 dropped, " in said.err


def test_the_answers_are_the_classifiers(int8_model, video, capsys):
    classifier, capture = Classifier(int8_model), cv2.VideoCapture(str(video))
    expected = []
    while (read := capture.read())[0]:
        (prediction,) = classifier.classify(read[1])
        # the highest score, sharpened or flattened by the file's temperature
        powers = classifier.scores_of(read[1]).astype(float) ** (1 / classifier.metadata["temperature"])
        expected.append((prediction.label, prediction.index, pytest.approx(powers.max() / powers.sum(), abs=1e-5)))
    assert main(flags(int8_model, video, "--every-frame", "--jsonl", "-")) == 0
    lines = json_lines(capsys.readouterr().out)
    assert [(line["label"], line["index"], line["confidence"]) for line in lines] == expected


def test_a_video_as_camera_answers_or_counts_each_frame(int8_model, video, capsys):
    assert main(flags(int8_model, video, "--jsonl", "-")) == 0
    lines = json_lines(capsys.readouterr().out)
    assert [line["frame"] for line in lines] == [number + line["dropped"] for number, line in enumerate(lines)]
    assert lines[-1]["frame"] == VIDEO_FRAMES - 1


@pytest.mark.parametrize("more", [["--every-frame"], []])
def test_max_frames_ends_the_loop(more, int8_model, video, capsys):
    assert main(flags(int8_model, video, "--max-frames", 3, *more)) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert "3 frames answered" in said.err


def test_a_jsonl_file_grows_and_stdout_stays_empty(int8_model, video, tmp_path, capsys):
    path = tmp_path / "answers.jsonl"
    for runs in (1, 2):
        assert main(flags(int8_model, video, "--every-frame", "--jsonl", path)) == 0
        assert len(json_lines(path.read_text())) == runs * VIDEO_FRAMES
    assert capsys.readouterr().out == ""


@pytest.fixture
def photos(digits_photos, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, photo in enumerate(sorted((digits_photos / "three").iterdir())[:4]):
        shutil.copy(photo, folder / f"{number}.png")
    return folder


def test_a_folder_gives_each_photo_once_and_skips_the_broken(int8_model, photos, capsys):
    (photos / "1.png").write_bytes((photos / "1.png").read_bytes()[:200])
    assert main(flags(int8_model, photos)) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["0", "2", "3"]
    assert [line.split()[-1] for line in said.out.splitlines()] == [
        str(photos / f"{number}.png") for number in (0, 2, 3)
    ]
    assert f"skipped: {photos / '1.png'}: Expected a whole JPEG" in said.err
    assert "3 frames answered, 0 dropped, 1 broken photos skipped" in said.err


def test_a_folder_of_broken_photos_is_an_error(int8_model, photos, capsys):
    for photo in photos.iterdir():
        photo.write_bytes(b"no photo")
    assert main(flags(int8_model, photos)) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("none of the 4 could be read")


def test_a_model_without_labels_says_so_once(int8_model, video, tmp_path, capsys):
    with zipfile.ZipFile(int8_model) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    bare = tmp_path / "bare.tflite"
    # another maker's file: no texts behind it, and no word that a hash must follow
    bare.write_bytes(int8_model.read_bytes()[:start].replace(MARKER, b"?" * len(MARKER)))
    assert main(flags(bare, video, "--every-frame", "--jsonl", "-")) == 0
    said = capsys.readouterr()
    assert all(line["label"] == str(line["index"]) for line in json_lines(said.out))
    assert said.err.count("carries no labels") == 1


def test_onnx_answers_too(digits_run, video, capsys):
    assert main(flags(digits_run / "model_float32.onnx", video, "--every-frame", "--num-threads", 2)) == 0
    assert len(capsys.readouterr().out.splitlines()) == VIDEO_FRAMES


@pytest.mark.parametrize(
    ("source", "more", "message"),
    [
        ("none.mp4", [], "there is no file or folder 'none.mp4'"),
        ("97", [], "Expected a camera at /dev/video97, there is none"),
        ("/dev/video97", [], "--wait tries until it opens"),
        ("0", ["--every-frame"], "for --every-frame, but /dev/video0 has no end"),
        ("text", [], "does not open as either"),
        ("folder", [], "Expected photos"),
        ("video", ["--model", "none.tflite"], "could not read it: No such file"),
        ("video", ["--model", "text"], "Expected a .tflite or .onnx model"),
        ("97", ["--wait", "--model", "none.tflite"], "could not read it: No such file"),
        ("video", ["--jsonl", "none/x.jsonl"], "Expected to write answers to none/x.jsonl"),
    ],
)
def test_a_mistake_is_one_line_and_code_1(source, more, message, int8_model, video, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("neither video nor model")
    (tmp_path / "folder").mkdir()
    assert main(flags(int8_model, video if source == "video" else source, *more)) == 1
    said = capfd.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()  # of the whole process: OpenCV and FFmpeg are silent too
    assert line.startswith("error: ")
    assert message in line


def test_show_without_windows_is_one_line(int8_model, video, monkeypatch, capfd):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    assert main(flags(int8_model, video, "--show")) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "edge-display" in line


def test_show_shows_each_answer_and_ends_with_the_window(int8_model, video, monkeypatch, capsys):
    shown = []

    class Window:
        def show(self, frame, text):
            shown.append((frame.shape, text))
            return len(shown) < 3

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("edge.overlay.Window", Window)
    assert main(flags(int8_model, video, "--show", "--every-frame")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert shown == [*(((48, 64, 3), line.strip()) for line in lines), "closed"]
    assert len(lines) == 3


@pytest.mark.parametrize(
    "more",
    [
        ["--max-frames", "0"],
        ["--max-frames", "many"],
        ["--num-threads", "-1"],
        ["--jsonl"],
        ["--source"],
        ["--every"],
        ["--nonsense"],
        ["positional"],
    ],
    ids=" ".join,
)
def test_a_bad_flag_is_code_2(more, int8_model, video, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*flags(int8_model, video), *more])
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_bare_takes_the_latest_run_and_the_first_camera(tmp_path, monkeypatch, capsys, int8_model, video):
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    shutil.copy(int8_model, tmp_path / "runs" / "latest" / "model_int8.tflite")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edge.devices.list_devices", lambda: ["/dev/null"])
    real = cv2.VideoCapture
    monkeypatch.setattr("edge.sources.cv2.VideoCapture", lambda device, api: real(str(video)))
    assert main(["--max-frames", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("isolated", [[], ["-I"]], ids=["plain", "isolated"])
def test_a_copied_folder_runs_by_path_from_anywhere(isolated, device, video, tmp_path):
    done = run(
        tmp_path,
        *isolated,
        device / SCRIPT,
        *flags(device / "model_int8.tflite", video, "--every-frame", "--jsonl", "-"),
    )
    assert done.returncode == 0, done.stderr
    assert len(json_lines(done.stdout)) == VIDEO_FRAMES


def test_a_copied_folder_runs_as_a_module(device, video):
    done = run(device, "-m", "edge.camera_classify", *flags("model_int8.tflite", video, "--every-frame"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == VIDEO_FRAMES


def test_by_path_it_uses_its_own_folder_and_no_tensorflow(device, video, tmp_path):
    code = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    import edge, json\n"
        "    print(json.dumps([end.code, edge.__file__, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = run(tmp_path, "-c", code, device / SCRIPT, *flags(device / "model_int8.tflite", video, "--every-frame"))
    code, file, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    assert file == str(device / "edge" / "__init__.py")
    assert not {"tensorflow", "tf_keras", "keras", "train", "convert", "PIL", "onnxruntime", "flask"} & {*modules}
    assert {"numpy", "cv2", "ai_edge_litert"} <= {*modules}


def test_errors_of_a_whole_process_are_one_line_without_secrets(device, tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    for source in (text, "97", "auto", "rtsp://user:hush@127.0.0.1:9/x", "http://user:hush@127.0.0.1:9/x?pwd=hush"):
        done = run(device, SCRIPT, *flags("model_int8.tflite", source))
        if source == "auto" and done.returncode == 0:
            continue  # a machine with a camera
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "hush" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_loop_with_whole_lines(number, device, network, tmp_path):
    answers = tmp_path / "answers.jsonl"
    child = start(device, flags("model_int8.tflite", f"{network}/stream", "--jsonl", "-"))
    with child, answers.open("w") as copy:
        for _ in range(3):
            copy.write(child.stdout.readline())
        child.send_signal(number)
        said, noted = child.communicate(timeout=20)
        copy.write(said)
    assert child.returncode == 0
    lines = json_lines(answers.read_text())
    assert len(lines) >= 3
    assert noted.splitlines()[-1].startswith(f"{len(lines)} frames answered, {lines[-1]['dropped']} dropped")


def test_waiting_for_a_camera_says_so_and_ends_with_a_signal(device):
    child = start(device, flags("model_int8.tflite", "/dev/video97", "--wait"))
    with child:
        for line in child.stderr:
            if "XNNPACK" not in line:  # the runtime's greeting
                break
        assert line.startswith("waiting for /dev/video97: Expected a camera at /dev/video97, there is none")
        child.send_signal(signal.SIGTERM)
        said, noted = child.communicate(timeout=20)
    assert (child.returncode, said, noted) == (0, "", "0 frames answered, 0 dropped\n")


def test_a_signal_ends_it_while_a_stream_hangs(device, network):
    child = start(device, flags("model_int8.tflite", f"{network}/stalls", "--jsonl", "-"))
    with child:
        for line in child.stderr:
            if line.startswith("lost"):
                break
        assert line.endswith("/stalls, it hangs; opening it again until it is back\n")
        child.send_signal(signal.SIGTERM)
        said, noted = child.communicate(timeout=20)
    assert child.returncode == 0
    assert noted.splitlines()[-1].startswith(f"{len(json_lines(said))} frames answered")


def test_nothing_is_imported_on_the_way_to_the_first_answer_that_it_does_without(device, video):
    needless = "asyncio email http importlib.metadata logging multiprocessing paho ssl unittest edge.mqtt edge.overlay"
    code = (
        "import sys; from edge.camera_classify import main; code = main(sys.argv[2:]); "
        "print([name for name in sys.argv[1].split() if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = run(device, "-c", code, needless, *flags("model_int8.tflite", video, "--max-frames", "1"))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_log_on_a_full_disk_does_not_stop_it(device, video):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, SCRIPT, *flags("model_int8.tflite", video, "--every-frame", "--jsonl", "-")],
            cwd=device,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == VIDEO_FRAMES


def test_it_needs_no_place_to_write(device, video):
    read_only = "mount -o remount,ro,bind / && ! touch read-only 2> /dev/null && exec"
    line = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{read_only} "$@"', "sh"]
    try:
        allowed = subprocess.run([*line, "true"], cwd=device, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("needs the right to make namespaces, and a disk under the test's folder that is the root's")
    done = subprocess.run(
        [*line, sys.executable, SCRIPT, *flags("model_int8.tflite", video, "--every-frame", "--jsonl", "-")],
        cwd=device,
        env=environment(HOME="/nowhere", TMPDIR="/nowhere"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == VIDEO_FRAMES


@pytest.mark.parametrize("text", ["0", "151", "nan", "hot"])
def test_a_limit_that_no_processor_has_is_code_2(text, int8_model, video, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*flags(int8_model, video), "--max-temperature", text])
    assert stopped.value.code == 2
    assert "expected 1 to 150 degrees Celsius" in capsys.readouterr().err


def test_above_its_limit_it_says_so_and_answers_less_often(int8_model, network, monkeypatch, capsys):
    celsius = iter([60.0, 60.0, *[71.0] * 2, *[50.0] * 99])
    monkeypatch.setattr("edge.cooling._LOOK_S", 0.05)
    monkeypatch.setattr("edge.cooling.read_temperature", lambda: next(celsius))
    assert main(flags(int8_model, f"{network}/stream", "--max-frames", 40, "--max-temperature", 70)) == 0
    noted = capsys.readouterr().err
    assert "71 °C, above 70: answering at 1/2 of the rate until it is cooler\n" in noted
    assert "50 °C: back to the full rate\n" in noted


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 4), (4320, 7680, 3)], ids=str)
def test_grey_four_channels_and_8k_are_answered(shape, int8_model, monkeypatch, tmp_path, capsys):
    class Camera:
        def read(self):
            return True, np.full(shape, 90, np.uint8)

        def get(self, prop):
            return 0.0

        def release(self):
            pass

    with Bench(tmp_path).installed() as bench:
        bench.plug_in(0)
        monkeypatch.setattr(bench, "open", lambda device: Camera())
        assert main(flags(int8_model, "0", "--max-frames", 2, "--jsonl", "-")) == 0
    lines = json_lines(capsys.readouterr().out)
    classifier, even_grey = Classifier(int8_model), np.full((32, 32, 3), 90, np.uint8)  # the same at any size
    (expected,) = classifier.classify(even_grey)
    assert [line["label"] for line in lines] == [expected.label] * 2
    powers = classifier.scores_of(even_grey).astype(float) ** (1 / classifier.metadata["temperature"])
    assert lines[0]["confidence"] == pytest.approx(powers.max() / powers.sum(), abs=1e-5)


def start(folder, arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
