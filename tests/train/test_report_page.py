import json

import numpy as np
import pytest

from edge.errors import UserError
from tests.page import Page
from tests.train.finished_run import make_photos, make_run
from train.dataset import write_manifest
from train.report_page import write_report

HOSTILE = ['<script>alert("1")</script>', '" onerror="alert(2)" x="', "{{ 7 * 7 }}", "&lt;b&gt;", "größe 猫"]


def page_of(run, metrics):
    write_report(run, metrics)
    return Page((run / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run whose labels and photos have names that want to be markup."""
    folder = tmp_path_factory.mktemp("hostile")
    name = "<img src=x onerror=alert(3)>'\"{{ 7 * 7 }} {}.png".replace("{{", "{{{{").replace("}}", "}}}}")
    manifest = make_photos(folder / "photos", HOSTILE, name=name)
    metrics = make_run(folder / "run", manifest, skill=0.5)
    return page_of(folder / "run", metrics), metrics


def test_names_are_text_and_nothing_else(hostile):
    page, metrics = hostile
    assert page.open == []
    for label in HOSTILE:
        assert label in page.text
    for mistake in metrics["test"]["most_wrong"]:
        assert mistake["path"] in page.text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form", "input", "a.b", "svg"}
    assert not [attrs for _, attrs in page.elements if any(key.startswith("on") for key in attrs)]


def test_the_page_loads_nothing(hostile):
    page, _ = hostile
    for tag, attrs in page.elements:
        assert (attrs.get("src") or "data:").startswith("data:image/"[: len(attrs.get("src") or "data:")])
        assert (attrs.get("href") or "#").startswith("#")
        assert "url(" not in (attrs.get("style") or "")
        assert tag != "base"
    assert "url(" not in page.text
    assert "@import" not in page.text
    policies = [attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_the_photos_are_in_the_page(hostile):
    page, metrics = hostile
    test = metrics["test"]
    shown = len(test["most_wrong"]) + sum(len(pair["photos"]) for pair in test["confused_pairs"] if pair["n"] > 1)
    pictures = [attrs["src"] for tag, attrs in page.elements if tag == "img"]
    assert len([uri for uri in pictures if uri.startswith("data:image/png;base64,")]) == shown
    assert len([uri for uri in pictures if uri.startswith("data:image/svg+xml;base64,")]) == 4


def test_the_figures_stand_in_words(tmp_path):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"], each=50)
    metrics = make_run(tmp_path / "run", manifest, seed=3)
    test = metrics["test"]
    right = int(np.trace(test["confusion_matrix"]))
    words = page_of(tmp_path / "run", metrics).words
    assert (
        f"Of 40 test photos, which training never saw, the model got {right} right: {100 * right / 40:.1f} %" in words
    )
    low, high = test["accuracy_interval"]
    assert f"between {100 * low:.1f} % and {100 * high:.1f} % (95 % interval)" in words
    assert "would be right in 50.0 %." in words
    assert "100 photos of 2 classes from a test. Licence: CC0." in words
    assert "0/half.png does not decode: it is cut off" in words
    assert "5 epochs; the weights of epoch 5 are kept" in words
    assert "12,345 parameters, 1 min 23 s" in words
    assert f"Answers below {100 * metrics['threshold']['value']:.1f} % confidence count as unknown" in words
    assert "All photos here show one of the classes." in words


def test_a_model_that_guesses_is_called_so(tmp_path):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"], each=50)
    words = page_of(tmp_path / "run", make_run(tmp_path / "run", manifest, skill=0)).words
    assert "it isn't shown that the model is better than that" in words
    assert "no threshold could be shown to keep that, this one comes nearest." in words


def test_a_model_without_a_mistake_isnt_called_perfect(tmp_path):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"])
    words = page_of(tmp_path / "run", make_run(tmp_path / "run", manifest, skill=50)).words
    assert "None: every test photo got the right answer." in words


def test_many_classes_are_folded_away_but_all_there(tmp_path):
    labels = [f"class {number}" for number in range(15)]
    manifest = make_photos(tmp_path / "photos", labels, each=10)
    page = page_of(tmp_path / "run", make_run(tmp_path / "run", manifest, skill=1))
    assert page.words.count("The other 3 classes") == 2
    assert "among the 5 likeliest" in page.words
    assert all(label in page.text for label in labels)


def test_photos_that_are_gone_are_named_with_the_reason(tmp_path):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"], each=50)
    metrics = make_run(tmp_path / "run", manifest, skill=0)
    first, second = (each["path"] for each in metrics["test"]["most_wrong"][:2])
    (tmp_path / "photos" / first).unlink()
    (tmp_path / "photos" / second).write_bytes(b"another photo")
    words = page_of(tmp_path / "run", metrics).words
    assert "can't be read: No such file or directory" in words
    assert "has changed since training" in words
    assert first in words
    assert second in words


@pytest.mark.parametrize("key", ["temperature", "threshold", "test", "training"])
def test_an_older_runs_metrics_are_refused_in_one_line(tmp_path, key):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"])
    metrics = make_run(tmp_path / "run", manifest)
    del metrics[key]
    with pytest.raises(UserError, match="train again") as error:
        write_report(tmp_path / "run", metrics)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "report.html").exists()


def test_photos_that_dataset_json_no_longer_lists_are_named(tmp_path):
    manifest = make_photos(tmp_path / "photos", ["cat", "dog"], each=50)
    metrics = make_run(tmp_path / "run", manifest, skill=0)
    gone = metrics["test"]["most_wrong"][0]["path"]
    files = tuple(photo for photo in manifest.files if photo.path != gone)
    write_manifest(type(manifest)(**{**vars(manifest), "files": files}), tmp_path / "run" / "dataset.json")
    assert "isn't in dataset.json" in page_of(tmp_path / "run", json.loads(json.dumps(metrics))).words
