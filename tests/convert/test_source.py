import json
import shutil

import pytest

from convert.source import load_source
from edge.errors import UserError


@pytest.fixture
def run(digits_run, tmp_path):
    """A copy of the finished run that a test may harm."""
    return shutil.copytree(digits_run, tmp_path / "run")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_finished_run_tells_what_travels_in_its_files(run):
    source = load_source(run)
    described = source.describe("int8")
    dataset = json.loads((run / "dataset.json").read_text())
    assert described["labels"] == dataset["labels"] == source.labels
    assert described["image_size"] == [32, 32]
    assert described["scheme"] == "int8"
    assert described["dataset"]["licence"] == dataset["licence"]
    assert len(described["provenance"]["dataset_sha256"]) == 64


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut"])
def test_damaged_weights(run, content):
    (run / "model.keras").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.keras does not load"):
        load_source(run)


def test_half_of_the_weights(run):
    whole = (run / "model.keras").read_bytes()
    (run / "model.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model\.keras does not load"):
        load_source(run)


def test_a_manifest_of_other_classes(run):
    def drop_class(dataset):
        gone = dataset["labels"].pop()
        dataset["files"] = [file for file in dataset["files"] if file["label"] != gone]

    edit(run / "dataset.json", drop_class)
    with pytest.raises(UserError, match=r"has 10 classes, dataset\.json 9"):
        load_source(run)


def test_weights_that_hide_code_are_not_run(run):
    import tf_keras as keras

    image = keras.Input((32, 32, 3))
    hostile = keras.layers.Lambda(lambda x: x)(image)
    hostile = keras.layers.Flatten()(hostile)
    keras.Model(image, keras.layers.Dense(10)(hostile)).save(run / "model.keras")
    with pytest.raises(UserError, match=r"model\.keras does not load"):
        load_source(run)


def test_the_splits_are_the_manifests(run):
    splits = load_source(run).splits
    dataset = json.loads((run / "dataset.json").read_text())
    for name in ("validation", "test"):
        files = [file for file in dataset["files"] if file["split"] == name]
        assert splits[name].images.shape == (len(files), 32, 32, 3)
        assert [dataset["labels"][index] for index in splits[name].truth] == [file["label"] for file in files]


def test_a_training_split_that_is_judged_on_as_a_whole(run):
    def copy_all(dataset):
        hashes = {file["label"]: file["sha256"] for file in dataset["files"] if file["split"] == "test"}
        for file in dataset["files"]:
            if file["split"] == "train":
                file["sha256"] = hashes[file["label"]]

    edit(run / "dataset.json", copy_all)
    with pytest.raises(UserError, match="got none in"):
        load_source(run).calibrate(10, 0)
