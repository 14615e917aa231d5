import io

import numpy as np
import pytest
from rich.console import Console
from sklearn.datasets import load_digits

from edge.errors import UserError
from train import device
from train.fit import Recipe, save_model, train_model
from train.history import best_epoch


@pytest.fixture(scope="module")
def digits():
    """Zeros, ones and twos of scikit-learn's digits, 16x16, in two parts."""
    data = load_digits(n_class=3)
    images = np.repeat((data.images * 15.9).astype(np.uint8)[..., None].repeat(2, 1).repeat(2, 2), 3, axis=3)
    return (images[:400], data.target[:400]), (images[400:], data.target[400:])


def recipe(**changes):
    settings = {"model": "cnn", "epochs": 3, "batch_size": 32, "learning_rate": 1e-3, "patience": 6, "seed": 0}
    return Recipe(**{**settings, **changes})


def fit(digits, text=None, **changes):
    device.prepare(0)
    return train_model(recipe(**changes), *digits, 3, Console(file=text or io.StringIO(), width=200))


def test_training_learns_and_tells_a_line_an_epoch(digits):
    text = io.StringIO()
    _model, epochs = fit(digits, text)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].val_loss < epochs[0].val_loss
    assert epochs[-1].val_accuracy > 0.8
    assert [line.split("  ")[0] for line in text.getvalue().splitlines()] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_the_same_seed_gives_the_same_weights(digits):
    (first, _), (second, _) = fit(digits, epochs=1), fit(digits, epochs=1)
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_leaves_a_float32_model(digits, precision):
    model, _epochs = fit(digits, epochs=1, precision=precision)
    assert {layer.dtype_policy.name for layer in model.layers if hasattr(layer, "dtype_policy")} == {"float32"}
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert all(weights.dtype == np.float32 for weights in model.get_weights())


def test_the_best_weights_are_kept_and_training_stops_by_patience(digits):
    # So high a rate that the loss soon rises.
    model, epochs = fit(digits, epochs=12, patience=2, learning_rate=0.02)
    best = best_epoch(epochs)
    assert len(epochs) < 12
    assert len(epochs) == best.epoch + 2
    images, labels = digits[1]
    scores = model(images).numpy()
    loss = -np.log(np.clip(scores[np.arange(len(labels)), labels], 1e-7, 1)).mean()
    assert loss == pytest.approx(best.val_loss, rel=1e-3)


def test_a_loss_that_is_no_number_ends_in_advice(digits):
    with pytest.raises(UserError, match="lower --learning-rate than 1e\\+30"):
        fit(digits, learning_rate=1e30)


def test_a_saved_model_is_whole_and_alone(digits, tmp_path):
    import tf_keras as keras

    model, _epochs = fit(digits, epochs=1)
    save_model(model, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again(digits[1][0][:5]), model(digits[1][0][:5]))
