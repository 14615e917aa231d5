"""Seals are written here by hand, from the description alone; those of convert.one_file are in tests/convert."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import UserError
from edge.seal import check_whole
from tests.edge.conftest import environment

MARKER = b"tinysight: a SHA-256 ends this file"
ENDS = {".tflite": b"tinysight-sha256: ", ".onnx": b"tinysight-sha256\x12\x40"}


def sealed(content, end):
    body = b"head " + MARKER + content + end
    return body + hashlib.sha256(body).hexdigest().encode()


def is_refused(data):
    try:
        check_whole(Path("some.tflite"), data)
    except UserError as error:
        refusal = str(error)
    else:
        return False
    assert refusal.startswith("some.tflite is damaged or cut")
    assert "\n" not in refusal
    return True


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_whole_files_pass(end, content):
    assert not is_refused(sealed(content, end))


@settings(deadline=None)
@given(data=st.binary(max_size=300).filter(lambda data: b"tinysight" not in data))
def test_foreign_files_pass(data):
    assert not is_refused(data)


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_every_flipped_bit_and_every_cut_is_refused(end):
    data = sealed(bytes(range(256)), end)
    for place in range(len(data)):
        for bit in range(8):
            assert is_refused(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]), (place, bit)
    for length in range(len(b"head ") + len(MARKER), len(data)):
        assert is_refused(data[:length]), length
    assert is_refused(data + b"\n")


@settings(deadline=None)
@given(cuts=st.tuples(st.integers(0, 320), st.integers(0, 320)), order=st.permutations([0, 1, 2]))
def test_parts_in_another_order_are_refused(cuts, order):
    whole = sealed(bytes(range(200)), ENDS[".tflite"])
    parts = whole[: min(cuts)], whole[min(cuts) : max(cuts)], whole[max(cuts) :]
    other = b"".join(parts[number] for number in order)
    # Cut inside the marker and the end at once, nothing tells it from a foreign file.
    if other != whole and (MARKER in other or b"tinysight-sha256" in other):
        assert is_refused(other)


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.tflite", "model_float32.onnx"])
def test_real_files_with_one_flipped_byte_or_cut_off_are_refused_before_a_runtime_sees_them(
    name, digits_run, tmp_path, monkeypatch
):
    from edge import runtimes

    monkeypatch.setattr(runtimes, "LiteRt", None)
    monkeypatch.setattr(runtimes, "OnnxRuntime", None)
    data = (digits_run / name).read_bytes()
    path = tmp_path / name
    random = np.random.default_rng(1)
    last = int(0.95 * len(data))
    places = [*range(8), *random.integers(0, len(data), 40), *random.integers(last, len(data), 40), *range(-70, 0)]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 0x20
        path.write_bytes(changed)
        with pytest.raises(UserError, match="is damaged or cut"):
            runtimes.load(path, 1)
    for length in [60, 1000, len(data) // 2, last, len(data) - 65, len(data) - 64, len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match="is damaged or cut"):
            runtimes.load(path, 1)


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.onnx"])
def test_what_is_cut_shorter_than_the_marker_is_no_model(name, digits_run, tmp_path):
    from edge import runtimes

    data = (digits_run / name).read_bytes()
    path = tmp_path / name
    for length in range(0, 50, 3):
        path.write_bytes(data[:length])
        with pytest.raises(UserError):
            runtimes.load(path, 1)


def test_the_camera_command_says_it_in_one_line(digits_run, device, video):
    data = bytearray((digits_run / "model_int8.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (device / "damaged.tflite").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "edge/camera_classify.py", "--model", "damaged.tflite", "--source", video, "--every-frame"],
        cwd=device,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: damaged.tflite is damaged or cut")
