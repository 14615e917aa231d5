import json
import shutil

import numpy as np
import pytest
import tf_keras as keras

from train.features import extract
from train.history import Epoch
from train.models import MODELS, build
from train.phases import Trained
from train.run import main
from train.weights import find_weights


@pytest.fixture(scope="module")
def photos(digits_photos, tmp_path_factory):
    """Zeros and ones: 60 photos each."""
    folder = tmp_path_factory.mktemp("photos")
    for label in ("zero", "one"):
        (folder / label).mkdir()
        for path in sorted((digits_photos / label).iterdir())[:60]:
            shutil.copy(path, folder / label)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of MobileNetV2's narrowest width, such as they are before any training."""
    path = tmp_path_factory.mktemp("weights") / "some.h5"
    keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None).save_weights(path)
    return path


def train(photos, output, model, *flags):
    small = ["--image-size", "32", "--output", str(output), "--precision", "float32"]
    return main(["--data", str(photos), "--model", model, *small, *flags])


@pytest.fixture(scope="module")
def head_run(photos, tmp_path_factory):
    """A run of EfficientNet-Lite0 whose head alone was trained. Read-only: copy before changing."""
    run = tmp_path_factory.mktemp("runs") / "head"
    assert train(photos, run, "efficientnet_lite0", "--head-only") == 0
    return run


def test_a_head_alone_leaves_the_backbone_as_it_was_published(head_run):
    model = keras.models.load_model(head_run / "model.keras", compile=False)
    path = find_weights(MODELS["efficientnet_lite0"].pretrained, "imagenet", (32, 32))
    published = build("efficientnet_lite0", (32, 32), 2, weights=path)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    ours, theirs = (np.concatenate([*extract(each, images)]) for each in (model, published))
    np.testing.assert_array_equal(ours, theirs)
    assert all(layer.trainable for layer in model.layers)
    metrics = json.loads((head_run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.8  # zeros and ones are easy
    assert metrics["training"]["epochs"] > 10
    assert "head" not in metrics["training"]
    config = json.loads((head_run / "config.json").read_text())
    assert (config["weights"], config["head_only"]) == ("imagenet", True)
    assert config["weights_sha256"].startswith("57934424")


def test_from_trained_weights_the_head_comes_first_then_everything(photos, weights, tmp_path, capsys):
    flags = ("--alpha", "0.35", "--weights", str(weights), "--epochs", "1", "--learning-rate", "1e-4")
    assert train(photos, tmp_path / "run", "mobilenet_v2", *flags) == 0
    said = capsys.readouterr().err
    assert "starting from some.h5, not a file that is known here" in said
    assert said.index("head: features of ") < said.index("epoch 1/1 ")
    training = json.loads((tmp_path / "run" / "metrics.json").read_text())["training"]
    assert training["epochs"] == 1
    assert training["head"]["epochs"] > 10
    kept = "fine-tuning did not lower the validation loss" in said
    assert training["best_epoch"] == (0 if kept else 1)


def test_weights_of_another_model_cost_nothing_that_was_there(photos, head_run, weights, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(head_run, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert train(photos, run, "resnet50", "--weights", str(weights), "--force") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: Expected weights of resnet50 without its classifier")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_an_unfinished_run_goes_on_from_its_own_weights_alone(photos, weights, tmp_path, capsys):
    flags = ("--alpha", "0.35", "--weights", str(tmp_path / "mine.h5"), "--head-only")
    shutil.copy(weights, tmp_path / "mine.h5")
    assert train(photos, tmp_path / "run", "mobilenet_v2", *flags) == 0
    (tmp_path / "run" / "metrics.json").unlink()
    other = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    other.save_weights(tmp_path / "mine.h5")
    assert train(photos, tmp_path / "run", "mobilenet_v2", *flags) == 1
    assert "began with another model at --weights" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--model", "vgg"], "error: Expected one of cnn, cnn_gap"),
        (["--model", "cnn", "--weights", "imagenet"], "error: There are no ImageNet weights of this model"),
        (["--model", "resnet50", "--weights", "none.h5"], "error: Expected imagenet, none or a file as --weights"),
    ],
)
def test_a_bad_choice_is_one_line_before_anything_is_looked_at(flags, expected, tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--output", str(tmp_path / "run"), *flags]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(expected)


@pytest.mark.parametrize(("loss", "best"), [(0.4, 2), (0.6, 0)])
def test_the_best_epoch_is_the_heads_where_nothing_came_below_it(loss, best):
    def epoch(number, val_loss):
        return Epoch(number, 1.0, 0.5, val_loss, 0.75, 2.0)

    trained = Trained(build("cnn", (8, 8), 2), [epoch(1, 0.9), epoch(2, loss)], [epoch(1, 0.5)])
    summary = trained.summary()
    assert summary["parameters"] == trained.model.count_params()
    assert (summary["epochs"], summary["best_epoch"], summary["seconds"]) == (2, best, 6.0)
    assert summary["head"] == {"epochs": 1, "loss": 0.5, "accuracy": 0.75}
