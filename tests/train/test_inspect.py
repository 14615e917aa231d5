import hashlib
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from train.inspect import main


def photo(seed, file_format="PNG", side=32):
    """Return the bytes of a photo of a few large blots: no other seed's looks alike."""
    blots = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(blots).resize((side, side), Image.Resampling.BICUBIC).save(data, file_format)
    return data.getvalue()


@pytest.fixture
def pets(tmp_path):
    """Twelve cats and twelve dogs, split as Kaggle's data sets are."""
    for number in range(24):
        split = "train" if number < 16 else "valid" if number < 20 else "test"
        path = tmp_path / "pets" / split / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    return tmp_path / "pets"


def inspect(data, capsys, *flags):
    """Run the command; return its exit code, its JSON, stdout and stderr."""
    file = data.parent / "found.json"
    code = main(["--data", str(data), "--json", str(file), *flags])
    said = capsys.readouterr()
    return code, json.loads(file.read_text()) if file.exists() else {}, said.out, said.err


def test_good_photos(pets, capsys):
    code, found, out, err = inspect(pets, capsys)
    assert (code, err) == (0, "")
    assert out.startswith("pets: 24 photos found, 24 used in 2 classes\n")
    assert found["photos"] == {"found": 24, "used": 24, "quarantined": 0}
    assert found["classes"] == {label: {"train": 8, "validation": 2, "test": 2} for label in ("cat", "dog")}
    assert (found["formats"], found["imbalance"]["ratio"]) == ({"PNG": 24}, 1.0)
    assert found["sizes"] == {"different": 1, "smallest": [32, 32], "median": [32, 32], "largest": [32, 32]}
    assert found["leaks"]["pairs"] == found["near_duplicates"]["pairs"] == found["quarantined"] == []


@pytest.fixture
def leaking(pets):
    """A test photo's copy in train, a validation photo's copy in test, and one that has the same pixels."""
    shutil.copy(pets / "test" / "cat" / "20.png", pets / "train" / "cat" / "copy.png")
    shutil.copy(pets / "valid" / "dog" / "17.png", pets / "test" / "dog" / "copy.png")
    with Image.open(pets / "train" / "dog" / "03.png") as image:
        image.save(pets / "valid" / "dog" / "same.bmp")
    return pets


PAIRS = {
    ("train/cat/copy.png", "test/cat/20.png", "bytes"),
    ("valid/dog/17.png", "test/dog/copy.png", "bytes"),
    ("train/dog/03.png", "valid/dog/same.bmp", "pixels"),
}


def test_leaks_are_named_and_refused(leaking, capsys):
    code, found, out, err = inspect(leaking, capsys)
    assert code == 1
    assert err.startswith("error: Expected each photo in one split, 3 are in two")
    assert err.count("\n") == 1
    assert "--drop-leaks" in err
    assert "--allow-leaks" in err
    assert {(*pair["paths"], pair["identical"]) for pair in found["leaks"]["pairs"]} == PAIRS
    for copy, kept, identical in PAIRS:
        assert any(f"same {identical}: {copy} (" in line and f" = {kept} (" in line for line in out.splitlines())
    assert found["quarantined"] == []


def test_dropped_leaks_leave_the_judging_copy(leaking, capsys):
    code, found, _out, err = inspect(leaking, capsys, "--drop-leaks")
    assert (code, err) == (0, "")
    assert {each["path"] for each in found["quarantined"]} == {copy for copy, _kept, _identical in PAIRS}
    assert found["photos"] == {"found": 27, "used": 24, "quarantined": 3}


def test_allowed_leaks_stay(leaking, capsys):
    code, found, _out, _err = inspect(leaking, capsys, "--allow-leaks")
    assert code == 0
    assert found["photos"]["used"] == 27
    assert found["leaks"]["count"] == 3


def test_many_leaks_are_cut_on_the_screen_only(pets, capsys):
    for number in range(30):
        (pets / "train" / "cat" / f"a{number}.png").write_bytes(photo(1000 + number))
        (pets / "test" / "cat" / f"b{number}.png").write_bytes(photo(1000 + number))
    _code, found, out, _err = inspect(pets, capsys)
    assert out.count("in two splits, same bytes") == 20
    assert "... and 10 more; train.inspect --json has all\n" in out
    assert len(found["leaks"]["pairs"]) == 30


def test_a_list_may_name_a_photo_in_two_splits(pets, capsys):
    rows = [f"{path.relative_to(pets)},{path.parent.name},{path.parts[-3]}" for path in sorted(pets.rglob("*.png"))]
    twice = "test/cat/20.png,cat,train"
    (pets / "list.csv").write_text("\n".join(["path,label,split", *rows, twice, "train/dog/gone.png,dog,train"]))
    code, found, _out, _err = inspect(pets / "list.csv", capsys)
    assert code == 1
    assert found["leaks"]["pairs"] == [
        {"paths": ["test/cat/20.png"] * 2, "splits": ["train", "test"], "identical": "bytes"}
    ]
    for flag in ("--drop-leaks", "--allow-leaks"):
        assert inspect(pets / "list.csv", capsys, flag)[:2][1]["photos"]["used"] == 24
    assert {"path": "train/dog/gone.png", "reason": "there is no such file"} in found["quarantined"]


def test_near_duplicates_are_told_and_refused_on_demand(pets, capsys):
    with Image.open(pets / "train" / "cat" / "00.png") as image:
        image.resize((40, 40)).save(pets / "test" / "cat" / "larger.jpg")
    code, found, out, _err = inspect(pets, capsys)
    assert code == 0
    near = found["near_duplicates"]
    assert (near["count"], near["across_splits"], near["across_classes"]) == (1, 1, 0)
    (pair,) = near["pairs"]
    assert pair["paths"] == ["test/cat/larger.jpg", "train/cat/00.png"]
    assert pair["splits"] == ["test", "train"]
    assert "test/cat/larger.jpg (test) ~ train/cat/00.png (train)" in out
    code, _found, _out, err = inspect(pets, capsys, "--near-duplicates", "error")
    assert code == 1
    assert "1 pairs do, 1 of them across splits" in err


def test_groups_in_two_given_splits_are_refused(pets, capsys):
    code, found, out, err = inspect(pets, capsys, "--group-by", r"\d")
    assert code == 1
    assert found["straddling_groups"] == {"1": ["train", "validation"]}
    assert "group in several splits: 1: train, validation\n" in out
    assert "'1' in train and validation" in err.splitlines()[-1]
    assert inspect(pets, capsys, "--group-by", r"\d", "--drop-leaks")[0] == 1
    assert inspect(pets, capsys, "--group-by", r"\d", "--allow-leaks")[0] == 0


@pytest.fixture
def damaged(pets):
    """One photo in twenty broken, each in another way."""
    whole = photo(100, "JPEG", 64)
    for name, data in (
        ("cut.jpg", whole[: len(whole) // 2]),
        ("zero.jpg", bytes(len(whole))),
        ("empty.jpg", b""),
        ("text.jpg", b"no photo\n" * 9),
        ("dot.png", photo(101, side=1)),
        ("gif.jpg", photo(102, "GIF")),
    ):
        (pets / "train" / "cat" / name).write_bytes(data)
    (pets / "train" / "cat" / "loop.jpg").symlink_to("loop.jpg")
    (pets / "train" / "dog" / "gone.jpg").symlink_to("nowhere.jpg")
    (pets / "train" / "dog" / "really.png").write_bytes(photo(103, "JPEG"))
    (pets / "train" / "dog" / "twice.png").write_bytes(photo(4))  # a cat
    (pets / "notes.txt").write_text("these are pets")
    return pets


def hashes(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def test_damaged_files_are_all_listed_and_none_changed(damaged, capsys):
    before = hashes(damaged)
    code, found, out, err = inspect(damaged, capsys, "--contact-sheet", str(damaged.parent / "sheet.jpg"))
    assert (code, err) == (0, "")
    assert hashes(damaged) == before
    names = {each["path"] for each in found["quarantined"]}
    assert names == {
        *(f"train/cat/{name}" for name in ("cut.jpg", "zero.jpg", "empty.jpg", "text.jpg", "dot.png", "gif.jpg")),
        *("train/cat/loop.jpg", "train/dog/gone.jpg", "train/cat/04.png", "train/dog/twice.png"),
    }
    assert all(f"left out: {name}: " in out for name in names)
    assert found["oddities"]["wrong extension"] == {"count": 1, "examples": ["train/dog/really.png"]}
    assert found["strays"] == {"count": 1, "examples": ["notes.txt"]}
    assert found["conflicts"] == [{"paths": ["train/cat/04.png", "train/dog/twice.png"], "labels": ["cat", "dog"]}]


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet.png"])
def test_the_contact_sheet_is_a_picture(damaged, capsys, name):
    sheet = damaged.parent / name
    assert inspect(damaged, capsys, "--contact-sheet", str(sheet))[0] == 0
    with Image.open(sheet) as image:
        image.load()
        assert image.width > 1000


@pytest.mark.parametrize("flag", ["--json", "--contact-sheet"])
def test_a_folder_that_is_missing_is_told_before_the_work(pets, capsys, flag):
    assert main(["--data", str(pets), flag, str(pets / "missing" / "file.png")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "make it first" in said.err


def test_a_sheet_of_another_kind_is_a_bad_flag(pets, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(pets), "--contact-sheet", "sheet.pdf"])
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("no-such-data", "'no-such-data'"),
        ("few", "at least 3 different usable photos"),
        ("no-label.csv", "Expected a column of labels"),
        ("kaggle:nothing", "kaggle:OWNER/NAME"),
    ],
)
def test_bad_data_is_one_line(tmp_path, monkeypatch, capsys, data, reason):
    for number in range(6):
        path = tmp_path / "few" / ("cat" if number < 5 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    (tmp_path / "no-label.csv").write_text("path,class id\n1.png,0\n")
    monkeypatch.chdir(tmp_path)
    assert main(["--data", data]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: Expected")
    assert reason in said.err
    assert said.err.count("\n") == 1


def test_as_a_command_image_libraries_keep_quiet(damaged):
    broken = Image.fromarray(np.zeros((64, 64), np.uint8))
    broken.save(damaged / "train" / "cat" / "a.tif", compression="tiff_lzw")
    data = bytearray((damaged / "train" / "cat" / "a.tif").read_bytes())
    data[8:40] = bytes(32)
    (damaged / "train" / "cat" / "a.tif").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "train.inspect", "--data", "pets"],
        cwd=damaged.parent,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out: train/cat/a.tif: " in done.stdout
