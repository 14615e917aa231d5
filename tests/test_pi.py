"""Tries what `make pi-test` is made of, as far as no arm64 system is needed."""

import itertools
import json
import os
import platform
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from edge.errors import UserError
from tests.conftest import DIGITS
from tests.pi import __main__ as command
from tests.pi import machine, packages, report, scores, system, trial
from tests.pi.boards import BOARDS, cpuinfo
from tests.pi.comparison import FLOAT_TOLERANCE, HYBRID_TOLERANCE, Asked, compare, compare_file, read_asked
from tests.tree import ROOT

BOOKWORM = system.SUITES["bookworm"]
DEBIAN = {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}


# --- this machine's side


@pytest.fixture
def fit(monkeypatch):
    """Let this machine be one that will do, whatever it is."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: DEBIAN)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(machine.subprocess, "run", lambda line, **_: subprocess.CompletedProcess(line, 0, "", ""))


def test_a_machine_that_will_do(fit):
    machine.require_machine()
    machine.require_machine({"ID": "raspbian", "ID_LIKE": "debian"})


def test_who_is_not_root_is_told_in_one_line(fit, monkeypatch, digits_run, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main(["--run", str(digits_run)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: Expected root, to make an arm64 system and enter it; this is user 1000; run as root\n"


def test_other_systems_and_processors_are_told(fit, monkeypatch):
    with pytest.raises(UserError, match=r"^Expected Debian or a child of it, .* this is Fedora Linux 42"):
        machine.require_machine({"ID": "fedora", "PRETTY_NAME": "Fedora Linux 42"})
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match=r"^Expected x86-64, .* this is aarch64$"):
        machine.require_machine(DEBIAN)


def test_a_missing_program_is_told_with_its_package(fit, monkeypatch):
    missing = {"debootstrap", "qemu-aarch64-static"}
    monkeypatch.setattr(machine.shutil, "which", lambda program: None if program in missing else f"/bin/{program}")
    with pytest.raises(UserError, match=r"found none; install: apt install debootstrap qemu-user-static$"):
        machine.require_machine(DEBIAN)


def test_a_container_without_namespaces_is_told(fit, monkeypatch):
    refused = subprocess.CompletedProcess([], 1, "", "unshare: unshare failed: Operation not permitted\n")
    monkeypatch.setattr(machine.subprocess, "run", lambda line, **_: refused)
    with pytest.raises(UserError, match=r"May make no namespace here .*Operation not permitted"):
        machine.require_machine(DEBIAN)


def test_the_command_enters_a_namespace_of_its_own_first(fit, monkeypatch, digits_run):
    class EnteredError(Exception):
        pass

    def enter(program, line):
        raise EnteredError(program, line)

    monkeypatch.setattr(os, "execvp", enter)
    flags = ["--run", str(digits_run), "--boards", "pi5"]
    with pytest.raises(EnteredError) as entered:
        command.main(flags)
    program, line = entered.value.args
    assert program == line[0] == "unshare"
    assert {"--mount", "--pid", "--kill-child"} <= {*line}
    assert line[-len(flags) - 4 :] == [sys.executable, "-m", "tests.pi", machine.INSIDE, *flags]


def test_the_handler_is_what_debian_registers_but_opened_at_once():
    line = machine.handler_line("/usr/bin/qemu-aarch64-static")
    name, kind, offset, magic, mask, interpreter, flags = line.decode().strip().split(":")[1:]
    assert (name, kind, offset, interpreter) == ("tinysight-arm64", "M", "", "/usr/bin/qemu-aarch64-static")
    assert flags == "F"
    header = bytes.fromhex("7f454c4602010100" + 8 * "00" + "0300b70001000000")  # of a position-independent program
    pattern, cover = (bytes.fromhex(text.replace("\\x", "")) for text in (magic, mask))
    assert all(byte & bits == wanted & bits for byte, wanted, bits in zip(header, pattern, cover, strict=False))
    x86 = header.replace(b"\xb7", b"\x3e")
    assert not all(byte & bits == wanted & bits for byte, wanted, bits in zip(x86, pattern, cover, strict=False))


ENTRY = """enabled
interpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P
flags: POF
offset 0
magic 7f454c460201010000000000000000000200b700
mask ffffffffffffff00fffffffffffffffffeffffff
"""


@pytest.mark.parametrize(
    ("entry", "suits"),
    [
        (ENTRY, True),
        (ENTRY.replace("enabled", "disabled"), False),
        (ENTRY.replace("POF", "PO"), False),  # looked up in the root, where there is no QEMU
        (ENTRY.replace("b700", "f300"), False),  # RISC-V
        ("", False),
    ],
)
def test_a_handler_that_is_there_already_is_known(entry, suits):
    assert machine.runs_arm64(entry) is suits


def test_a_handler_is_taken_back_and_one_of_others_left(tmp_path):
    register = tmp_path / "register"
    register.touch()

    def interrupt():
        with machine.emulation(tmp_path):
            assert b"qemu-aarch64-static:F\n" in register.read_bytes()
            raise KeyboardInterrupt

    (tmp_path / "python3.11").write_text("enabled\ninterpreter /usr/bin/python3.11\nflags: \n")
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert (tmp_path / "tinysight-arm64").read_text() == "-1"
    register.write_bytes(b"")
    (tmp_path / "tinysight-arm64").unlink()
    (tmp_path / "qemu-aarch64").write_text(ENTRY)
    with machine.emulation(tmp_path):
        pass
    assert register.read_bytes() == b""
    assert (tmp_path / "qemu-aarch64").read_text() == ENTRY


def test_nothing_is_removed_that_something_is_mounted_in(tmp_path):
    inside, mountinfo = tmp_path / "root" / "proc", tmp_path / "mountinfo"
    inside.mkdir(parents=True)
    mountinfo.write_text(f"36 35 98:0 / / rw - ext4 /dev/root rw\n37 36 0:5 / {inside} rw - proc proc rw\n")
    with pytest.raises(UserError, match=r"^Expected nothing mounted in .*, found .*/proc; unmount it first$"):
        machine.remove_tree(tmp_path / "root", mountinfo)
    assert inside.is_dir()
    mountinfo.write_text("36 35 98:0 / / rw - ext4 /dev/root rw\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("root", "link", "root"):
        machine.remove_tree(tmp_path / name, mountinfo)
    assert {path.name for path in tmp_path.iterdir()} == {"mountinfo", "elsewhere"}


def test_sigterm_ends_it_as_ctrl_c_does(fit, monkeypatch, tmp_path, digits_run, capsys):
    def end(*_):
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    handlers, emulation = tmp_path / "handlers", machine.emulation
    handlers.mkdir()
    (handlers / "register").touch()
    monkeypatch.setattr(command, "CACHE", tmp_path / "pi")
    monkeypatch.setattr(command, "_try_all", end)
    monkeypatch.setattr(machine, "emulation", lambda: emulation(handlers))
    try:
        assert command.main(["--run", str(digits_run), machine.INSIDE]) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (handlers / "tinysight-arm64").read_text() == "-1"


def test_two_at_once_would_spoil_each_others_folder(tmp_path):
    another = pytest.raises(UserError, match=r"another python -m tests\.pi is at work")
    with command._alone(tmp_path), another, command._alone(tmp_path):
        pass
    with command._alone(tmp_path):
        pass


# --- the system


DEB822 = """Types: deb deb-src
# URIs: http://old.example/debian
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("sources", "suite", "mirror"),
    [
        ([], "bookworm", "http://deb.debian.org/debian"),
        ([DEB822], "bookworm", "http://mirror.example/debian"),
        ([DEB822], "trixie", "http://mirror.example/debian"),  # a mirror has all suites
        (["deb http://a.example/debian bookworm main", DEB822], "bookworm", "http://a.example/debian"),
        (["deb http://a.example/debian stable main", DEB822], "bookworm", "http://mirror.example/debian"),
        (["deb [arch=amd64 signed-by=/k.gpg] https://b.example/x/ trixie main"], "trixie", "https://b.example/x"),
        (["# deb http://a.example/debian bookworm main"], "bookworm", "http://deb.debian.org/debian"),
        (["deb-src http://a.example/debian bookworm main"], "bookworm", "http://deb.debian.org/debian"),
        (["deb cdrom:[Debian 12]/ bookworm main"], "bookworm", "http://deb.debian.org/debian"),
        (["deb https://apt.example/node nodistro main"], "bookworm", "http://deb.debian.org/debian"),
        ([f"Enabled: no\n{DEB822}"], "bookworm", "http://deb.debian.org/debian"),
        ([DEB822.replace("http://mirror", "file:///mirror")], "bookworm", "http://deb.debian.org/debian"),
    ],
)
def test_the_mirror_is_the_one_that_this_machine_uses(sources, suite, mirror):
    assert system.choose_mirror(sources, suite) == mirror


def test_apts_lists_are_read_in_its_order(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("1")
    for name, text in (("b.list", "3"), ("a.sources", "2"), ("c.list.save", "4")):
        (tmp_path / "sources.list.d" / name).write_text(text)
    assert system.read_sources(tmp_path) == ["1", "2", "3"]
    assert system.read_sources(tmp_path / "nowhere") == []


def test_a_system_is_made_once_and_a_half_made_one_anew(tmp_path, monkeypatch):
    lines = []

    def run(line, **_):
        lines.append(line)
        (tmp_path / "root/var/cache/apt/archives").mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(line, int("--second-stage" in line and len(lines) == 2))

    monkeypatch.setattr(system.subprocess, "run", run)
    monkeypatch.setattr(system, "_APT", tmp_path / "no-apt")
    with pytest.raises(UserError, match=r"^Could not make the arm64 system: without a word; all of it is in .*\.log$"):
        system.make_system(tmp_path, "bookworm")
    (tmp_path / "root" / "half").touch()
    for _ in range(2):
        assert system.make_system(tmp_path, "bookworm").root == tmp_path / "root"
    assert not (tmp_path / "root" / "half").exists()
    assert len(lines) == 4
    assert lines[2][-3:] == ["bookworm", str(tmp_path / "root"), "http://deb.debian.org/debian"]
    assert {"debootstrap", "--arch=arm64", "--foreign"} <= {*lines[2]}
    assert lines[3] == ["chroot", str(tmp_path / "root"), "/debootstrap/debootstrap", "--second-stage"]


def test_a_program_of_the_system_is_run_as_the_board(tmp_path, monkeypatch):
    ran, mounted = [], []

    def run(line, env, **_):
        ran.append((line, env))
        return subprocess.CompletedProcess(line, 3, "", "no\nwheels\n\n")

    monkeypatch.setattr(system.subprocess, "run", run)
    monkeypatch.setattr(system, "mount", lambda *line: mounted.append(line))
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere")
    (tmp_path / "var/lib").mkdir(parents=True)
    debian = system.System(tmp_path)
    with pytest.raises(UserError, match="pip failed on Raspberry Pi 5: wheels"):
        debian.call(BOARDS["pi5"], ["pip"])
    ((line, env),) = ran
    assert line == ["chroot", str(tmp_path), "env", "--chdir=/srv", "pip"]
    assert env["QEMU_CPU"] == "cortex-a76"
    assert "PIP_FIND_LINKS" not in env
    assert [each[-1] for each in mounted] == [tmp_path / "proc", tmp_path / "sys", tmp_path / "proc/cpuinfo"]
    assert mounted[1][:4] == ("-t", "sysfs", "-o", "ro")
    told = tmp_path / "var/lib/board-cpuinfo"
    identity = told.stat().st_ino
    (tmp_path / "proc/self").mkdir(parents=True)  # as it looks once it is mounted
    debian.run(BOARDS["pi3"], ["true"])
    assert len(mounted) == 3
    assert told.stat().st_ino == identity
    assert told.read_text() == cpuinfo(BOARDS["pi3"], os.cpu_count())


def test_a_boards_cpuinfo_is_read_as_that_processor():
    from benchmarks.machine import parse_board, parse_cpu_flags, parse_cpu_model

    told = {key: cpuinfo(board, 4) for key, board in BOARDS.items()}
    assert {key: parse_cpu_model(text) for key, text in told.items()} == {
        "pi3": "Cortex-A53",
        "pi4": "Cortex-A72",
        "pi5": "Cortex-A76",
    }
    assert parse_board(told["pi4"]) == "Raspberry Pi 4 (emulated)"
    assert {key for key, text in told.items() if "asimddp" in parse_cpu_flags(text)} == {"pi5"}  # int8 dot products
    assert told["pi3"].count("processor\t: ") == 4


def test_installed_sizes_are_added_up_of_what_is_installed():
    status = (
        "Package: python3.11\nStatus: install ok installed\nInstalled-Size: 1000\nDescription: x\n\n"
        "Package: libpython3.11-stdlib\nStatus: install ok installed\nInstalled-Size: 24\n\n"
        "Package: python3-gone\nStatus: deinstall ok config-files\nInstalled-Size: 5000\n\n"
        "Package: not-python3\nStatus: install ok installed\nInstalled-Size: 7\n"
    )
    assert system.installed_bytes(status, r"(lib)?python3.*") == 1024 * 1024


# --- packages


LOCK = """one==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
one==2.0 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
two-b==3 \\
    --hash=sha256:dd
win==4 ; sys_platform == 'win32' \\
    --hash=sha256:ee
"""


def test_of_a_lock_is_taken_what_the_target_installs():
    old, new = (packages.target_environment(system.SUITES[suite]) for suite in ("bookworm", "trixie"))
    assert packages.pick(LOCK, None, old) == (
        "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\ntwo-b==3 \\\n    --hash=sha256:dd\n"
    )
    assert packages.pick(LOCK, None, new).startswith("one==2.0 \\\n    --hash=sha256:cc\n")
    assert packages.pick(LOCK, ["Two_B"]) == "two-b==3 \\\n    --hash=sha256:dd\n"
    assert packages.pick(LOCK, None) == LOCK
    with pytest.raises(UserError, match=r"^Expected three in requirements\.lock; make it anew: make lock$"):
        packages.pick(LOCK, ["one", "three"])


def test_the_tests_needs_are_closed(monkeypatch):
    requires = {
        "a": ["b>=1", "c; extra == 'x'", "d; sys_platform == 'win32'"],
        "b": ["A", "e; platform_machine == 'aarch64'"],
    }

    def told(name):
        if name == "e":
            raise metadata.PackageNotFoundError(name)
        return requires.get(name)

    monkeypatch.setattr(packages.metadata, "requires", told)
    assert packages.needed_by(["a"], packages.target_environment(BOOKWORM)) == {"a", "b", "e"}


def test_the_real_locks_hold_all_that_the_tests_need():
    target = packages.target_environment(BOOKWORM)
    needed = packages.needed_by(packages._TESTED_WITH, target)
    assert {"onnxruntime", "numpy", "pluggy"} <= needed
    assert not {"tensorflow", "tf-keras"} & needed
    assert "\nonnxruntime==" in packages.pick(packages.LOCK.read_text(), needed, target)


@pytest.mark.parametrize(("suite", "tag", "newest"), [("bookworm", "cp311", 36), ("trixie", "cp313", 41)])
def test_wheels_are_fetched_by_hash_for_what_the_suite_takes(suite, tag, newest):
    line = packages.download_line(Path("lock"), system.SUITES[suite], Path("wheels"))
    assert {"--require-hashes", "--no-deps"} <= {*line}
    assert line[line.index("--only-binary") + 1] == ":all:"
    assert tag in line
    platforms = [after for flag, after in itertools.pairwise(line) if flag == "--platform"]
    assert platforms[0] == f"manylinux_2_{newest}_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= {*platforms}
    assert "://" not in " ".join(line)


def test_sizes_are_those_on_a_card(tmp_path):
    (tmp_path / "a").mkdir()
    for name, size in (("empty", 0), ("a/one", 1), ("a/two", 4096), ("a/three", 4097)):
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "link").symlink_to("a/three")
    assert packages.card_bytes(tmp_path) == 4096 * (0 + 1 + 1 + 2)


# --- scores


def test_int8_scores_may_be_one_step_off():
    here = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]], np.float32)
    step = 1 / 256
    within = compare_file("m", "pi4", "r", here, here + np.float32([[0, step], [0, 0], [-step, 0]]), step, "int8")
    assert (within.photos, within.unit, within.allowed, within.passed) == (3, "steps", 1, True)
    assert within.equal_share == pytest.approx(1 / 3)
    assert within.largest_difference == pytest.approx(1)
    assert within.same_top1 == 2  # the tie was the lower index's
    beyond = compare_file("m", "pi4", "r", here, here + np.float32([[0, 0], [2 * step, 0], [0, 0]]), step, "int8")
    assert beyond.largest_difference == pytest.approx(2)
    assert not beyond.passed


@pytest.mark.parametrize(
    ("scheme", "allowed"), [("float32", FLOAT_TOLERANCE), ("", FLOAT_TOLERANCE), ("dynamic_range", HYBRID_TOLERANCE)]
)
def test_real_scores_have_their_tolerance(scheme, allowed):
    here = np.array([[0.25, 0.75]], np.float32)
    for factor, passes in ((0.9, True), (1.1, False), (np.nan, False)):
        there = here + np.float32([[factor * allowed, 0]])
        found = compare_file("m", "pi4", "r", here, there, 0.0, scheme)
        assert (found.unit, found.allowed, found.passed) == ("score", allowed, passes)


def test_scores_come_from_the_classifier_and_travel_by_file(digits_run, tmp_path):
    from edge import Classifier

    with np.load(digits_run / "eval.npz", allow_pickle=False) as file:
        images = file["images"][:3]
    models = [digits_run / "model_int8.tflite", digits_run / "model_float32.tflite"]
    np.savez(tmp_path / "scores.npz", **scores.ask(models, images))
    asked = read_asked(tmp_path / "scores.npz")
    assert {*asked.scores} == {"model_int8.tflite", "model_float32.tflite"}
    expected = [Classifier(models[0]).scores(image) for image in images]
    assert np.array_equal(asked.scores["model_int8.tflite"], expected)
    assert asked.facts["model_int8.tflite"]["step"] == pytest.approx(1 / 256)
    assert asked.facts["model_float32.tflite"] == {
        "runtime": f"ai-edge-litert {metadata.version('ai-edge-litert')}",
        "scheme": "float32",
        "step": 0,
    }
    assert asked.facts["machine"]["architecture"] == platform.machine()
    rows = compare("pi5", asked, Asked({"model_int8.tflite": 1 - asked.scores["model_int8.tflite"]}, asked.facts))
    ((file, passed),) = [(row.file, row.passed) for row in rows]
    assert (file, passed) == ("model_int8.tflite", False)


# --- what is tried, and what is said of it


class Answers:
    """A system whose programs say what they are told to."""

    def __init__(self, root, *said):
        self.root, self._said, self.lines = root, iter(said), []

    def run(self, board, line, folder="/srv"):
        self.lines.append((line, folder))
        code, out, err = next(self._said)
        return subprocess.CompletedProcess(line, code, out, err)


def test_golden_samples_are_read_from_the_commands_json(tmp_path):
    checks = [
        {"sample": "1", "stage": "scores", "passed": True, "found": "0"},
        {"sample": "2", "stage": "scores", "passed": False, "found": "largest difference 5.00 steps, allowed 1"},
    ]
    answers = Answers(
        tmp_path,
        (0, json.dumps({"checks": checks[:1]}), ""),
        (1, json.dumps({"checks": checks}), ""),
        (-11, "", "qemu: uncaught target signal 11\n"),
    )
    files = ["a.tflite", "b.onnx", "c.tflite"]
    same, differs, crashed = (trial.verify(answers, "pi4", BOARDS["pi4"], file) for file in files)
    assert (same.samples, same.passed, same.differs) == (1, True, ())
    assert (differs.samples, differs.passed) == (2, False)
    assert differs.differs == ("2, scores: largest difference 5.00 steps, allowed 1",)
    assert (crashed.passed, crashed.differs) == (False, ("qemu: uncaught target signal 11",))
    pythons = [line[0] for line, _ in answers.lines]
    assert pythons == ["/srv/device/bin/python", "/srv/tests/bin/python", "/srv/device/bin/python"]


def test_the_camera_line_is_compared_frame_by_frame(tmp_path, digits_run):
    srv = tmp_path / "srv"
    (srv / "run").mkdir(parents=True)
    model = digits_run / "model_int8.tflite"
    (srv / "run" / model.name).write_bytes(model.read_bytes())
    frames = trial.write_video(model, srv / "clip.avi")
    assert frames == 16
    flags = ["--model", str(model), "--source", str(srv / "clip.avi"), "--every-frame", "--jsonl", "-", "--top-k", "99"]
    line = [sys.executable, "edge/camera_classify.py", *flags]
    out = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    labels = [json.loads(each)["label"] for each in out.splitlines()]
    assert len({*labels} & {*DIGITS}) > 1
    swapped = out.replace(f'"label": "{labels[0]}"', '"label": "other"')  # which x86 holds for impossible
    answers = Answers(tmp_path, (0, out, ""), (0, swapped, ""), (1, "", "error: no\n"))
    same, other, failed = (trial.film(answers, "pi4", BOARDS["pi4"], model.name, frames) for _ in range(3))
    assert (same.answers, same.same_labels, same.passed) == (16, 16, True)
    assert (other.answers, other.same_labels, other.passed) == (16, 16 - labels.count(labels[0]), False)
    assert (failed.answers, failed.passed) == (0, False)
    assert {folder for _, folder in answers.lines} == {"/srv/copied"}


@pytest.mark.parametrize(("confidence", "close"), [(0.45, 1), (0.40, 0)])
def test_a_class_that_was_nearly_as_likely_may_pass_the_other(confidence, close):
    top = [{"label": "cat", "confidence": 0.55}, {"label": "dog", "confidence": confidence}]
    here, there = json.dumps({**top[0], "top": top}), json.dumps({**top[1], "top": top[::-1]})
    told = trial.compare_answers("m", "pi4", 1, here, there)
    assert (told.answers, told.same_labels, told.close, told.passed) == (1, 0, close, bool(close))


def test_pytests_report_is_read():
    xml = """<testsuites><testsuite>
      <testcase classname="tests.edge.test_a" name="test_one"/>
      <testcase classname="tests.edge.test_a" name="test_two"><failure message="assert 1 == 2&#10;more"/></testcase>
      <testcase classname="tests.edge.test_b" name="test_three"><error message="no fixture">x</error></testcase>
      <testcase classname="tests.edge.test_b" name="test_four"><skipped message="needs Mosquitto">x</skipped></testcase>
    </testsuite></testsuites>"""
    told = trial.read_report(xml, "pi4")
    assert told.passed == 1
    assert told.failed == ("test_a::test_two: assert 1 == 2", "test_b::test_three: no fixture")
    assert told.skipped == ("test_b::test_four: needs Mosquitto",)


def found(**changes):
    here = np.array([[0.25, 0.75]], np.float32)
    rows = [compare_file(f"model_{name}.tflite", "pi4", "r 1", here, here, step, "") for name, step in SCHEMES]
    whole = {
        "suite": "bookworm",
        "packages_bytes": 230_000_000,
        "python_bytes": 30_000_000,
        "here": {},
        "boards": {},
        "comparisons": rows,
        "verified": [trial.Verified(row.file, "pi4", 4, True, ()) for row in rows],
        "filmed": [trial.Filmed(row.file, "pi4", 16, 16, 15, 1) for row in rows],
        "tested": [trial.Tested("pi4", 300, (), ("test_b::test_four: needs Mosquitto",))],
    }
    return report.Report(**{**whole, **changes})


SCHEMES = (("float32", 0.0), ("int8", 1 / 256))


def test_all_is_well(capsys):
    report.print_report(found())
    said = capsys.readouterr().out
    assert "model_int8.tflite" in said
    assert "0 steps" in said
    assert "15+1" in said
    assert "230 MB for the base and the extra edge (at most 350 MB)" in said
    assert (
        "Tests of edge/ on pi4: 300 passed, 0 failed, 1 skipped\n  skipped test_b::test_four: needs Mosquitto" in said
    )
    assert "DIFFERS" not in said
    assert found().faults == []


def test_each_fault_is_named(capsys):
    here = np.array([[0.25, 0.75]], np.float32)
    faulty = found(
        packages_bytes=360_000_000,
        comparisons=[compare_file("m.tflite", "pi5", "r", here, here + np.float32(3 / 256), 1 / 256, "int8")],
        verified=[trial.Verified("m.tflite", "pi5", 4, False, ("3, scores: 5 steps",))],
        filmed=[trial.Filmed("m.tflite", "pi5", 16, 15, 14, 0)],
        tested=[trial.Tested("pi5", 1, ("test_a::test_two: assert 1 == 2",), ())],
    )
    assert faulty.faults == [
        "pi5, m.tflite: scores differ by 3 steps, allowed 1",
        "pi5, m.tflite, edge.verify: 3, scores: 5 steps",
        "pi5, m.tflite: 15 answers to 16 frames, 14 as on x86, 0 nearly",
        "pi5, tests of edge/: test_a::test_two: assert 1 == 2",
        "packages take 360 MB, allowed 350 MB",
    ]
    report.print_report(faulty)
    assert capsys.readouterr().out.count("\nDIFFERS ") == 5
    assert json.loads(json.dumps(report.to_json(faulty)))["faults"] == faulty.faults
