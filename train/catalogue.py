"""Finds what --data names: a data set that is known by name, one of Kaggle, a list, or a folder of the user."""

from __future__ import annotations

from pathlib import Path

from edge.errors import UserError
from train.sources import Candidate, Source, read_folder

SOLAR_CELLS = "solar-cells"
FASHION_MNIST = "fashion-mnist"
KAGGLE = "kaggle:"


def find_source(data: str, group_by: str | None = None) -> Source:
    """Find a data set; a file or folder of that name goes before a name that we know.

    Args:
        data: solar-cells, fashion-mnist, kaggle:OWNER/NAME, a CSV or a folder.
        group_by: Column of a CSV, or regular expression on the file's name, that tells which photos belong together.

    Raises:
        UserError: If there is nothing of that name, or it can't be trained on.
    """
    from train.grouping import group_by_name

    source = _find(data, group_by)
    if group_by and not any(candidate.group for candidate in source.candidates):
        return group_by_name(source, group_by)
    return source


def _find(data: str, group_by: str | None) -> Source:
    """Find a data set by what its name looks like."""
    path = Path(data)
    if path.is_dir():
        return read_folder(path)
    if path.is_file():
        from train.csv_source import read_csv

        return read_csv(path, group_by)
    if data == SOLAR_CELLS:
        return find_solar_cells()
    if data == FASHION_MNIST:
        from train.fashion_mnist import find_fashion_mnist

        return find_fashion_mnist()
    if data.startswith(KAGGLE):
        from train.kaggle import find_kaggle

        return find_kaggle(data.removeprefix(KAGGLE), group_by)
    raise UserError(
        f"Expected a folder of photos, a CSV, {SOLAR_CELLS}, {FASHION_MNIST} or {KAGGLE}OWNER/NAME as data, "
        f"got {data!r}, which is none of them"
    )


def find_solar_cells() -> Source:
    """Find the solar cells of the package elpv-dataset: defective at a probability of at least 0.5.

    2,624 grey photos, 300x300, by electroluminescence: Buerhop-Lutz et al. 2018, Deitsch et al. 2019.
    """
    import elpv_dataset

    root = Path(elpv_dataset.__file__).resolve().parent / "data"
    rows = [line.split() for line in (root / "labels.csv").read_text(encoding="utf-8").splitlines()]
    return Source(
        name=SOLAR_CELLS,
        origin="elpv-dataset, https://github.com/zae-bayern/elpv-dataset",
        licence="CC BY-NC-SA 4.0",
        root=root,
        labels=("functional", "defective"),
        candidates=tuple(
            Candidate(Path(path), "defective" if float(probability) >= 0.5 else "functional")
            for path, probability, _kind in sorted(rows)
        ),
    )
