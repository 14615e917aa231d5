import pytest

from convert.quantize import main


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--float16", "--max-drop", "1"], "add --int8"),
        (["--int8", "--max-drop", "-1"], "expected points"),
        (["--int8", "--max-drop", "nan"], "expected points"),
        (["--int8", "--batch", "4", "--max-drop", "1"], "--batch"),
        (["--model", "m.keras", "--labels", "l", "--calibration", "c", "--max-drop", "1"], "--run alone"),
    ],
    ids=str,
)
def test_flags_that_do_not_go_together(flags, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(flags)
    assert left.value.code == 2
    assert said in capsys.readouterr().err
