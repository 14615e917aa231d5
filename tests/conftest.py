"""Real photos and a real run, made once for all tests: scikit-learn's handwritten digits as PNG files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

DIGITS_TRAINING = ("--image-size", "32", "--epochs", "4", "--learning-rate", "1e-3")  # quick, and good enough
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="session", autouse=True)
def no_traces_in_the_users_cache(tmp_path_factory):
    """Let what is kept between runs be kept for this test run only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def digits_photos(tmp_path_factory):
    """Return a folder of 1,797 PNG photos, 32x32, one folder per digit. Read-only: copy before changing."""
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder)
    return folder


def write_digits(folder: Path) -> None:
    """Write the photos of `digits_photos`."""
    digits = load_digits()
    for name in DIGITS:
        (folder / name).mkdir(parents=True)
    for number, (image, target) in enumerate(zip(digits.images, digits.target, strict=True)):
        pixels = np.round(image * (255 / 16)).astype(np.uint8)  # scikit-learn's run from 0 to 16
        upscaled = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(folder / DIGITS[target] / f"{number:04}.png"), upscaled)


@pytest.fixture(scope="session")
def digits_run(digits_photos, tmp_path_factory):
    """Return the folder of a run, trained on the digits and converted. Read-only: copy before changing."""
    import convert.quantize
    import train.run

    run = tmp_path_factory.mktemp("runs") / "digits"
    assert train.run.main(["--data", str(digits_photos), *DIGITS_TRAINING, "--output", str(run)]) == 0
    assert convert.quantize.main(["--run", str(run)]) == 0
    return run
