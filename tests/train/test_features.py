import io
from dataclasses import replace

import numpy as np
import pytest
import tf_keras as keras
from rich.console import Console

from edge.errors import UserError
from train import features
from train.dataset import Manifest, Photo, SplitSettings
from train.features import extract, open_features, photos_key
from train.models import build


@pytest.fixture(scope="module")
def model():
    return build("cnn_gap", (16, 16), 3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (70, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def expected(model, images):
    """What Keras itself makes of all images in one batch."""
    return keras.Model(model.input, model.get_layer("features").output)(images).numpy()


@pytest.fixture
def looked(monkeypatch):
    """Count how often the backbone is asked."""
    calls = []
    monkeypatch.setattr(features, "extract", lambda *arguments: calls.append(1) or extract(*arguments))
    return calls


def opened(model, images, folder, key="photos", text=None):
    return open_features(model, images, key, folder, Console(file=text or io.StringIO(), width=200))


def all_of(found):
    return found[np.arange(found.shape[0])]


def test_features_come_in_batches_in_order(model, images, expected):
    seen = []
    batches = list(extract(model, images, lambda: seen.append(1)))
    assert len(seen) == 70
    assert [len(batch) for batch in batches] == [32, 32, 6]
    np.testing.assert_allclose(np.concatenate(batches), expected, rtol=1e-4, atol=1e-6)


def test_no_more_than_a_batch_of_images_is_read_at_a_time(model, images):
    class Lazy:
        largest = 0

        def __len__(self):
            return len(images)

        def __getitem__(self, key):
            self.largest = max(self.largest, len(images[key]))
            return images[key]

    lazy = Lazy()
    assert sum(map(len, extract(model, lazy))) == 70
    assert lazy.largest == 32


def test_a_second_run_reads_what_the_first_one_wrote(model, images, expected, looked, tmp_path):
    first = all_of(opened(model, images, tmp_path / "cache"))
    second = all_of(opened(model, images, tmp_path / "cache"))
    assert len(looked) == 1
    np.testing.assert_allclose(first, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(first, second)
    (path,) = (tmp_path / "cache").iterdir()
    with path.open("rb") as file:  # and so does NumPy
        np.testing.assert_array_equal(np.load(file, allow_pickle=False), first)


def test_rows_are_read_as_numpy_would(model, images, expected, tmp_path):
    found = opened(model, images, tmp_path)
    assert found.shape == expected.shape
    for rows in ([3, 3, 69, 0], [], [-1]):
        chosen = found[np.array(rows, np.int64)]
        np.testing.assert_allclose(chosen, expected[np.array(rows, np.int64)], rtol=1e-4, atol=1e-6)
    with pytest.raises(IndexError):
        found[np.array([70])]


def test_other_weights_photos_or_sizes_are_other_features(model, images, looked, tmp_path):
    for key in ("photos", "others"):
        opened(model, images, tmp_path, key)
    other = keras.models.clone_model(model)
    other.set_weights([each + 0.01 for each in model.get_weights()])
    opened(other, images, tmp_path)
    assert len(looked) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_the_head_makes_no_difference(model, images, looked, tmp_path):
    opened(model, images, tmp_path)
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.get_layer("scores").set_weights([np.ones((128, 3)), np.ones(3)])
    opened(other, images, tmp_path)
    assert len(looked) == 1


@pytest.mark.parametrize("place", [0, 60, 200, -100, -1])
def test_a_damaged_file_is_made_anew(place, model, images, expected, looked, tmp_path):
    opened(model, images, tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    for damaged in (data, data[:-1], b""):
        path.write_bytes(damaged)
        np.testing.assert_allclose(all_of(opened(model, images, tmp_path)), expected, rtol=1e-4, atol=1e-6)
    assert len(looked) == 4
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_under_anothers_name_is_found_out(model, images, looked, tmp_path):
    opened(model, images, tmp_path / "a", "one")
    opened(model, images[::-1], tmp_path / "b", "other")
    (one,), (other,) = (tmp_path / "a").iterdir(), (tmp_path / "b").iterdir()
    one.write_bytes(other.read_bytes())
    opened(model, images, tmp_path / "a", "one")
    assert len(looked) == 3


def test_nothing_is_left_of_a_file_that_was_not_finished(model, images, tmp_path, monkeypatch):
    def interrupted(*_):
        yield np.zeros((32, 128), np.float32)
        raise KeyboardInterrupt

    monkeypatch.setattr(features, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opened(model, images, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_kept_memory_serves(model, images, expected, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    text = io.StringIO()
    found = opened(model, images, tmp_path / "file" / "cache", text=text)
    np.testing.assert_allclose(all_of(found), expected, rtol=1e-4, atol=1e-6)
    assert text.getvalue() == f"features are not kept in {tmp_path / 'file' / 'cache'}: Not a directory\n"
    np.testing.assert_allclose(all_of(opened(model, images, None)), expected, rtol=1e-4, atol=1e-6)


def test_a_file_that_is_cut_while_it_is_used_is_told(model, images, tmp_path):
    found = opened(model, images, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="was cut; start again"):
        all_of(found)


def test_a_splits_key_hangs_on_its_photos_their_order_and_the_size(tmp_path):
    def photo(name, digit, split):
        return Photo(name, digit * 64, "cat", split)

    files = (photo("a", "1", "train"), photo("b", "2", "train"), photo("c", "3", "test"))
    manifest = Manifest("pets", "", "", tmp_path, ("cat", "dog"), SplitSettings(), files)
    moved = replace(manifest, root=tmp_path / "elsewhere", name="others")
    assert photos_key(manifest, "train", (8, 8)) == photos_key(moved, "train", (8, 8))
    swapped = replace(manifest, files=(photo("a", "2", "train"), photo("b", "1", "train")))
    keys = [
        photos_key(manifest, "train", (8, 8)),
        photos_key(manifest, "test", (8, 8)),
        photos_key(manifest, "train", (8, 9)),
        photos_key(swapped, "train", (8, 8)),
    ]
    assert len({*keys}) == 4
