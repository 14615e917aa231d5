import io

import numpy as np
import pytest
import tf_keras as keras
from rich.console import Console
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from train.features import open_features
from train.history import Epoch, best_epoch
from train.models import build
from train.models import build as build_model
from train.recipe import Recipe
from train.transfer import fine_tune, freeze_batch_norms, head_recipe, learn_head, train_head


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return build("cnn_gap", (16, 16), 10)


@pytest.fixture(scope="module")
def digits():
    """Features and labels of handwritten digits in two parts: their 64 pixels, twice, fill the model's 128 features."""
    data = load_digits()
    vectors = np.concatenate([data.data, data.data], axis=1).astype(np.float32) / 16
    return (vectors[:1200], data.target[:1200]), (vectors[1200:], data.target[1200:])


def recipe(**changes):
    settings = {"epochs": 20, "batch_size": 32, "learning_rate": 1e-3, "patience": 10, "seed": 0}
    return Recipe(**{**settings, **changes})


def accuracy(model, features, labels):
    kernel, bias = model.get_layer("scores").get_weights()
    return float(((features @ kernel + bias).argmax(axis=1) == labels).mean())


def test_a_head_learns_as_much_as_a_linear_regression(model, digits):
    before = [layer.get_weights() for layer in model.layers[:-1]]
    epochs = train_head(model, *digits, recipe(epochs=25, learning_rate=3e-3, batch_size=64))
    regression = RidgeClassifier().fit(*digits[0])
    assert accuracy(model, *digits[1]) > regression.score(*digits[1]) - 0.02
    after = [layer.get_weights() for layer in model.layers[:-1]]
    assert all(np.array_equal(a, b) for x, y in zip(before, after, strict=True) for a, b in zip(x, y, strict=True))
    assert [epoch.epoch for epoch in epochs] == list(range(1, len(epochs) + 1))


def test_the_best_epochs_weights_are_kept(model, digits):
    epochs = train_head(model, *digits, recipe(learning_rate=0.3, patience=3))
    best = best_epoch(epochs)
    assert len(epochs) == best.epoch + 3
    features, labels = digits[1]
    kernel, bias = model.get_layer("scores").get_weights()
    logits = (features @ kernel + bias).astype(float)
    logits -= logits.max(axis=1, keepdims=True)
    loss = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    assert loss.mean() == pytest.approx(best.val_loss, rel=0.05)  # Keras clips scores at 1e-7
    assert accuracy(model, features, labels) == pytest.approx(best.val_accuracy)


def test_the_same_seed_gives_the_same_head_whatever_was_random_before(model, digits):
    heads = []
    for seed in (0, 0, 1):
        np.random.default_rng().random(), keras.backend.random_uniform((3,))
        train_head(model, *digits, recipe(epochs=2, seed=seed))
        heads.append(model.get_layer("scores").get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(heads[0], heads[1], strict=True))
    assert not np.array_equal(heads[0][0], heads[2][0])


def test_classes_may_count_the_same(model, digits):
    (features, labels), validation = digits
    rare = np.flatnonzero((labels != 0) | (np.cumsum(labels == 0) <= 4))  # of the zeros four
    shares = []
    for balance in (False, True):
        train_head(model, (features[rare], labels[rare]), validation, recipe(epochs=3, balance=balance))
        kernel, bias = model.get_layer("scores").get_weights()
        shares.append(float(((validation[0] @ kernel + bias).argmax(axis=1) == 0).mean()))
    assert shares[1] > shares[0]


def test_smoothed_labels_make_a_modest_head(model, digits):
    confidences = []
    for smoothing in (0.0, 0.3):
        train_head(model, *digits, recipe(epochs=6, learning_rate=3e-3, label_smoothing=smoothing))
        kernel, bias = model.get_layer("scores").get_weights()
        scores = keras.activations.softmax(keras.backend.constant(digits[1][0] @ kernel + bias)).numpy()
        confidences.append(scores.max(axis=1).mean())
    assert confidences[1] < confidences[0]


def test_a_head_is_learnt_from_photos_through_the_cache(model, tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 90)
    images = rng.integers(0, 20, (90, 16, 16, 3), np.uint8) + np.uint8(20) * labels[:, None, None, None].astype(
        np.uint8
    )
    photos = {"train": (images[:60], labels[:60]), "validation": (images[60:], labels[60:])}
    text = io.StringIO()
    console = Console(file=text, width=200)
    keys = {"train": "one", "validation": "two"}
    epochs = learn_head(model, photos, keys, recipe(epochs=4), tmp_path, console)
    kernel, bias = model.get_layer("scores").get_weights()
    features = open_features(model, photos["validation"][0], "two", tmp_path, console)[np.arange(30)]
    expected = keras.activations.softmax(keras.backend.constant(features @ kernel + bias)).numpy()
    np.testing.assert_allclose(model(photos["validation"][0]), expected, atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 2
    line = text.getvalue()
    assert line.startswith("head: features of 90 photos in ")
    assert f"then {len(epochs)} epochs of " in line


def test_fine_tuning_leaves_batch_norms_as_they_are_and_moves_the_rest():
    model = build("cnn_gap", (32, 32), 3)
    freeze_batch_norms(model)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3)).astype(np.float32)
    backbone = keras.Model(model.input, model.get_layer("features").output)
    # a batch's own statistics are not looked at
    np.testing.assert_allclose(backbone(pixels, training=True), backbone(pixels, training=False), atol=1e-5)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(pixels, np.arange(8) % 3)
    for layer in model.layers:
        same = all(np.array_equal(a, b) for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
        assert same == (not layer.weights or layer.name.endswith("_bn")), layer.name


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_fine_tuning_reaches_every_kernel_of_a_backbone(name):
    model = build(name, (32, 32), 3)
    freeze_batch_norms(model)
    trained = {id(weight) for weight in model.trainable_weights}
    for layer in model.layers:
        reached = [id(weight) in trained for weight in layer.weights]
        assert not any(reached) if isinstance(layer, keras.layers.BatchNormalization) else all(reached), layer.name


def test_a_frozen_batch_norm_keeps_the_order_of_the_weights():
    frozen, free = build("cnn_gap", (32, 32), 3), build("cnn_gap", (32, 32), 3)
    freeze_batch_norms(frozen)
    free.set_weights(frozen.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(free(pixels), frozen(pixels))


def test_a_head_is_trained_in_its_own_way_but_with_the_same_labels():
    asked = recipe(precision="mixed_bfloat16", mixup=0.2, schedule="cosine", warmup=2.0, seed=5, balance=True, xla=True)
    head = head_recipe(asked)
    assert (head.precision, head.mixup, head.schedule, head.warmup, head.xla) == ("float32", 0, "constant", 0, False)
    assert (head.seed, head.balance, head.batch_size) == (5, True, 32)


@pytest.mark.parametrize("better", [True, False])
def test_fine_tuning_is_kept_only_where_it_helps(better, model):
    def epoch(loss):
        return Epoch(1, 1.0, 0.5, loss, 0.5, 1.0)

    def build():
        return build_model("cnn_gap", (16, 16), 10)

    started = []

    def fit_all(start):
        tuned = start()
        started.append(tuned.get_weights())
        assert not tuned.get_layer("conv_1a_bn").trainable
        tuned.get_layer("scores").set_weights([np.ones((128, 10)), np.ones(10)])
        return tuned, [epoch(0.4 if better else 0.6)]

    text = io.StringIO()
    before = model.get_weights()
    fine_tune(model, [epoch(0.5)], build, fit_all, Console(file=text, width=200))
    assert all(np.array_equal(a, b) for a, b in zip(started[0], before, strict=True))
    assert (model.get_weights()[-1] == 1).all() == better
    assert ("did not lower the validation loss" in text.getvalue()) != better
    assert model.get_layer("conv_1a_bn").trainable
