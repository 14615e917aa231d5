import io
import os
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.torch_file import read_tensors

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "i4": "IntStorage", "i8": "LongStorage"}


class Storage:
    """The numbers of one or more tensors; pickled as torch's legacy writer does: by a persistent id."""

    def __init__(self, key, numbers, count=None):
        self.key, self.numbers = key, numbers
        self.count = len(numbers) if count is None else count


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class Writer(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        kind = getattr(sys.modules["torch"], KINDS[value.numbers.dtype.str[1:]])
        return ("storage", kind, value.key, "cpu", value.count, None)


class Call:
    """What calls a function when it's unpickled freely."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


@pytest.fixture(scope="module", autouse=True)
def torch():
    """Stand in for torch's modules, which pickle looks names up in."""
    main, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in (*KINDS.values(), "QInt8Storage"):
        setattr(main, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", main)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield


def pickled(value, protocol=2):
    file = io.BytesIO()
    Writer(file, protocol).dump(value)
    return file.getvalue()


def legacy(content, storages=(), *, magic=MAGIC, protocol=PROTOCOL, system=SYSTEM, keys=None):
    """Return a file as `torch.save(..., _use_new_zipfile_serialization=False)` writes it."""
    keys = [storage.key for storage in storages] if keys is None else keys
    head = b"".join(map(pickled, (magic, protocol, system, content, keys)))
    return head + b"".join(len(s.numbers).to_bytes(8, "little") + s.numbers.tobytes() for s in storages)


def whole(array, key="1"):
    """Return an array as a tensor of its own storage."""
    array = np.ascontiguousarray(array)
    storage = Storage(key, array.ravel())
    return Tensor(storage, 0, array.shape, tuple(step // array.itemsize for step in array.strides)), storage


def read(data, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    return read_tensors(path)


def refused(data, tmp_path):
    """Return the line that a file is refused with."""
    with pytest.raises(UserError) as error:
        read(data, tmp_path)
    line = str(error.value)
    assert "\n" not in line
    assert line.isprintable()
    return line


@pytest.fixture
def small():
    tensor, storage = whole(np.arange(6, dtype="<f4").reshape(2, 3))
    return legacy(OrderedDict(weight=tensor), [storage])


@pytest.mark.parametrize("dtype", KINDS)
def test_numbers_of_every_kind_come_back(dtype, tmp_path):
    array = np.random.default_rng(0).integers(-99, 99, (2, 3, 4)).astype(f"<{dtype}")
    tensor, storage = whole(array)
    found = read(legacy(OrderedDict(a=tensor), [storage]), tmp_path)
    assert list(found) == ["a"]
    assert found["a"].dtype == array.dtype
    np.testing.assert_array_equal(found["a"], array)


def test_tensors_may_share_numbers_and_lie_across_them(tmp_path):
    numbers = np.arange(24, dtype="<f4")
    storage, other = Storage("one", numbers), Storage("two", np.array([7], "<i8"))
    content = OrderedDict(
        transposed=Tensor(storage, 0, (4, 3, 2), (1, 4, 12)),
        part=Tensor(storage, 6, (2, 2), (6, 2)),
        number=Tensor(other, 0, (), ()),
    )
    content._metadata = OrderedDict({"": {"version": 1}})  # as a state_dict has it
    found = read(legacy(content, [other, storage]), tmp_path)
    np.testing.assert_array_equal(found["transposed"], numbers.reshape(2, 3, 4).transpose(2, 1, 0))
    np.testing.assert_array_equal(found["part"], [[6, 8], [12, 14]])
    assert found["number"] == 7
    assert found["number"].shape == ()


def test_a_file_may_have_more_tensors_than_a_byte_counts(tmp_path):
    parts = [whole(np.full(3, number, "<f4"), str(number)) for number in range(400)]
    found = read(
        legacy(OrderedDict((f"t{n}", part[0]) for n, part in enumerate(parts)), [p[1] for p in parts]), tmp_path
    )
    assert [array[0] for array in found.values()] == list(range(400))


@pytest.mark.parametrize("place", ["magic", "protocol", "system", "content", "hooks", "metadata", "keys"])
def test_nothing_is_called(place, tmp_path):
    trap = tmp_path / "sprung"
    for call in (Call(os.system, f"touch {trap}"), Call(eval, f"open({str(trap)!r}, 'w')"), Call(Path.touch, trap)):
        tensor, storage = whole(np.ones(3, "<f4"))
        values = {"content": OrderedDict(a=tensor), "storages": [storage]}
        if place == "content":
            values["content"]["b"] = call
        elif place == "hooks":
            tensor.parts = (*tensor.parts[:-1], call)
        elif place == "metadata":
            values["content"]._metadata = call
        else:
            values[place] = {**SYSTEM, "more": call} if place == "system" else call
        assert "which no dictionary of tensors needs" in refused(legacy(**values), tmp_path)
        assert not trap.exists()


def test_the_traps_of_these_tests_would_spring(tmp_path):
    pickle.loads(pickled(Call(os.system, f"touch {tmp_path / 'sprung'}")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("protocol", [0, 3, 4, 5])
def test_no_other_protocol_hides_a_call(protocol, tmp_path):
    trap = tmp_path / "sprung"
    data = b"".join(map(pickled, (MAGIC, PROTOCOL, SYSTEM))) + pickled(Call(os.system, f"touch {trap}"), protocol)
    assert "which no dictionary of tensors needs" in refused(data, tmp_path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "instructions",
    [
        b"cposix\nsystem\n(S'true'\ntR.",
        b"(S'true'\niposix\nsystem\n.",  # INST
        b"(cposix\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02\x82\x01.",  # EXT1
        b"ctorch._utils\n_rebuild_tensor_v2\n)\x81.",  # NEWOBJ
        b"ccollections\nOrderedDict\nX\x01\x00\x00\x00a\x85R.",  # OrderedDict("a")
        b"ccollections\nOrderedDict\n.",
        b"ctorch.serialization\nload\n.",
        b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    ],
)
def test_instructions_of_other_pickles_are_refused(instructions, tmp_path):
    head = b"".join(map(pickled, (MAGIC, PROTOCOL, SYSTEM)))
    refused(head + instructions + pickled([]), tmp_path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"magic": MAGIC + 1}, "another kind of file"),
        ({"protocol": 1002}, "another version"),
        ({"system": {**SYSTEM, "little_endian": False}}, "little-endian"),
        ({"system": []}, "little-endian"),
        ({"keys": []}, "without numbers"),
        ({"keys": ["1", "2"]}, "of no tensor"),
        ({"keys": [1]}, "no list of storages"),
    ],
)
def test_a_file_of_another_kind_is_told(changes, expected, tmp_path):
    tensor, storage = whole(np.ones(3, "<f4"))
    assert expected in refused(legacy(OrderedDict(a=tensor), [storage], **changes), tmp_path)


@pytest.mark.parametrize("content", [None, 3, [], {}, {"a": 1}, {1: 2}, OrderedDict(a=OrderedDict()), "text"], ids=str)
def test_what_is_no_dictionary_of_tensors_is_refused(content, tmp_path):
    refused(legacy(content), tmp_path)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (2, 3), (3, 1)),  # one beyond the end
        (0, (7,), (1,)),
        (0, (2,), (6,)),
        (0, (1 << 30,), (0,)),  # the same number a billion times
        (0, (2, 3, 2), (3, 1, 0)),
        (0, (1 << 40,), (1,)),
        (0, (0,), (1,)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 3), (1,)),
        (0, (1,) * 9, (1,) * 9),
        (0, (2.0,), (1,)),
        (0, [6], [1]),
        (0, None, None),
        (6, (), ()),
    ],
)
def test_no_tensor_reaches_beyond_its_numbers_or_repeats_them(offset, shape, strides, tmp_path):
    storage = Storage("1", np.ones(6, "<f4"))
    refused(legacy(OrderedDict(a=Tensor(storage, offset, shape, strides)), [storage]), tmp_path)


@pytest.mark.parametrize("count", [5, 7, 1 << 29, 1 << 62, -6])
def test_a_storage_has_as_many_numbers_as_it_says(count, tmp_path):
    storage = Storage("1", np.ones(6, "<f4"), count=count)
    tensor = Tensor(storage, 0, (1,), (1,))
    refused(legacy(OrderedDict(a=tensor), [storage]), tmp_path)


@pytest.mark.parametrize("claimed", [7, 1 << 40, (1 << 64) - 1])
def test_a_length_beyond_the_file_is_refused_without_believing_it(claimed, small, tmp_path):
    at = len(small) - 6 * 4 - 8
    assert "cut short" in refused(small[:at] + claimed.to_bytes(8, "little") + small[at + 8 :], tmp_path)


def test_a_file_cut_anywhere_is_refused(small, tmp_path):
    read(small, tmp_path)
    for length in range(len(small)):
        refused(small[:length], tmp_path)


def test_a_file_of_the_newer_format_is_told(tmp_path):
    assert "_use_new_zipfile_serialization=False" in refused(b"PK\x03\x04 and so on", tmp_path)


def test_a_missing_file_and_a_huge_one_are_told(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_tensors(tmp_path / "none.pth")
    with (tmp_path / "huge.pth").open("wb") as file:
        file.truncate((1 << 30) + 1)  # takes no room on the disk
    with pytest.raises(UserError, match="1,073,741,825 bytes, more than"):
        read_tensors(tmp_path / "huge.pth")


def test_values_within_values_cost_no_recursion(tmp_path):
    nested = b"\x80\x02)" + b"\x85" * 100_000 + b"."
    doubled = b"\x80\x02)q\x00" + b"h\x00\x86q\x00h\x00" * 200 + b"."  # a pair of pairs of pairs: 2**200 leaves
    for value in (nested, doubled):
        refused(b"".join(map(pickled, (MAGIC, PROTOCOL))) + value, tmp_path)


@given(data=st.data())
def test_a_changed_byte_is_refused_or_harmless(data, tmp_path_factory):
    tensor, storage = whole(np.arange(6, dtype="<f4").reshape(2, 3))
    file = bytearray(legacy(OrderedDict(weight=tensor), [storage]))
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("changed") / "weights.pth"
    path.write_bytes(file)
    try:
        found = read_tensors(path)
    except UserError:
        return
    assert all(array.size <= 6 for array in found.values())


@given(noise=st.binary(max_size=300))
def test_noise_is_refused(noise, tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "weights.pth"
    for data in (noise, b"".join(map(pickled, (MAGIC, PROTOCOL, SYSTEM))) + noise):
        path.write_bytes(data)
        with pytest.raises(UserError):
            read_tensors(path)
