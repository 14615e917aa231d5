import base64
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.train.finished_run import EPOCHS
from train.evaluate import evaluate, reliability
from train.plots import draw_run, plot_run, to_data_uri

NAMES = {"loss", "accuracy", "confusion_matrix", "reliability", "per_class"}
ODD = ["$x$", "_under", "a" * 60, "</text><script>alert(1)</script>", "größe", "猫"]


def judged(labels, photos=300):
    """Return a test split's part of metrics.json; the second class has no photo."""
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(len(labels)), photos).astype(np.float32)
    truth = rng.choice(np.delete(np.arange(len(labels)), 1), photos)
    right = scores.argmax(axis=1) == truth
    bins = {key: reliability(scores.max(axis=1), right) for key in ("raw", "calibrated")}
    return {**evaluate(scores, truth, labels), "reliability": bins}


@pytest.mark.parametrize("epochs", [EPOCHS, EPOCHS[:1]], ids=["five", "one"])
@pytest.mark.parametrize(
    "labels",
    [["functional", "defective"], ODD, [f"class {n}" for n in range(40)], [f"class {n}" for n in range(130)]],
    ids=["two", "odd", "forty", "too many to name"],
)
def test_every_plot_is_a_picture_with_something_on_it(tmp_path, epochs, labels):
    plot_run(epochs, judged(labels), labels, "$5 data", tmp_path / "p")
    assert {path.stem for path in (tmp_path / "p").iterdir()} == NAMES
    for name in NAMES:
        with Image.open(tmp_path / "p" / f"{name}.png") as picture:
            assert 150 <= min(picture.size) <= max(picture.size) < 4000
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def svg_of(figure):
    uri = to_data_uri(figure)
    assert uri.startswith("data:image/svg+xml;base64,")
    return base64.b64decode(uri.partition(",")[2]).decode()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_svg_needs_nothing_else_and_knows_the_dark(name):
    svg = svg_of(draw_run(EPOCHS, judged(ODD), ODD)[name])
    root = ElementTree.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href"):
                assert value.startswith(("#", "data:"))
    assert "prefers-color-scheme:dark" in svg
    assert "var(--c0)" in svg
    assert "#14201f" not in svg.replace("--c0:#14201f", "")  # the ink is a variable wherever it is used


def test_labels_stand_in_an_svg_as_text():
    root = ElementTree.fromstring(svg_of(draw_run(EPOCHS, judged(ODD), ODD)["per_class"]))
    texts = " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    assert "$x$ (" in texts
    assert "</text><script>alert(1)" in texts
    assert "猫" in texts


def test_equal_figures_give_equal_bytes():
    first, second = (to_data_uri(draw_run(EPOCHS, judged(ODD), ODD)["loss"]) for _ in range(2))
    assert first == second
