"""The blocks are read by TensorFlow's and LiteRT's own classes and runtimes."""

import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import Model, ModelT

from convert import to_tflite
from convert.tflite_front import insert_front
from edge import TinySightError

MARKER = b"some marker"


@pytest.fixture(scope="module")
def tflite(small_model):
    return to_tflite.to_float32(small_model)


@pytest.fixture(scope="module")
def int8_tflite(small_model, images):
    images = images.copy()
    images[0, 0, 0], images[0, -1, -1] = 0, 255
    return to_tflite.to_int8(small_model, images)


def buffers_of(model):
    """Return name -> content of the model's metadata, and all buffers' contents and places."""
    root = Model.GetRootAs(model)
    contents, places = [], []
    for number in range(root.BuffersLength()):
        buffer = root.Buffers(number)
        contents.append(b"" if buffer.DataIsNone() else buffer.DataAsNumpy().tobytes())
        places.append(0 if buffer.DataIsNone() else buffer._tab.Vector(buffer._tab.Offset(4)))
    entries = [root.Metadata(number) for number in range(root.MetadataLength())]
    return {entry.Name().decode(): contents[entry.Buffer()] for entry in entries}, contents, places


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_the_model_lists_one_buffer_more_and_nothing_else_moves(tflite, size):
    content = bytes(range(256)) * 4
    changed = insert_front(tflite, MARKER, "A_NAME", content[:size])
    before, old, old_places = buffers_of(tflite)
    after, new, places = buffers_of(changed)
    assert after == {**before, "A_NAME": content[:size]}
    assert new[:-1] == old
    shift = len(changed) - len(tflite)
    assert shift % 64 == 0
    assert [place - shift for place in places[:-1] if place] == [place for place in old_places if place]
    assert places[-1] % 16 == 0
    assert changed[8 : 8 + len(MARKER)] == MARKER
    assert changed.endswith(tflite[8:])


def test_all_else_reads_as_before(tflite):
    before = ModelT.InitFromObj(Model.GetRootAs(tflite))
    after = ModelT.InitFromObj(Model.GetRootAs(insert_front(tflite, MARKER, "A_NAME", b"content")))
    for field in ("version", "description", "metadataBuffer"):
        assert np.array_equal(getattr(after, field), getattr(before, field))
    for field in ("operatorCodes", "subgraphs", "signatureDefs"):
        assert len(getattr(after, field)) == len(getattr(before, field))
    names = [[tensor.name for tensor in model.subgraphs[0].tensors] for model in (before, after)]
    assert names[0] == names[1]
    assert after.signatureDefs[0].signatureKey == before.signatureDefs[0].signatureKey


@pytest.mark.parametrize("kind", ["tflite", "int8_tflite"])
def test_runtimes_answer_as_before(kind, images, request):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model = request.getfixturevalue(kind)
    changed = insert_front(insert_front(model, MARKER, "A", b"content"), MARKER, "B", b"more")
    answers = []
    for content, interpreter_class in [
        (model, Interpreter),
        (changed, Interpreter),
        (changed + b"what follows", Interpreter),
        (changed, tf.lite.Interpreter),
    ]:
        if interpreter_class is tf.lite.Interpreter:
            with pytest.warns(UserWarning, match=r"tf.lite.Interpreter is deprecated"):
                interpreter = interpreter_class(model_content=content)
        else:
            interpreter = interpreter_class(model_content=content)
        interpreter.allocate_tensors()
        (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(given["index"], images[:1].astype(given["dtype"]))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(answer["index"]).tolist())
    assert all(answer == answers[0] for answer in answers[1:])


@pytest.mark.parametrize("model", [b"", b"\x1c\0\0\0TFL3", b"\xff\xff\xff\xffTFL3" + bytes(100), b"no model at all"])
def test_what_is_no_model_is_told(model):
    with pytest.raises(TinySightError, match="Expected a TFLite flatbuffer"):
        insert_front(model, MARKER, "A", b"")
