import csv

from train.history import Epoch, best_epoch, write_history

EPOCHS = [
    Epoch(1, 1.25, 0.5, 0.9, 0.625, 3.0),
    Epoch(2, 0.75, 0.75, 0.5, 0.875, 2.5),
    Epoch(3, 0.5, 0.8, 0.5, 0.75, 2.0),
]


def test_the_first_of_the_lowest_validation_loss_is_the_best():
    assert best_epoch(EPOCHS).epoch == 2


def test_a_line_an_epoch(tmp_path):
    write_history(EPOCHS, tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["val_accuracy"]) for row in rows] == [0.625, 0.875, 0.75]
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
