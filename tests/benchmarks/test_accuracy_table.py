import pytest

from benchmarks.accuracy_table import print_table


def row(model="model_int8.tflite", reference="model_float32.tflite", won=7, lost=11, p=0.48, **values):
    compared = {
        "agreement": 0.973,
        "agreement_interval": [0.957, 0.983],
        "mcnemar": {"only_this_right": won, "only_float32_right": lost, "p_value": p},
    }
    return {
        "run": "solar",
        "photos": "eval.npz",
        "model": model,
        "size_bytes": 793_000,
        "n": 656,
        "accuracy": 541 / 656,
        "accuracy_interval": [0.794, 0.852],
        "macro_f1": 0.761,
        "ece": 0.038,
        "unknown": {"threshold": 0.86, "rate": 0.515, "rate_of_wrong": 0.826},
        "confident_mistakes": {"n": 13},
        "reference": reference,
        **(compared if reference else {}),
        **values,
    }


def printed(capsys, monkeypatch, *rows):
    monkeypatch.setenv("COLUMNS", "80")
    print_table({"rows": list(rows)})
    return capsys.readouterr().out


def words(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_two_lines_a_file_within_80_columns(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, row(), row("model_float32.tflite", None))
    lines = words(out)
    assert lines[0] == "Accuracy of solar over 656 photos of eval.npz"
    assert "model_int8.tflite 82.5% 0.761 97.3% +7 -11 115 51.5%" in lines
    assert "793 KB 79.4-85.2 0.038 95.7-98.3 p 0.48 13 82.6%" in lines
    assert "model_float32.tflite 82.5% 0.761 115 51.5%" in lines
    assert max(map(len, out.splitlines())) <= 80
    assert "beyond chance" not in out


@pytest.mark.parametrize(("won", "lost", "word"), [(2, 20, "WORSE"), (20, 2, "better")])
def test_what_is_no_chance_is_said(won, lost, word, capsys, monkeypatch):
    out = " ".join(printed(capsys, monkeypatch, row(won=won, lost=lost, p=0.001)).split())
    assert f"model_int8.tflite is {word} than model_float32.tflite, beyond chance" in out


def test_what_is_not_known_stays_empty(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, row(reference=None, ece=None, unknown=None, n=1, accuracy=1.0))
    assert "over 1 photo of" in out
    assert "None" not in out


def test_each_run_has_a_table(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, row(), row(run="trash", photos="holiday"))
    assert "Accuracy of trash over 656 photos of holiday" in out


def test_a_name_is_neither_markup_nor_an_escape_sequence(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, row("[red]\x1b[2Jx[/].tflite", run="[b]", p=0.01))
    assert "[red]?[2Jx[/].tflite" in out
    assert "Accuracy of [b]" in out
    assert "\x1b" not in out
