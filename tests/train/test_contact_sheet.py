import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge.errors import UserError
from train.contact_sheet import draw_contact_sheet
from train.data_settings import DataSettings
from train.preflight import NearDuplicates, look

RED = (0xC0, 0x26, 0x2D)
CAT, DOG = (10, 200, 30), (20, 40, 230)


@pytest.fixture
def pets(tmp_path):
    """Plain green cats and blue dogs that differ in four rows of noise."""
    rng = np.random.default_rng(0)
    for number in range(8):
        for label, colour in (("cat", CAT), ("dog", DOG)):
            pixels = np.full((64, 48, 3), colour[::-1], np.uint8)
            pixels[:4] = rng.integers(0, 256, (4, 48, 3), np.uint8)
            (tmp_path / "pets" / label).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(tmp_path / "pets" / label / f"{number}.png"), pixels)
    return tmp_path / "pets"


def draw(folder, path):
    found = look(DataSettings(str(folder)), Console(file=io.StringIO()))
    draw_contact_sheet(replace(found, near=NearDuplicates()), path)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def count(sheet, colour):
    return int((sheet == colour).all(axis=2).sum())


def test_examples_of_each_class_are_shown_upright_and_whole(pets, tmp_path):
    sheet = draw(pets, tmp_path / "sheet.png")
    # A photo of 64x48 fills 128x96 of its tile; the noise is its uppermost sixteenth, blended at its edge.
    for colour in (CAT, DOG):
        assert 0.9 < count(sheet, colour) / (8 * 96 * 120) <= 1
    assert count(sheet, RED) == 0


def test_trouble_is_marked_in_red(pets, tmp_path):
    (pets / "cat" / "7.png").write_bytes((pets / "dog" / "7.png").read_bytes())
    (pets / "dog" / "broken.png").write_bytes(b"broken")
    assert count(draw(pets, tmp_path / "sheet.png"), RED) > 2 * (2 * 128 + 128) * 3


def test_a_photo_that_vanished_meanwhile_is_crossed_out(pets, tmp_path):
    found = look(DataSettings(str(pets)), Console(file=io.StringIO()))
    (pets / "cat" / "0.png").unlink()
    draw_contact_sheet(found, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert count(np.asarray(image), RED) > 0


def test_hundreds_of_classes_fit_into_a_jpeg(tmp_path, monkeypatch):
    monkeypatch.setattr("train.contact_sheet._MOST_CLASSES", 3)
    for label in range(5):
        (tmp_path / "pets" / str(label)).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(10 * label + number).integers(0, 256, (16, 16, 3), np.uint8)
            assert cv2.imwrite(str(tmp_path / "pets" / str(label) / f"{number}.png"), pixels)
    few = draw(tmp_path / "pets", tmp_path / "sheet.jpg").shape[0]
    monkeypatch.setattr("train.contact_sheet._MOST_CLASSES", 5)
    assert draw(tmp_path / "pets", tmp_path / "sheet.jpg").shape[0] > few


def test_a_sheet_that_cannot_be_written_is_told(pets, tmp_path):
    with pytest.raises(UserError, match="Expected to write the contact sheet"):
        draw(pets, tmp_path / "missing" / "sheet.png")
