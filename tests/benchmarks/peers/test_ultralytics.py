import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers import ultralytics
from benchmarks.peers.contender import Contender
from benchmarks.peers.ours import merge_times
from benchmarks.peers.training_table import print_table, to_markdown
from edge.errors import UserError

# What version 8.4.190 says, shortened.
VAL = """Ultralytics 8.4.190 \N{ROCKET} Python-3.11.7 torch-2.15.0+cu132 CPU (AMD EPYC)
YOLO11n-cls summary (fused): 47 layers, 1,533,710 parameters, 0 gradients, 3.2 GFLOPs
               classes   top1_acc   top5_acc: 100% ------------ 3/3 2.1it/s 1.4s
                   all      0.261      0.946
Speed: 0.0ms preprocess, 7.8ms inference, 0.0ms loss, 0.0ms postprocess per image
"""
PREDICT = "Speed: 1.5ms preprocess, 6.2ms inference, 0.1ms postprocess per image at shape (1, 3, 128, 128)\n"


def contender(folder, **changes):
    values = {
        "name": "TinySight 0",
        "model": "cnn_gap",
        "data": "photos",
        "folder": folder,
        "images": 100,
        "epochs": 3,
        "seconds": 20.0,
        "parameters": 1000,
        "n": 50,
        "right": 40,
        "files": {"model_int8.tflite": 2_000_000},
        "image_size": 128,
    }
    return Contender(**values | changes)


def test_accuracy_parameters_and_version_come_from_its_words():
    assert ultralytics.parse_words(VAL) == (0.261, 1533710, "8.4.190")
    assert ultralytics.parse_speed(PREDICT) == 7.8


@pytest.mark.parametrize("parse", [ultralytics.parse_words, ultralytics.parse_speed])
def test_other_words_are_one_line(parse):
    with pytest.raises(UserError, match="found n"):
        parse("Ultralytics 9 says it otherwise")


def test_photos_are_laid_out_by_our_splits(tmp_path):
    photos = tmp_path / "photos"
    files = []
    for label in ("cat", "dog"):
        (photos / label).mkdir(parents=True)
        for number, split in enumerate(("train", "validation", "test")):
            path = f"{label}/{number}.png"
            (photos / path).write_bytes(f"{label}{split}".encode())
            files.append({"path": path, "label": label, "split": split})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "dataset.json").write_text(json.dumps({"root": str(photos), "files": files}))
    folder = ultralytics.lay_out(contender(tmp_path / "run"), tmp_path / "laid")
    found = {str(path.parent.relative_to(folder)): path.read_text() for path in folder.rglob("*.png")}
    expected = [("train", "train"), ("val", "validation"), ("test", "test")]
    assert found == {f"{theirs}/{label}": f"{label}{ours}" for label in ("cat", "dog") for theirs, ours in expected}
    (photos / "cat" / "0.png").unlink()
    with pytest.raises(UserError, match="give --data a folder"):
        ultralytics.lay_out(contender(tmp_path / "run"), tmp_path / "laid")
    assert (photos / "dog" / "0.png").exists()  # a link's target is not the link


def test_a_row_has_speed_and_wilsons_interval(tmp_path):
    row = contender(tmp_path).to_row()
    assert row["images_per_s"] == 15.0
    assert row["accuracy"] == 0.8
    # Wilson's formula by hand: p = 0.8, n = 50, z = 1.96
    z, n, p = 1.959964, 50, 0.8
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert row["accuracy_interval"] == pytest.approx(
        [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)], abs=1e-4
    )


def test_rounds_are_merged_and_shown(tmp_path, capsys):
    times = merge_times([{"a": 2.0}, {"a": 9.0}, {"a": 3.0}])
    assert times == {"a": {"median": 3.0, "min": 2.0, "max": 9.0}}
    own = contender(tmp_path).to_row() | {"predict_ms": {"model_int8.tflite": times["a"]}}
    theirs = replace(contender(tmp_path), name="Ultralytics 8", files={"best.pt": 3_000_000}).to_row()
    results = {"machine": {"cpu_model": "Z80", "cores": 1}, "rows": [own, theirs | {"predict_ms": {}}]}
    assert "| TinySight: model_int8.tflite | 2.00 |" in to_markdown(results)
    print_table(results)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["TinySight:", "model_int8.tflite", "2.00", "3.00", "(2.00-9.00)"] in lines
    assert ["Ultralytics:", "best.pt", "3.00", "not", "timed"] in lines
