import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.dataset import SPLITS, Manifest, Photo, Quarantined, SplitSettings, read_manifest, write_manifest

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1).filter(lambda n: n not in "..")
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def manifests(draw):
    labels = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    paths = draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=5, unique=True))
    return Manifest(
        name=draw(NAMES),
        source=draw(st.text(st.characters(codec="utf-8"))),
        licence=draw(st.text(st.characters(codec="utf-8"))),
        root=Path("/", draw(NAMES)),
        labels=tuple(labels),
        split=SplitSettings(
            (80, 15, 5), draw(st.integers(0, 2**32 - 1)), tuple(draw(st.sets(st.sampled_from(SPLITS))))
        ),
        files=tuple(
            Photo(path, draw(HASHES), draw(st.sampled_from(labels)), draw(st.sampled_from(SPLITS))) for path in paths
        ),
        quarantined=tuple(Quarantined(path, "broken") for path in draw(st.lists(NAMES, max_size=2))),
    )


@given(manifests())
def test_a_manifest_comes_back_as_it_was_written(tmp_path_factory, manifest):
    path = tmp_path_factory.mktemp("manifest") / "dataset.json"
    write_manifest(manifest, path)
    assert read_manifest(path) == manifest


def manifest_json(**changes):
    photo = {"path": "cat/1.png", "sha256": "0" * 64, "label": "cat", "split": "train"}
    content = {
        "name": "pets",
        "source": "me",
        "licence": "",
        "root": "/data",
        "labels": ["cat", "dog"],
        "split": {"ratios": [70, 15, 15], "seed": 0},
        "files": [{**photo, **changes.pop("photo", {})}],
        "quarantined": [],
    }
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


def test_the_splits_of_a_manifest(tmp_path):
    path = tmp_path / "dataset.json"
    content = manifest_json()
    content["files"].append({"path": "dog/1.png", "sha256": "1" * 64, "label": "dog", "split": "test"})
    path.write_text(json.dumps(content))
    manifest = read_manifest(path)
    assert [photo.path for photo in manifest.of("train")] == ["cat/1.png"]
    assert manifest.of("validation") == ()
    assert manifest.counts() == {
        "train": {"cat": 1, "dog": 0},
        "validation": {"cat": 0, "dog": 0},
        "test": {"cat": 0, "dog": 1},
    }
    with pytest.raises(ValueError, match="'holdout'"):
        manifest.of("holdout")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": None}, "no 'labels'"),
        ({"labels": ["cat", "cat"]}, "different labels"),
        ({"labels": ["cat"]}, "at least two"),
        ({"root": "data"}, "absolute folder"),
        ({"name": 3}, "text as 'name'"),
        ({"split": []}, "list"),
        ({"split": {"ratios": [70, 30], "seed": 0}}, "three percents"),
        ({"files": "all"}, "indices"),
        ({"photo": {"path": "../secret.png"}}, "inside 'root'"),
        ({"photo": {"path": "/etc/passwd"}}, "inside 'root'"),
        ({"photo": {"path": ""}}, "inside 'root'"),
        ({"photo": {"label": "bird"}}, "'bird'"),
        ({"photo": {"split": "holdout"}}, "'holdout'"),
        ({"photo": {"sha256": "abc"}}, "64 hexadecimal"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(tmp_path, changes, reason):
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(manifest_json(**changes)))
    with pytest.raises(UserError, match=reason) as raised:
        read_manifest(path)
    assert "\n" not in str(raised.value)
    assert "train.run" in str(raised.value)


def test_a_photo_listed_twice_is_refused(tmp_path):
    content = manifest_json()
    content["files"] *= 2
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="listed twice"):
        read_manifest(tmp_path / "dataset.json")
