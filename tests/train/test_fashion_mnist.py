import gzip
import struct

import cv2
import numpy as np
import pytest

from edge import preprocess
from edge.errors import UserError
from train import fashion_mnist
from train.fashion_mnist import LABELS, find_fashion_mnist


def write_idx(path, array):
    path.write_bytes(gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Stand in for Debian's folder with a few images of noise, and for the cache with an empty folder."""
    folder, rng = tmp_path / "debian", np.random.default_rng(0)
    folder.mkdir()
    splits = {}
    for split, name, count in (("train", "train", 40), ("test", "t10k", 20)):
        splits[split] = rng.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 10
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", splits[split][0])
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", splits[split][1])
    monkeypatch.setattr(fashion_mnist, "_DEBIAN", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder, splits


def test_debians_files_become_photos_once(files):
    _folder, splits = files
    source = find_fashion_mnist()
    assert source.labels == LABELS
    assert LABELS[:2] == ("T-shirt/top", "Trouser")
    assert LABELS[9] == "Ankle boot"
    assert len(source.candidates) == 60
    for candidate in source.candidates:
        images, labels = splits[candidate.split]
        number = int(candidate.path.stem)
        assert candidate.label == LABELS[labels[number]]
        grey = preprocess.read_frame(source.root / candidate.path)[..., 0]
        np.testing.assert_array_equal(grey, images[number])
    first = source.root / source.candidates[0].path
    before = first.stat().st_mtime_ns
    assert find_fashion_mnist() == source
    assert first.stat().st_mtime_ns == before


def test_the_splits_are_kept_and_validation_is_carved(files):
    from train.dataset import SplitSettings
    from train.intake import take_in

    manifest = take_in(find_fashion_mnist(), SplitSettings((60, 20, 20))).manifest
    assert {split: sum(by_label.values()) for split, by_label in manifest.counts().items()} == {
        "train": 30,
        "validation": 10,
        "test": 20,
    }


def test_a_broken_file_leaves_nothing_behind(files, tmp_path):
    folder, _splits = files
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(UserError, match="t10k-labels"):
        find_fashion_mnist()
    assert not [*(tmp_path / "cache").rglob("*.png")]


def test_labels_of_other_images_are_refused(files):
    folder, _splits = files
    write_idx(folder / "train-labels-idx1-ubyte.gz", np.arange(39, dtype=np.uint8) % 10)
    with pytest.raises(UserError, match=r"\(40, 28, 28\), \(39,\)"):
        find_fashion_mnist()


def test_a_full_disk_is_told_in_one_line(files, monkeypatch, tmp_path):
    def full(path, image):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fashion_mnist, "_write_png", full)
    with pytest.raises(UserError, match="No space left on device"):
        find_fashion_mnist()
    assert not [*(tmp_path / "cache" / "tinysight").iterdir()]


def test_without_debians_files_keras_downloads(files, monkeypatch, tmp_path):
    monkeypatch.setattr(fashion_mnist, "_DEBIAN", tmp_path / "absent")
    _folder, splits = files
    monkeypatch.setattr(fashion_mnist, "_load_by_keras", lambda: (splits["train"], splits["test"]))
    assert len(find_fashion_mnist().candidates) == 60


def test_a_download_that_fails_says_what_to_install(files, monkeypatch, tmp_path):
    def fail():
        raise Exception("URL fetch failure on https://example.org/x: None --\nName or service not known")  # as Keras

    monkeypatch.setattr(fashion_mnist, "_DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(fashion_mnist, "_load_by_keras", fail)
    with pytest.raises(UserError, match="apt install dataset-fashion-mnist") as raised:
        find_fashion_mnist()
    assert "\n" not in str(raised.value)


def test_a_png_keeps_its_pixels(tmp_path):
    image = np.arange(28 * 28, dtype=np.uint16).reshape(28, 28).astype(np.uint8)
    fashion_mnist._write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), image)
