import base64
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge import UserError
from edge.embedded import read_appended, read_properties

PATH = Path("some.model")
FILES = {"labels.txt": b"a\nb\n", "metadata.json": b"{}", "golden/1.png": b"\x89PNG", "golden/1-photo.jpg": b"\xff\xd8"}


def archive_of(files, method=zipfile.ZIP_STORED, front=b"a model"):
    file = io.BytesIO(front)
    with zipfile.ZipFile(file, "a", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_texts_and_golden_pictures_come_from_a_zip_archive_and_nothing_else():
    others = {"weights.bin": b"x", "other/1.jpg": b"x", "golden/1.exe": b"x", "score_calibration.csv": b"1,1,0"}
    assert read_appended(PATH, archive_of({**FILES, **others})) == FILES


def test_a_file_without_an_archive_has_none():
    assert read_appended(PATH, b"a model") == {}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({f"golden/{n}.png": bytes(1 << 20) for n in range(5)}, "at most 64 golden pictures of 4 MiB in all"),
        ({f"golden/{n}.jpg": b"" for n in range(65)}, "at most 64 golden pictures of 4 MiB in all"),
        ({"a.txt": bytes(1 << 25)}, "at most 16 texts of 16 MiB in all"),
    ],
)
def test_a_zip_bomb_is_not_unpacked(files, message):
    with pytest.raises(UserError, match=message):
        read_appended(PATH, archive_of(files, zipfile.ZIP_DEFLATED))


def test_a_damaged_archive_gives_files_or_one_line():
    random = np.random.default_rng(2)
    refusals = []
    for _ in range(500):
        damaged = bytearray(archive_of(FILES, zipfile.ZIP_DEFLATED))
        for place in random.integers(7, len(damaged), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        try:
            files = read_appended(PATH, bytes(damaged))
        except UserError as error:
            refusals.append(str(error))
        else:
            assert all(isinstance(content, bytes) for content in files.values())
    assert len(refusals) > 100
    assert not any("\n" in refusal for refusal in refusals)


def test_properties_of_onnx_give_the_same_files():
    properties = {
        name: base64.b64encode(content).decode() if name.startswith("golden/") else content.decode()
        for name, content in FILES.items()
    }
    assert read_properties(PATH, properties) == FILES


@pytest.mark.parametrize("text", ["not base64!", "abc", "é"])
def test_a_picture_that_is_no_base64_is_refused(text):
    with pytest.raises(UserError, match=r"property 'golden/1.png' of some.model is damaged"):
        read_properties(PATH, {"golden/1.png": text})
