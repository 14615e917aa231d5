import os

import pytest

from edge.errors import UserError
from train.sources import escape, read_folder


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(source):
    return [(each.path.as_posix(), each.label, each.split) for each in source.candidates]


def test_one_folder_per_class(tmp_path):
    touch(tmp_path, "dog/1.JPG", "dog/deeper/2.webp", "cat/1.png", "cat/notes.txt", "cat/.hidden.png", "loose.png")
    touch(tmp_path, ".git/1.png", "__MACOSX/cat/1.png", "empty/readme.md")
    source = read_folder(tmp_path)
    assert source.labels == ("cat", "dog")
    assert found(source) == [
        ("cat/1.png", "cat", None),
        ("dog/1.JPG", "dog", None),
        ("dog/deeper/2.webp", "dog", None),
    ]
    assert source.root == tmp_path
    assert source.strays == ("cat/notes.txt", "empty/readme.md", "loose.png")


@pytest.mark.parametrize("validation", ["valid", "val", "validation", "Validation"])
def test_splits_above_the_classes(tmp_path, validation):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", f"{validation}/cat/2.png", "test/dog/3.png", "pred/4.png")
    source = read_folder(tmp_path)
    assert source.labels == ("cat", "dog")
    assert sorted(found(source)) == sorted(
        [
            ("train/cat/1.png", "cat", "train"),
            ("train/dog/1.png", "dog", "train"),
            (f"{validation}/cat/2.png", "cat", "validation"),
            ("test/dog/3.png", "dog", "test"),
        ]
    )
    assert source.notes == ("Left out, neither train, valid nor test: pred/",)


def test_strays_beside_and_in_splits(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "train/loose.txt", "test/cat/2.txt", "list.csv", ".hidden")
    assert read_folder(tmp_path).strays == ("list.csv", "test/cat/2.txt", "train/loose.txt")


def test_a_test_folder_without_classes_is_left_out_aloud(tmp_path):
    touch(tmp_path, "train/cat/1.png", "train/dog/1.png", "test/1.png")
    source = read_folder(tmp_path)
    assert {split for _path, _label, split in found(source)} == {"train"}
    assert source.notes == ("Left out, no photos in class folders: test/",)


def test_trains_are_a_class_too(tmp_path):
    touch(tmp_path, "train/1.png", "car/1.png")
    assert read_folder(tmp_path).labels == ("car", "train")


def test_circles_of_links_end(tmp_path):
    touch(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat")
    (tmp_path / "dog" / "up").symlink_to(tmp_path)
    (tmp_path / "dog" / "loop.png").symlink_to("loop.png")
    paths = [path for path, _label, _split in found(read_folder(tmp_path))]
    assert paths.count("cat/1.png") == 1
    assert "dog/loop.png" in paths  # found, and refused later, when it is opened
    assert len(paths) < 10


def test_a_class_may_be_a_link(tmp_path):
    touch(tmp_path, "elsewhere/1.png", "data/cat/1.png")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere")
    assert found(read_folder(tmp_path / "data")) == [("cat/1.png", "cat", None), ("dog/1.png", "dog", None)]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "found none"),
        (["1.png"], "found none"),
        (["cat/1.png"], "only 'cat'"),
        (["cat/1.png", "dog/readme.txt"], "only 'cat'"),
        (["train/cat/1.png", "train/dog/1.png", "test/bird/1.png"], "got 'bird'"),
        (["cat/1.png", "big\ndog/1.png"], r"'big\\ndog'"),
    ],
)
def test_folders_that_cannot_be_trained_on(tmp_path, names, reason):
    touch(tmp_path, *names)
    with pytest.raises(UserError, match=reason) as raised:
        read_folder(tmp_path)
    assert "\n" not in str(raised.value)


def test_names_are_shown_without_what_would_garble_a_terminal():
    assert escape("Grün 1.png") == "Grün 1.png"
    assert escape("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
    assert escape(os.fsdecode(b"\xff.png")) == "\\udcff.png"
