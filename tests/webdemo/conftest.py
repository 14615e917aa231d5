"""The application on a real model, and encoded photos to ask it about."""

import cv2
import numpy as np
import pytest

from edge import Classifier
from webdemo.app import create_app


@pytest.fixture(scope="session")
def app(digits_run):
    return create_app({"RUN": digits_run})


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(scope="session")
def classifier(digits_run):
    return Classifier(digits_run / "model_int8.tflite")


@pytest.fixture(scope="session")
def photo_files(digits_photos):
    """Return one photo of each digit."""
    return [sorted(folder.iterdir())[0] for folder in sorted(digits_photos.iterdir())]


@pytest.fixture(scope="session")
def encoded(photo_files):
    """Return the same colourful picture in each format that the page takes."""
    grey = cv2.imread(str(photo_files[3]))
    picture = cv2.applyColorMap(cv2.resize(grey, (120, 90)), cv2.COLORMAP_JET)
    return {
        name: cv2.imencode(suffix, picture)[1].tobytes()
        for name, suffix in {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp", "GIF": ".gif"}.items()
    }


@pytest.fixture(scope="session")
def large_jpeg():
    """Return a JPEG over werkzeug's 500 kB, up to which a file stays in memory without our doing."""
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    assert len(data) > 1_000_000
    return data
