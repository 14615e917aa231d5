import hashlib
import io
import os
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from edge.errors import UserError
from train.dataset import SplitSettings
from train.intake import take_in
from train.sources import read_folder


def photo(seed, file_format="PNG"):
    """Return the bytes of a small photo that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 16, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, file_format)
    return data.getvalue()


@pytest.fixture
def pets(tmp_path):
    for label, first in (("cat", 0), ("dog", 100)):
        (tmp_path / label).mkdir()
        for number in range(20):
            (tmp_path / label / f"{number}.png").write_bytes(photo(first + number))
    return tmp_path


def lock(folder, **settings):
    return take_in(read_folder(folder), SplitSettings(**settings))


def test_every_photo_is_locked_by_its_hash(pets):
    manifest = lock(pets)
    assert manifest.labels == ("cat", "dog")
    assert manifest.quarantined == ()
    assert len(manifest.files) == 40
    for file in manifest.files:
        assert file.sha256 == hashlib.sha256((pets / file.path).read_bytes()).hexdigest()
        assert file.label == file.path.partition("/")[0]
    assert manifest.counts() == {
        "train": {"cat": 14, "dog": 14},
        "validation": {"cat": 3, "dog": 3},
        "test": {"cat": 3, "dog": 3},
    }


def test_the_deal_follows_the_photos_not_their_names(pets, tmp_path_factory):
    renamed = tmp_path_factory.mktemp("renamed")
    for path in pets.rglob("*.png"):
        (renamed / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, renamed / path.parent.name / f"new{path.name}")
    splits = [{file.sha256: file.split for file in lock(folder, seed=5).files} for folder in (pets, renamed)]
    assert splits[0] == splits[1]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("half.jpg", photo(7, "JPEG")[: len(photo(7, "JPEG")) // 2]),
        ("half.png", photo(7)[: len(photo(7)) // 2]),
        ("half.webp", photo(7, "WEBP")[: len(photo(7, "WEBP")) // 2]),
        ("text.jpg", b"no photo"),
        ("empty.png", b""),
        ("other.png", photo(7, "GIF")),
        ("postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_what_does_not_decode_is_listed_and_left_as_it_is(pets, name, data):
    path = pets / "cat" / name
    path.write_bytes(data)
    before = path.stat()
    manifest = lock(pets)
    (listed,) = manifest.quarantined
    assert listed.path == f"cat/{name}"
    assert listed.reason
    assert "\n" not in listed.reason
    assert len(manifest.files) == 40
    assert path.read_bytes() == data
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_what_cannot_be_opened_is_listed(pets):
    (pets / "cat" / "gone.png").symlink_to("nowhere.png")
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    os.mkfifo(pets / "dog" / "pipe.png")
    (pets / "dog" / "line\nbreak.png").write_bytes(photo(1000))
    (pets / "dog" / os.fsdecode(b"\xff.png")).write_bytes(photo(1001))
    manifest = lock(pets)
    assert {each.path for each in manifest.quarantined} == {
        "cat/gone.png",
        "cat/loop.png",
        "dog/pipe.png",
        "dog/line\\nbreak.png",
        "dog/\\udcff.png",
    }
    assert len(manifest.files) == 40


def test_copies_of_a_photo_stay_on_one_side(pets):
    for number in range(20):
        shutil.copy(pets / "cat" / f"{number}.png", pets / "cat" / f"copy of {number}.png")
    manifest = lock(pets)
    sides = {}
    for file in manifest.files:
        sides.setdefault(file.sha256, set()).add(file.split)
    assert len(manifest.files) == 60
    assert all(len(splits) == 1 for splits in sides.values())


def test_a_photo_under_two_classes_is_no_example_of_either(pets):
    shutil.copy(pets / "cat" / "3.png", pets / "dog" / "cat.png")
    manifest = lock(pets)
    assert {each.path for each in manifest.quarantined} == {"cat/3.png", "dog/cat.png"}
    assert all("several classes: cat, dog" in each.reason for each in manifest.quarantined)


def as_splits(pets, folder, **shares):
    """Deal the pets into folders by hand: name -> range of numbers."""
    for name, numbers in shares.items():
        for label in ("cat", "dog"):
            (folder / name / label).mkdir(parents=True)
            for number in numbers:
                shutil.copy(pets / label / f"{number}.png", folder / name / label)
    return folder


def test_given_splits_are_kept(pets, tmp_path_factory):
    parts = {"train": range(10), "valid": range(10, 14), "test": range(14, 20)}
    manifest = lock(as_splits(pets, tmp_path_factory.mktemp("given"), **parts))
    assert Counter(file.split for file in manifest.files) == {"train": 20, "validation": 8, "test": 12}
    assert all(file.path.startswith(file.split[:5]) for file in manifest.files)
    assert manifest.split.given == ("train", "validation", "test")


def test_a_missing_split_is_carved_from_train(pets, tmp_path_factory):
    folder = as_splits(pets, tmp_path_factory.mktemp("given"), train=range(14), test=range(14, 20))
    manifest = lock(folder)
    assert manifest.split.given == ("train", "test")
    assert manifest.counts() == {
        "train": {"cat": 12, "dog": 12},
        "validation": {"cat": 2, "dog": 2},
        "test": {"cat": 6, "dog": 6},
    }
    assert all(file.path.startswith("train/") for file in manifest.of("validation"))


def test_a_photo_in_two_given_splits_judges_and_does_not_train(pets, tmp_path_factory):
    folder = as_splits(pets, tmp_path_factory.mktemp("given"), train=range(12), valid=range(11, 16), test=range(15, 20))
    manifest = lock(folder)
    assert {(each.path, each.reason) for each in manifest.quarantined} == {
        (f"{where}/{label}/{number}.png", f"the same photo is in the {split} split")
        for label in ("cat", "dog")
        for where, number, split in (("train", 11, "validation"), ("valid", 15, "test"))
    }


def test_a_class_without_a_usable_photo_stops(pets):
    (pets / "cat" / "1.png").write_bytes(b"broken")
    for path in (pets / "dog").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(UserError, match=r"'dog' has none in .* The first is dog/"):
        lock(pets)


def test_each_photo_is_counted(pets):
    calls = []
    take_in(read_folder(pets), SplitSettings(), lambda: calls.append(1))
    assert len(calls) == 40
