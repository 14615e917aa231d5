import json
import math

import numpy as np
import pytest

from convert.differences import Measured, Photos, describe_differences, find_flips
from convert.sensitivity import LayerError


def photos(reference, truth, labels=("cat", "dog", "owl")):
    reference = np.array(reference, np.float32)
    names = [f"{number}.jpg" for number in range(len(reference))]
    images = np.zeros((len(reference), 8, 8, 3), np.uint8)
    return Photos("test", names, images, np.array(truth), labels, reference)


@pytest.fixture
def asked():
    """Five photos: one stays, one is lost, one gained, one goes from wrong to wrong, one is lost more surely."""
    return photos(
        [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.5, 0.3, 0.2], [0.1, 0.8, 0.1]],
        [0, 0, 0, 1, 1],
    )


@pytest.fixture
def scores():
    return np.array(
        [[0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [0.7, 0.3, 0.0], [0.2, 0.3, 0.5], [0.0, 0.3, 0.7]],
        np.float32,
    )


def describe(asked, scores, **more):
    file = Measured("model_int8.tflite", "int8", scores, 1000, 0.25, 0.5, **more)
    return describe_differences(asked, [file])["files"]["model_int8.tflite"]


def test_flips_by_hand(asked, scores):
    flips = find_flips(asked, scores)
    assert [(flip["index"], flip["effect"]) for flip in flips] == [
        (4, "lost"),
        (1, "lost"),
        (2, "gained"),
        (3, "other"),
    ]
    first = flips[0]
    assert (first["path"], first["truth"], first["before"], first["after"]) == ("4.jpg", "dog", "dog", "owl")
    assert (first["before_confidence"], first["after_confidence"]) == (pytest.approx(0.8), pytest.approx(0.7))


def test_figures_by_hand(asked, scores):
    described = describe(asked, scores)
    # before: right, right, wrong, wrong, right; after: right, wrong, right, wrong, wrong
    assert described["accuracy"] == pytest.approx(0.4)
    assert described["drop_points"] == pytest.approx(20)
    assert described["agreement"] == pytest.approx(0.2)
    low, high = described["agreement_interval"]
    # Wilson by hand, 1 of 5: centre (0.2 + 0.3841) / 1.7683, half width 1.96 sqrt(0.032 + 0.03841) / 1.7683
    assert (low, high) == (pytest.approx(0.0362, abs=1e-3), pytest.approx(0.6245, abs=1e-3))


def test_classes_by_hand(asked, scores):
    per_class = describe(asked, scores)["per_class"]
    # cat: photos 0, 1, 2; called cat before: 0, 1, 3, after: 0, 2
    assert per_class["cat"] == {
        "n": 3,
        "recall_before": pytest.approx(2 / 3),
        "recall_after": pytest.approx(2 / 3),
        "precision_before": pytest.approx(2 / 3),
        "precision_after": 1.0,
    }
    assert per_class["owl"]["recall_before"] is None
    assert per_class["owl"]["precision_before"] is None
    assert per_class["owl"]["precision_after"] == 0.0


def test_the_shift_is_that_of_the_float_models_answer(asked, scores):
    confidence = describe(asked, scores)["confidence"]
    # in points: -10, -20, -50, -30, -50
    assert confidence["mean_points"] == pytest.approx(-32, abs=1e-4)
    assert confidence["mean_absolute_points"] == pytest.approx(32, abs=1e-4)
    assert confidence["largest_points"] == pytest.approx(-50, abs=1e-4)
    assert confidence["p50_points"] == pytest.approx(-30, abs=1e-4)
    assert sum(confidence["histogram"]["photos"]) == 5
    assert len(confidence["histogram"]["edges_points"]) == len(confidence["histogram"]["photos"]) + 1


def test_a_layer_without_error_is_null_since_json_knows_no_infinity(asked, scores):
    layers = [
        LayerError("a", "conv_1", "CONV_2D", 31.5, 0.0),
        LayerError("b", "conv_2", "CONV_2D", math.inf, 0.0),
    ]
    described = describe(asked, scores, layers=layers)
    assert json.loads(json.dumps(described, allow_nan=False))["layers"] == [
        {"layer": "conv_1", "operation": "CONV_2D", "sqnr_db": 31.5},
        {"layer": "conv_2", "operation": "CONV_2D", "sqnr_db": None},
    ]


def test_equal_scores_are_no_flip_where_the_lower_index_was_the_answer():
    asked = photos([[0.6, 0.4]], [0], ("cat", "dog"))
    assert find_flips(asked, np.array([[0.5, 0.5]], np.float32)) == []
