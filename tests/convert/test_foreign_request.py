import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.foreign_request import RAW, check, find_photos, read_labels
from edge.errors import UserError


@pytest.fixture
def asked(tmp_path):
    """What `check` takes, all of it there."""
    (tmp_path / "model.h5").touch()
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "photos" / "b.JPG").touch()
    (tmp_path / "photos" / "deep" / "a.png").touch()
    (tmp_path / "photos" / "notes.txt").touch()
    return tmp_path / "model.h5", tmp_path / "labels.txt", tmp_path / "photos", tmp_path / "out", RAW


def test_all_is_there(asked):
    request = check(*asked)
    assert request.labels == ("cat", "dog")
    assert [path.relative_to(asked[2]).as_posix() for path in request.photos] == ["b.JPG", "deep/a.png"]
    assert request.folder == asked[3]
    assert request.folder.is_dir()


def test_without_an_output_the_files_go_where_runs_are(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, labels, photos, _, input_range = asked
    assert check(model, labels, photos, None, input_range).folder == tmp_path / "runs" / "model"


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, "nowhere.h5", "Expected a model at"),
        (1, "nowhere.txt", "Expected labels at"),
        (2, "nowhere", "for calibration in"),
        (4, (1.0, 1.0), "a lower and a higher number"),
    ],
)
def test_what_is_missing_is_one_line(asked, tmp_path, place, value, said):
    arguments = list(asked)
    arguments[place] = tmp_path / value if isinstance(value, str) else value
    with pytest.raises(UserError, match=said) as told:
        check(*arguments)
    assert "\n" not in str(told.value)
    assert not asked[3].exists()


def test_a_training_is_not_mixed_with_other_files(asked):
    asked[3].mkdir()
    (asked[3] / "model.keras").touch()
    with pytest.raises(UserError, match="holds a training"):
        check(*asked)


@pytest.mark.parametrize("text", [b"", b"\n\n", b"cat\n\ndog\n", b"\xff\xfe\x00"])
def test_labels_that_are_none(tmp_path, text):
    (tmp_path / "labels.txt").write_bytes(text)
    with pytest.raises(UserError):
        read_labels(tmp_path / "labels.txt")


_NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@given(st.lists(_NAMES, min_size=1), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", "\n\n"]))
def test_any_labels_come_back(tmp_path_factory, names, newline, end):
    path = tmp_path_factory.getbasetemp() / "labels.txt"
    path.write_bytes((newline.join(names) + end).encode())
    assert read_labels(path) == tuple(names)


def test_a_folder_without_photos(tmp_path):
    with pytest.raises(UserError, match=r"\.jpg.* found none"):
        find_photos(tmp_path)
