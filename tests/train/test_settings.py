import pytest

from tests.train.test_unfinished import settings
from train.data_settings import DataSettings
from train.settings import run_flags


def test_the_flags_defaults_are_the_settings():
    plain = settings()
    assert plain.data_settings() == DataSettings()
    assert (plain.schedule, plain.warmup, plain.label_smoothing, plain.clip_norm) == ("constant", 0, 0, None)
    assert plain.deterministic
    assert not plain.balance
    assert plain.teacher is None


def test_flags_by_name():
    plain = settings("--no-deterministic", "--balance", "--clip-norm", "1.5", "--schedule", "cosine", "--xla", "on")
    assert (plain.deterministic, plain.balance, plain.clip_norm) == (False, True, 1.5)
    assert (plain.schedule, plain.xla) == ("cosine", "on")


@pytest.mark.parametrize(
    "flags",
    [
        *(["--label-smoothing", text] for text in ("-0.1", "1", "nan", "much")),
        *(["--warmup", text] for text in ("-1", "inf", "x")),
        *(["--clip-norm", text] for text in ("0", "-1", "nan")),
        *(["--teacher-share", text] for text in ("0", "1", "x")),
        *(["--teacher-temperature", text] for text in ("0", "inf")),
        *(["--checkpoint-seconds", text] for text in ("-1", "nan")),
        ["--schedule", "steps"],
        ["--xla", "yes"],
    ],
    ids=" ".join,
)
def test_bad_values_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_flags().parse_args(flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_resume_and_force_exclude_one_another(capsys):
    with pytest.raises(SystemExit):
        run_flags().parse_args(["--resume", "--force"])
    assert "not allowed with" in capsys.readouterr().err
