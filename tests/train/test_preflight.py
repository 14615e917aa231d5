import io

import cv2
import numpy as np
import pytest
from rich.console import Console

from train import preflight
from train.data_settings import DataSettings
from train.preflight import look


def blots(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
    return cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def pets(tmp_path):
    """Ten different photos of each class, and each once more, a little darker."""
    for number in range(20):
        folder = tmp_path / ("cat", "dog")[number % 2]
        folder.mkdir(exist_ok=True)
        for name, pixels in ((f"{number:02}.png", blots(number)), (f"{number:02}-dark.png", blots(number) // 16 * 15)):
            assert cv2.imwrite(str(folder / name), pixels)
    return tmp_path


def look_at(folder, **settings):
    return look(DataSettings(str(folder), **settings), Console(file=io.StringIO()))


def test_each_pair_is_counted_by_where_it_lies(pets):
    near = look_at(pets).near
    pairs = {tuple(photo.path for photo in pair.photos): pair for pair in near.listed}
    twins = {
        (f"{label}/{number:02}-dark.png", f"{label}/{number:02}.png")
        for number in range(20)
        for label in [("cat", "dog")[number % 2]]
    }
    assert set(pairs) == twins
    assert (near.pairs, near.across_classes) == (20, 0)
    assert near.across_splits == sum(pair.splits[0] != pair.splits[1] for pair in near.listed) > 0
    told = [(pair.splits[0] == pair.splits[1], pair.distance) for pair in near.listed]
    assert told == sorted(told)


def test_many_pairs_are_counted_and_the_most_telling_named(pets, monkeypatch):
    everything = look_at(pets).near
    monkeypatch.setattr(preflight, "_NEAR_LISTED", 1)
    near = look_at(pets).near
    assert (near.pairs, near.across_splits) == (everything.pairs, everything.across_splits)
    assert near.listed == everything.listed[:1]


def test_pairs_kept_together_do_not_straddle(pets):
    found = look_at(pets, group_by=r"^\d+")
    assert (found.near.pairs, found.near.across_splits) == (20, 0)
    assert found.manifest.split.group_by == r"^\d+"


def test_copies_are_no_near_duplicates(pets):
    for path in sorted(pets.rglob("*-dark.png")):
        path.write_bytes(path.with_name(path.name.replace("-dark", "")).read_bytes())
    assert look_at(pets).near.pairs == 0
