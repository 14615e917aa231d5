import hashlib
import io
import shutil
from collections import Counter
from dataclasses import replace

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
    return take_in(read_folder(folder), SplitSettings(**settings)).manifest


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


def test_what_cannot_be_used_is_listed_and_left_as_it_is(pets):
    for name, data in (("half.png", photo(7)[: len(photo(7)) // 2]), ("text.jpg", b"no photo"), ("empty.png", b"")):
        (pets / "cat" / name).write_bytes(data)
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    files = [path for path in sorted(pets.rglob("*.*")) if path.name != "loop.png"]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    manifest = lock(pets)
    assert [file.path for file in manifest.quarantined] == [
        "cat/empty.png", "cat/half.png", "cat/loop.png", "cat/text.jpg",
    ]  # fmt: skip
    assert all(file.reason and "\n" not in file.reason for file in manifest.quarantined)
    assert len(manifest.files) == 40
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before


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


@pytest.fixture
def leaking(pets, tmp_path_factory):
    """Number 11 is in train and validation, number 15, as another file, in validation and test."""
    folder = as_splits(pets, tmp_path_factory.mktemp("given"), train=range(12), valid=range(11, 16), test=range(15, 20))
    for label in ("cat", "dog"):
        with Image.open(folder / "test" / label / "15.png") as image:
            image.save(folder / "test" / label / "15.bmp")
        (folder / "test" / label / "15.png").unlink()
    return folder


def test_a_photo_in_two_given_splits_judges_and_does_not_train(leaking):
    intake = take_in(read_folder(leaking), SplitSettings())
    assert {(leak.copy.path, leak.kept.path, leak.is_same_file) for leak in intake.leaks} == {
        (f"{where}/{label}/{number}.png", f"{judging}/{label}/{number}.{suffix}", suffix == "png")
        for label in ("cat", "dog")
        for where, judging, number, suffix in (("train", "valid", 11, "png"), ("valid", "test", 15, "bmp"))
    }
    assert {each.path for each in intake.manifest.quarantined} == {leak.copy.path for leak in intake.leaks}
    reasons = {each.path: each.reason for each in intake.manifest.quarantined}
    assert reasons["train/cat/11.png"] == "the same photo is in the validation split: valid/cat/11.png"


def test_leaks_are_kept_where_that_was_asked_for(leaking):
    intake = take_in(read_folder(leaking), SplitSettings(), keep_leaks=True)
    assert len(intake.leaks) == 4
    assert intake.manifest.quarantined == ()
    assert len(intake.manifest.files) == 2 * (12 + 5 + 5)


def test_a_leaking_photo_of_two_classes_is_told_once(pets, tmp_path_factory):
    folder = as_splits(pets, tmp_path_factory.mktemp("given"), train=range(12), valid=range(12, 16), test=range(16, 20))
    shutil.copy(folder / "train" / "cat" / "3.png", folder / "test" / "dog" / "cat.png")
    intake = take_in(read_folder(folder), SplitSettings())
    assert intake.leaks == ()
    assert [[each.path for each in group] for group in intake.conflicts] == [["test/dog/cat.png", "train/cat/3.png"]]
    assert len(intake.manifest.quarantined) == 2


def grouped(source, groups):
    """Put candidates into groups by the number in their names."""
    candidates = tuple(replace(each, group=groups(int(each.path.stem))) for each in source.candidates)
    return replace(source, candidates=candidates)


def test_a_group_stays_in_one_split_with_the_copies_of_its_photos(pets):
    shutil.copy(pets / "cat" / "0.png", pets / "cat" / "119.png")  # so the groups 0 and 19 of the cats are one
    source = grouped(read_folder(pets), lambda number: f"object {number % 100 // 2}")
    manifest = take_in(source, SplitSettings(seed=3)).manifest
    splits = {}
    for file in manifest.files:
        splits.setdefault(int(file.path.partition("/")[2][:-4]) % 100 // 2, set()).add(file.split)
    assert all(len(found) == 1 for found in splits.values())
    assert splits[0] == splits[9]
    assert {split for found in splits.values() for split in found} == {"train", "validation", "test"}


def test_groups_in_several_given_splits_are_named(pets, tmp_path_factory):
    folder = as_splits(pets, tmp_path_factory.mktemp("given"), train=range(12), valid=range(12, 16), test=range(16, 20))
    source = grouped(read_folder(folder), lambda number: "the same" if number in (1, 17) else "")
    assert take_in(source, SplitSettings()).straddling == {"the same": ("train", "test")}


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
