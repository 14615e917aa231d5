import dataclasses
import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from rich.console import Console

from edge.errors import UserError
from tests.train.small_set import make_small_set
from train import cache, cache_file
from train.cache import StoredImages, open_pixels
from train.dataset import SPLITS
from train.pixels import StreamedImages, load_images

SIZE = (8, 12)
STORED = 40 * 8 * 12 * 3


@pytest.fixture
def photos(tmp_path):
    return make_small_set(tmp_path / "photos")


class Opener:
    """Opens the same cache as often as is wanted and keeps what was said and decoded."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.console, self.decoded = folder, Console(file=io.StringIO(), width=500), 0
        monkeypatch.setattr(cache, "load_image", self._count)
        self._load = load_images.__globals__["load_image"]

    def __call__(self, manifest, size=SIZE):
        self.decoded = 0
        return open_pixels(manifest, size, self.folder, self.console)

    @property
    def said(self):
        return self.console.file.getvalue()

    @property
    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def _count(self, *arguments):
        self.decoded += 1
        self._load(*arguments)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    return Opener(tmp_path / "cache", monkeypatch)


def check(pixels, manifest, kind, size=SIZE):
    assert tuple(pixels) == SPLITS
    for split, (images, labels) in pixels.items():
        expected, expected_labels = load_images(manifest, split, size)
        assert isinstance(images, kind)
        assert np.array_equal(images[:], expected)
        assert np.array_equal(labels, expected_labels)


def deal_anew(manifest):
    """Return the same photos, each in another split."""
    after = dict(zip(SPLITS, SPLITS[1:] + SPLITS[:1], strict=True))
    files = tuple(dataclasses.replace(photo, split=after[photo.split]) for photo in manifest.files)
    return dataclasses.replace(manifest, files=files)


def test_the_cache_holds_what_decoding_gives(opened, photos):
    check(opened(photos), photos, StoredImages)
    assert opened.decoded == 40
    assert str(opened.folder / opened.files[0]) in opened.said


def test_the_second_time_nothing_is_decoded_or_even_there(opened, photos):
    first = {split: images[:] for split, (images, _labels) in opened(photos).items()}
    shutil.rmtree(photos.root)
    again = opened(photos)
    assert opened.decoded == 0
    assert all(np.array_equal(again[split][0][:], first[split]) for split in SPLITS)


def test_it_is_a_npy_file_of_the_photos_sorted_by_hash(opened, photos):
    opened(photos)
    (name,) = opened.files
    stored = np.load(opened.folder / name, mmap_mode="r", allow_pickle=False)
    assert (stored.shape, stored.dtype) == ((40, *SIZE, 3), np.uint8)
    by_hash = {}
    for split in SPLITS:
        hashes = [photo.sha256 for photo in photos.of(split)]
        by_hash.update(zip(hashes, load_images(photos, split, SIZE)[0], strict=True))
    assert all(np.array_equal(row, by_hash[sha256]) for row, sha256 in zip(stored, sorted(by_hash), strict=True))
    data = (opened.folder / name).read_bytes()
    key = bytes.fromhex(name.removesuffix(".npy").partition("-")[2])
    assert data[-32:] == hashlib.sha256(key + data[:-32]).digest()


def test_another_deal_of_the_same_photos_shares_the_file(opened, photos):
    opened(photos)
    other = deal_anew(photos)
    check(opened(other), other, StoredImages)
    assert opened.decoded == 0
    assert len(opened.files) == 1


def test_photos_of_equal_bytes_are_kept_once(opened, photos):
    shutil.copy(photos.root / "cat/0.png", photos.root / "cat/copy.png")
    first = next(photo for photo in photos.files if photo.path == "cat/0.png")
    twice = dataclasses.replace(photos, files=(*photos.files, dataclasses.replace(first, path="cat/copy.png")))
    check(opened(twice), twice, StoredImages)
    assert opened.decoded == 40


def test_other_photos_another_size_and_other_code_are_other_files(opened, photos, monkeypatch):
    opened(photos)
    opened(photos, (12, 8))
    assert opened.decoded == 40
    opened(dataclasses.replace(photos, files=photos.files[1:]))
    assert opened.decoded == 39
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "another OpenCV")
    opened(photos)
    assert opened.decoded == 40
    code = opened.folder.parent / "preprocess.py"
    code.write_text("# another way to decode")
    monkeypatch.setattr(cache.preprocess, "__file__", str(code))
    opened(photos)
    assert opened.decoded == 40
    assert len(opened.files) == 5


@pytest.mark.parametrize("place", [0, 60, 200, 128 + STORED - 1, 128 + STORED, -1])
def test_a_flipped_byte_is_found_and_the_file_made_anew(opened, photos, place):
    opened(photos)
    path = opened.folder / opened.files[0]
    whole = path.read_bytes()
    assert len(whole) == 128 + STORED + 32
    damaged = bytearray(whole)
    damaged[place] ^= 1
    path.write_bytes(damaged)
    check(opened(photos), photos, StoredImages)
    assert opened.decoded == 40
    assert f"{path} is damaged" in opened.said
    assert path.read_bytes() == whole


@pytest.mark.parametrize("keep", [0, 100, 128 + STORED, 128 + STORED + 31])
def test_a_cut_file_is_made_anew(opened, photos, keep):
    opened(photos)
    path = opened.folder / opened.files[0]
    os.truncate(path, keep)
    check(opened(photos), photos, StoredImages)
    assert opened.decoded == 40


def test_a_whole_file_under_anothers_name_is_not_taken(opened, photos):
    opened(photos)
    others = make_small_set(photos.root.parent / "others")
    changed = others.root / "dog/1.png"
    changed.write_bytes((photos.root / "dog/1.png").read_bytes() + b"\0")
    files = [
        dataclasses.replace(p, sha256=hashlib.sha256((others.root / p.path).read_bytes()).hexdigest())
        for p in others.files
    ]
    others = dataclasses.replace(others, files=tuple(files))
    (mine,) = opened.files
    opened(others)
    (theirs,) = set(opened.files) - {mine}
    shutil.copy(opened.folder / mine, opened.folder / theirs)
    opened(others)
    assert opened.decoded == 40


def test_a_changed_photo_stops_the_making_and_leaves_nothing(opened, photos):
    path = photos.root / photos.files[20].path
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match="has changed since"):
        opened(photos)
    assert opened.files == []


def test_a_file_that_is_cut_while_it_is_used_is_told(opened, photos):
    images, _labels = opened(photos)["train"]
    os.truncate(opened.folder / opened.files[0], 1000)
    with pytest.raises(UserError, match="was cut; start again"):
        images[:]


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fsync", "replace"])
def test_a_full_disk_means_streaming_and_leaves_nothing(opened, photos, monkeypatch, call):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    check(opened(photos), photos, StreamedImages)
    assert opened.files == []
    assert opened.said.count("\n") == 1
    assert "No space left on device" in opened.said
    assert "--cache DIR" in opened.said


def test_a_disk_that_takes_half_of_what_is_written_is_written_to_again(opened, photos, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: pwrite(file, data[: max(1, len(data) // 2)], place))
    check(opened(photos), photos, StoredImages)


def test_room_is_left_for_checkpoints(opened, photos, monkeypatch):
    usage = shutil.disk_usage(photos.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=900_000_000))
    check(opened(photos), photos, StreamedImages)
    assert "1,000 MB are needed, 900 MB are free" in opened.said


def test_a_folder_that_cannot_be_means_streaming(opened, photos):
    opened.folder.write_text("a file")
    check(opened(photos), photos, StreamedImages)
    assert opened.said.startswith(f"no cache of pixels in {opened.folder}: ")


def test_without_a_cache_photos_are_streamed_and_nothing_is_said(photos, capsys):
    check(open_pixels(photos, SIZE, None, Console(stderr=True)), photos, StreamedImages)
    assert capsys.readouterr() == ("", "")


def test_what_was_unused_for_longest_goes_first(opened, photos, monkeypatch):
    sizes = [(8, 12), (12, 8), (6, 16)]  # of equal length
    for age, size in zip((1, 3, 2), sizes, strict=True):
        opened(photos, size)
        path = next(opened.folder.glob(f"{size[0]}x{size[1]}-*"))
        os.utime(path, (time.time() - 60 * age,) * 2)
    opened(photos, (12, 8))  # the oldest, now used
    (opened.folder / "mine.txt").touch()
    monkeypatch.setattr(cache_file, "LIMIT_BYTES", 3 * STORED + 1000)
    opened(photos, (16, 6))
    assert [name.partition("-")[0] for name in opened.files] == ["12x8", "16x6", "8x12", "mine.txt"]


def test_what_a_killed_writer_left_goes_after_an_hour(opened, photos):
    opened.folder.mkdir()
    for name, age in ((".partial-old.npy", 4000), (".partial-new.npy", 60)):
        (opened.folder / name).touch()
        os.utime(opened.folder / name, (time.time() - age,) * 2)
    opened(photos)
    assert [name for name in opened.files if name.startswith(".")] == [".partial-new.npy"]


def test_two_that_make_it_at_once_do_no_harm(photos, tmp_path):
    from train.dataset import write_manifest

    write_manifest(photos, tmp_path / "dataset.json")
    code = (
        "import sys; from pathlib import Path; from rich.console import Console; from train.cache import open_pixels\n"
        "from train.dataset import read_manifest\n"
        "pixels = open_pixels(read_manifest(Path(sys.argv[1])), (8, 12), Path(sys.argv[2]), Console(stderr=True))\n"
        "print(int(sum(images[:].sum(dtype='int64') for images, _labels in pixels.values())))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "dataset.json"), str(tmp_path / "cache")]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    expected = sum(load_images(photos, split, SIZE)[0].sum(dtype="int64") for split in SPLITS)
    assert [process.communicate()[0] for process in both] == [f"{expected}\n"] * 2
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_reading_it_all_takes_no_memory(tmp_path):
    # 400 MB of images behind one another; a mapped file would count as the process's memory.
    code = (
        "import sys, numpy as np; from train.cache import OpenFile, StoredImages\n"
        "from pathlib import Path\n"
        "def peak(): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
        "file = OpenFile(Path(sys.argv[1]))\n"
        "images = StoredImages(file, 0, np.arange(8000), (128, 128))\n"
        "images[:32]; before = peak()\n"
        "total = sum(int(images[n: n + 32].sum()) for n in range(0, 8000, 32))\n"
        "print(total, peak() - before)"
    )
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 8000 * 128 * 128 * 3)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    total, grown = map(int, done.stdout.split())
    assert total == 0
    assert grown < 8_000  # kB, of 400,000
