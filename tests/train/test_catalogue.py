import csv
from pathlib import Path

import pytest

from edge.errors import UserError
from train.catalogue import find_source


def test_neither_a_name_nor_a_folder():
    with pytest.raises(UserError, match="'no-such-data'") as raised:
        find_source("no-such-data")
    assert "fashion-mnist" in str(raised.value)


def test_solar_cells_by_the_packages_own_list():
    elpv_dataset = pytest.importorskip("elpv_dataset")
    source = find_source("solar-cells")
    assert source.labels == ("functional", "defective")
    assert source.licence == "CC BY-NC-SA 4.0"
    with Path(elpv_dataset.__file__).with_name("data").joinpath("labels.csv").open() as file:
        rows = list(csv.reader(file, delimiter=" ", skipinitialspace=True))
    defective = {row[0] for row in rows if row[1] in ("0.6666666666666666", "1.0")}
    assert len(source.candidates) == len(rows) == 2624
    assert {c.path.as_posix() for c in source.candidates if c.label == "defective"} == defective
    assert len(defective) == 821
    assert all((source.root / candidate.path).is_file() for candidate in source.candidates)


def test_a_folder_goes_before_a_name_that_we_know(tmp_path, monkeypatch):
    for path in ("solar-cells/cat/1.png", "solar-cells/dog/1.png"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    monkeypatch.chdir(tmp_path)
    assert find_source("solar-cells").labels == ("cat", "dog")


def test_a_file_is_read_as_a_list(tmp_path):
    (tmp_path / "list.txt").write_text("path,label,cell\n1.png,cat,7\n2.png,dog,8\n3.png,dog,7\n")
    source = find_source(str(tmp_path / "list.txt"), group_by="Cell")
    assert [each.group for each in source.candidates] == ["7", "8", "7"]


def test_what_is_no_column_is_a_pattern(tmp_path):
    (tmp_path / "list.csv").write_text("path,label,cell\na1.png,cat,7\na2.png,dog,8\nb3.png,dog,7\n")
    source = find_source(str(tmp_path / "list.csv"), group_by="^[a-z]")
    assert [each.group for each in source.candidates] == ["a", "a", "b"]
