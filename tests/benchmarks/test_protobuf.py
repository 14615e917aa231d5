import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.wrappers_pb2 import DoubleValue, FloatValue, UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.protobuf import fields


def parts(message):
    return [(number, bytes(content)) for number, content in fields(memoryview(message.SerializeToString()))]


@given(st.lists(st.text(max_size=300), max_size=5))
def test_texts_are_those_that_googles_package_wrote(texts):
    message = ListValue(values=[Value(string_value=text) for text in texts])
    found = [dict(fields(content)) for _, content in fields(memoryview(message.SerializeToString()))]
    assert [bytes(each[3]).decode() for each in found] == texts


def test_numbers_of_each_width():
    assert parts(UInt64Value(value=(1 << 64) - 1)) == [(1, b"\xff" * 9 + b"\x01")]
    assert parts(DoubleValue(value=1.0)) == [(1, bytes.fromhex("000000000000f03f"))]
    assert parts(FloatValue(value=1.0)) == [(1, bytes.fromhex("0000803f"))]
    assert parts(Struct()) == []


@given(st.binary(max_size=60))
def test_other_bytes_are_fields_or_a_value_error(data):
    try:
        found = list(fields(memoryview(data)))
    except ValueError:
        return
    assert sum(len(content) for _, content in found) <= len(data)


@pytest.mark.parametrize("data", [b"\x0a\x05abc", b"\x09\x00", b"\x80", b"\x0b", b"\x02\x00", b"\x08" + b"\xff" * 11])
def test_what_is_cut_short_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        list(fields(memoryview(data)))
