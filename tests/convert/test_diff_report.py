import json

import numpy as np
import pytest

from convert.diff_report import write_diff_report
from convert.differences import Measured, Photos
from convert.sensitivity import LayerError
from tests.page import Page

HOSTILE = ['<script>alert("1")</script>', '" onerror="alert(2)" x="', "{{ 7 * 7 }}", "größe 猫"]


def scores(answers, classes, sure=0.8):
    rest = (1 - sure) / (classes - 1)
    rows = np.full((len(answers), classes), rest, np.float32)
    rows[np.arange(len(answers)), answers] = sure
    return rows


def write(folder, labels, truth, before, after, **more):
    n, random = len(before), np.random.default_rng(0)
    images = random.integers(0, 256, (n, 40, 24, 3), dtype=np.uint8)
    names = [f"<img src=x onerror=alert(3)>{number}.png" for number in range(n)]
    truth = None if truth is None else np.array(truth)
    photos = Photos("test", names, images, truth, labels, scores(before, len(labels)))
    files = [
        Measured("model_float32.tflite", "float32", scores(before, len(labels)), 4_000_000, 1.0, 1.0),
        Measured("model_int8.tflite", "int8", scores(after, len(labels), 0.7), 1_000_000, 0.25, 1.3, **more),
    ]
    folder.mkdir(exist_ok=True)
    write_diff_report(folder, photos, files, labels[0], "CC0")
    return Page((folder / "quantization.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    layers = [LayerError("x", '<b onclick="1">', "CONV_2D", 20.0, 0.0), LayerError("y", "y", "MEAN", float("inf"), 0.0)]
    folder = tmp_path_factory.mktemp("report")
    page = write(
        folder, HOSTILE, [0, 1, 2, 3, 0], [0, 1, 2, 0, 1], [1, 1, 0, 3, 2], layers=layers, slow="<i>HARD_SWISH</i>"
    )
    return page, folder


def test_names_are_text_and_nothing_else(hostile):
    page, _ = hostile
    assert page.open == []
    for text in (*HOSTILE, "<img src=x onerror=alert(3)>0.png", '<b onclick="1">', "<i>HARD_SWISH</i>"):
        assert text in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "input", "b", "i", "base", "image", "use"}
    assert not [attrs for _, attrs in page.elements if any(key.startswith("on") for key in attrs)]


def test_the_page_loads_nothing(hostile):
    page, _ = hostile
    for _, attrs in page.elements:
        assert attrs.get("src", "data:image/").startswith("data:image/")
        assert attrs.get("href", "#").startswith("#")
        assert "url(" not in attrs.get("style", "")
    assert "url(" not in page.text
    assert "@import" not in page.text
    policies = [attrs["content"] for _, attrs in page.elements if attrs.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_every_link_leads_somewhere(hostile):
    page, _ = hostile
    targets = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    links = {attrs["href"].removeprefix("#") for _, attrs in page.elements if "href" in attrs}
    assert links <= targets
    assert len(links) == 2


def test_the_changed_photos_are_in_the_page_and_in_the_json(hostile):
    page, folder = hostile
    assert len([1 for tag, _ in page.elements if tag == "img"]) == 4
    figures = json.loads((folder / "quantization.json").read_text(encoding="utf-8"))
    flips = figures["files"]["model_int8.tflite"]["flips"]
    assert [flip["index"] for flip in flips] == [0, 2, 3, 4]
    assert figures["n"] == 5


def test_the_figures_stand_in_words(tmp_path):
    words = write(tmp_path, ["cat", "dog"], [0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 1, 1]).words
    assert "The trained model gets 3 of 4 test photos right: 75.0 %" in words
    assert "2 answers of 4 changed: 1 from right to wrong, 1 from wrong to right." in words
    assert "the trained model's answer in 50.0 %" in words
    assert "\N{MULTIPLICATION SIGN} 0.25" in words
    assert "The same answer as the trained model on all 4 photos, and the same confidence." in words
    assert "under their licence CC0" in words


def test_of_many_changes_a_few_are_shown_and_all_counted(tmp_path):
    page = write(tmp_path, ["cat", "dog"], [0] * 40, [0] * 40, [1] * 40)
    assert len([1 for tag, _ in page.elements if tag == "img"]) == 12
    assert "The first 12 of 40" in page.words


def test_many_classes_fold_away(tmp_path):
    labels = [f"class {number}" for number in range(20)]
    page = write(tmp_path, labels, list(range(20)), list(range(20)), [1, *range(1, 20)])
    assert "The other 8 classes" in page.words


def test_photos_that_nobody_named_show_where_answers_differ_and_claim_no_accuracy(tmp_path):
    page = write(tmp_path, ["cat", "dog"], None, [0, 1, 0], [0, 0, 0])
    assert "1 answer of 3 changed ." in page.words or "1 answer of 3 changed." in page.words
    assert "Another answer" in page.words
    for word in ("accuracy", "points lost", "Class by class", "in truth", "None"):
        assert word not in page.words
    figures = json.loads((tmp_path / "quantization.json").read_text())
    assert figures["keras"] is None
    (flip,) = figures["files"]["model_int8.tflite"]["flips"]
    assert (flip["before"], flip["after"], flip["truth"], flip["effect"]) == ("dog", "cat", None, "other")
    assert "accuracy" not in figures["files"]["model_int8.tflite"]
