import argparse
from pathlib import Path

import pytest

from edge.errors import UserError
from train.model_settings import add_model_flags, fill_in, image_size
from train.models import MODELS


def filled(*flags, **changes):
    parser = argparse.ArgumentParser()
    add_model_flags(parser)
    given = {**vars(parser.parse_args(flags)), "learning_rate": None, "teacher": None, **changes}
    fill_in(given)
    return given


def test_what_is_left_out_suits_the_model():
    for name, spec in MODELS.items():
        given = filled("--model", name)
        assert given["image_size"] == (spec.image_size, spec.image_size)
        assert given["weights"] == ("imagenet" if spec.pretrained else "none")
        assert given["learning_rate"] == (spec.fine_tuning_rate if spec.pretrained else spec.learning_rate)


def test_what_is_given_stays():
    given = filled("--model", "mobilenet_v2", "--weights", "none", "--image-size", "96x128", "--alpha", "0.5")
    assert (given["weights"], given["image_size"], given["alpha"]) == ("none", (96, 128), 0.5)
    assert given["learning_rate"] == MODELS["mobilenet_v2"].learning_rate
    assert filled(learning_rate=0.5)["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("flags", "changes", "expected"),
    [
        (["--model", "vgg"], {}, "Expected one of cnn, cnn_gap"),
        (["--model", "resnet50", "--image-size", "31"], {}, "at least 32 for resnet50, got 31x31"),
        (["--alpha", "0.5"], {}, "--alpha for mobilenet_v2 only"),
        (["--model", "mobilenet_v2", "--alpha", "0"], {}, "--alpha of 0.1 to 2.0, got 0"),
        (["--model", "mobilenet_v2", "--alpha", "nan"], {}, "--alpha of 0.1 to 2.0, got nan"),
        (["--head-only"], {}, "trained weights for --head-only"),
        (["--model", "mobilenet_v2", "--head-only", "--weights", "none"], {}, "trained weights for --head-only"),
        (["--model", "mobilenet_v2", "--head-only"], {"teacher": Path("run")}, "one of --head-only and --teacher"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(flags, changes, expected):
    with pytest.raises(UserError, match=expected) as error:
        filled(*flags, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "expected"), [("8", (8, 8)), ("96x128", (96, 128)), ("96X128", (96, 128))])
def test_an_image_size_is_one_side_or_two(text, expected):
    assert image_size(text) == expected


@pytest.mark.parametrize("text", ["7", "4097", "1x2x3", "x", "", "-8", "8.5"])
def test_other_image_sizes_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected N or HxW of 8 to 4096"):
        image_size(text)
