import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.idx import read_idx


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(folder, data):
    path = folder / "file.gz"
    path.write_bytes(gzip.compress(data))
    return path


@pytest.mark.parametrize("shape", [(5,), (0,), (3, 4, 2)])
def test_an_array_comes_back(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.testing.assert_array_equal(read_idx(write(tmp_path, idx(array)), len(shape)), array)


WHOLE = idx(np.zeros((3, 4, 2), np.uint8))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "header"),
        (WHOLE[:10], "header"),
        (idx(np.zeros(3, np.uint8)), "3 dimensions"),
        (b"\0\0\x0d\3" + WHOLE[4:], "header"),
        (WHOLE[:-1], "fewer"),
        (WHOLE + b"\0", "more"),
        (b"\0\0\x08\3" + b"\xff" * 12, "more than 1,073,741,824"),
    ],
)
def test_what_is_none_is_refused_in_one_line(tmp_path, data, reason):
    with pytest.raises(UserError, match=reason) as raised:
        read_idx(write(tmp_path, data), 3)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-12], lambda data: b"no gzip", lambda data: data[:30] + b"x" * 9]
)
def test_broken_compression_is_refused(tmp_path, change):
    path = write(tmp_path, idx(np.random.default_rng(0).integers(0, 256, (9, 9, 9), np.uint8)))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match="Expected an idx file"):
        read_idx(path, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.gz.*No such file"):
        read_idx(tmp_path / "absent.gz", 1)


@given(data=st.binary(max_size=60))
def test_whatever_it_holds_is_read_or_refused(tmp_path_factory, data):
    try:
        array = read_idx(write(tmp_path_factory.getbasetemp(), data), 1)
    except UserError:
        return
    assert idx(array) == data
