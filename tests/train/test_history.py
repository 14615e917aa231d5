import csv

import pytest

from edge.errors import UserError
from train.history import Epoch, best_epoch, read_history, write_history

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


def test_what_was_written_is_read(tmp_path):
    write_history(EPOCHS, tmp_path / "history.csv")
    assert read_history(tmp_path / "history.csv") == EPOCHS


def test_columns_of_others_are_passed_over(tmp_path):
    lines = ["phase,epoch,loss,accuracy,val_loss,val_accuracy,seconds", "head,1,1.25,0.5,0.9,0.625,3"]
    (tmp_path / "history.csv").write_text("\n".join(lines))
    assert read_history(tmp_path / "history.csv") == EPOCHS[:1]


@pytest.mark.parametrize(
    "text", [None, "", "epoch,loss\n1,2\n", "epoch,loss,accuracy,val_loss,val_accuracy,seconds\nx"]
)
def test_what_is_no_history_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    with pytest.raises(UserError, match="Expected a line an epoch"):
        read_history(tmp_path / "history.csv")
