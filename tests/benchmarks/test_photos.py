import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.photos import choose, read_evaluation, read_folder
from edge import UserError

LABELS = ["cat", "dog"]
SIZE = 8, 12  # (height, width)


def save(folder, names=("cat", "dog"), truth=(0, 1, 1), **arrays):
    images = np.arange(len(truth) * 8 * 12 * 3, dtype=np.uint64).astype(np.uint8).reshape(-1, 8, 12, 3)
    content = {"images": images, "labels": np.array(truth), "names": np.array(names), **arrays}
    np.savez(folder / "eval.npz", **{name: array for name, array in content.items() if array is not None})
    return folder / "eval.npz"


def test_an_eval_file_is_read_as_it_is(tmp_path):
    path = save(tmp_path)
    photos = read_evaluation(path, LABELS, True, SIZE)
    assert photos.origin == "eval.npz"
    assert photos.truth.tolist() == [0, 1, 1]
    assert list(photos.names) == [0, 1, 2]
    with np.load(path) as arrays:
        assert np.array_equal(photos.read(2), arrays["images"][2])


def test_classes_in_another_order_are_matched_by_name(tmp_path):
    assert read_evaluation(save(tmp_path), ["dog", "cat"], True, SIZE).truth.tolist() == [1, 0, 0]


def test_a_model_without_labels_is_trusted_in_its_order(tmp_path):
    assert read_evaluation(save(tmp_path), ["0", "1"], False, SIZE).truth.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("labels", "size", "part"),
    [
        (["cat", "dog", "owl"], SIZE, "Expected the 3 classes of the model"),
        (["cat", "owl"], SIZE, r"it has others \(dog\)"),
        (LABELS, (12, 8), "Expected images of 8x12 pixels .* has 12x8 pixels"),
    ],
    ids=["count", "names", "size"],
)
def test_an_eval_file_of_another_model_is_refused_in_a_line(tmp_path, labels, size, part):
    with pytest.raises(UserError, match=part) as raised:
        read_evaluation(save(tmp_path), labels, True, size)
    assert "--data FOLDER" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": np.zeros((3, 8, 12), np.uint8)},
        {"images": np.zeros((3, 8, 12, 3), np.float32)},
        {"images": np.zeros((0, 8, 12, 3), np.uint8)},
        {"labels": np.array([0, 1])},
        {"labels": np.array([0, 1, 2])},
        {"labels": np.array([0, 1, -1])},
        {"labels": np.array([0.0, 1, 1])},
        {"labels": np.array([{}, 1, 1], object)},
        {"labels": None},
        {"names": None},
        {"names": np.array(5)},
    ],
    ids=[
        "grey",
        "float",
        "none",
        "short",
        "beyond",
        "negative",
        "real",
        "pickled",
        "no labels",
        "no names",
        "a number",
    ],
)
def test_an_eval_file_of_another_kind_is_refused(tmp_path, arrays):
    with pytest.raises(UserError, match=r"eval\.npz.*convert\.quantize"):
        read_evaluation(save(tmp_path, **arrays), LABELS, True, SIZE)


def test_a_missing_eval_file_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"convert\.quantize, or name --data"):
        read_evaluation(tmp_path / "eval.npz", LABELS, True, SIZE)


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("whole")).read_bytes()


@given(st.data())
def test_a_damaged_eval_file_is_one_line_or_still_sane(whole_file, tmp_path_factory, data):
    damaged = bytearray(whole_file[: data.draw(st.integers(0, len(whole_file)))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "eval.npz"
    path.write_bytes(damaged)
    with contextlib.suppress(UserError):
        photos = read_evaluation(path, LABELS, True, SIZE)
        assert photos.read(0).shape == (*SIZE, 3)


def photo(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((20, 30, 3), value, np.uint8))


def test_a_folder_is_matched_by_name_and_what_does_not_fit_is_told(tmp_path):
    photo(tmp_path / "dog" / "b.png", 200)
    photo(tmp_path / "dog" / "more" / "a.png")
    (tmp_path / "dog" / "notes.txt").write_text("no photo")
    photo(tmp_path / "elk" / "a.png")
    photo(tmp_path / "a.png")
    (tmp_path / ".hidden").mkdir()
    said = []
    photos = read_folder(tmp_path, ["cat", "dog", "owl"], SIZE, said.append)
    assert photos.origin == tmp_path.name
    assert photos.names == ["dog/b.png", "dog/more/a.png"]
    assert photos.truth.tolist() == [1, 1]
    assert photos.read(0).shape == (*SIZE, 3)
    assert photos.read(0)[0, 0].tolist() == [200, 200, 200]
    assert said == [
        "left out, the model has no such class: elk",
        "no photos of cat, owl: figures are about the other classes",
    ]


def test_a_photo_that_can_not_be_read_is_an_error_of_its_own(tmp_path):
    photo(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "b.jpg").write_bytes(b"no photo")
    photos = read_folder(tmp_path, LABELS, SIZE, lambda line: None)
    photos.read(0)
    with pytest.raises(UserError, match=r"b\.jpg"):
        photos.read(1)


def test_a_folder_without_the_models_classes_is_refused(tmp_path):
    (tmp_path / "e\x1b[31mlk").mkdir()
    with pytest.raises(UserError, match=r"cat, dog.*found e\?\[31mlk"):
        read_folder(tmp_path, LABELS, SIZE, print)
    with pytest.raises(UserError, match="there is none"):
        read_folder(tmp_path / "none", LABELS, SIZE, print)
    (tmp_path / "cat").mkdir()
    with pytest.raises(UserError, match="Expected folders"):
        read_folder(tmp_path, LABELS, SIZE, print)


def test_some_photos_are_taken_evenly(tmp_path):
    photos = read_evaluation(save(tmp_path, truth=[0] * 10), LABELS, True, SIZE)
    assert choose(photos, None) == list(range(10))
    assert choose(photos, 50) == list(range(10))
    assert choose(photos, 4) == [0, 3, 6, 9]
    assert choose(photos, 1) == [0]
