import numpy as np
import pytest
from PIL import Image

from train.history import Epoch
from train.plots import plot_run

EPOCHS = [Epoch(number, 1 / number, 1 - 1 / (number + 1), 1.2 / number, 0.6, 2.0) for number in range(1, 6)]


@pytest.mark.parametrize("epochs", [EPOCHS, EPOCHS[:1]], ids=["five", "one"])
@pytest.mark.parametrize(
    "labels",
    [["functional", "defective"], ["$x$", "_under", "a" * 60, "<b>", "größe"], [f"class {n}" for n in range(40)]],
    ids=["two", "odd", "forty"],
)
def test_every_plot_is_a_picture_with_something_on_it(tmp_path, epochs, labels):
    matrix = np.random.default_rng(0).integers(0, 30, (len(labels), len(labels)))
    matrix[1] = 0  # a class without a photo in the test split
    plot_run(epochs, {"confusion_matrix": matrix.tolist(), "accuracy": 0.5, "n": 9}, labels, "$5 data", tmp_path / "p")
    for name in ("loss.png", "accuracy.png", "confusion_matrix.png"):
        with Image.open(tmp_path / "p" / name) as picture:
            assert min(picture.size) >= 400
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
