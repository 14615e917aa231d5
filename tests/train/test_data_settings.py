import argparse
from dataclasses import fields

import pytest

from edge.errors import UserError
from train.data_settings import DataSettings, add_data_flags


def parse(*flags):
    parser = argparse.ArgumentParser()
    add_data_flags(parser)
    return vars(parser.parse_args(flags))


def test_without_flags_the_settings_are_the_defaults():
    assert DataSettings(**parse()) == DataSettings()
    assert parse().keys() == {field.name for field in fields(DataSettings)}


def test_the_flags_are_the_settings():
    flags = ("--data", "x", "--split", "60/20/20", "--seed", "7", "--group-by", "a(b)", "--near-duplicates", "error")
    assert DataSettings(**parse(*flags)) == DataSettings("x", (60, 20, 20), 7, "a(b)", "refuse", "error")
    assert parse("--allow-leaks")["leaks"] == "allow"
    assert parse("--drop-leaks")["leaks"] == "drop"


@pytest.mark.parametrize(
    "flags",
    [
        *(["--split", split] for split in ("70/30", "100/0/0", "a/b/c", "")),
        *(["--seed", seed] for seed in ("-1", "4294967296", "x")),
        ["--group-by", "("],
        ["--near-duplicates", "drop"],
        ["--allow-leaks", "--drop-leaks"],
    ],
    ids=" ".join,
)
def test_bad_flags_exit_2(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(*flags)
    assert stopped.value.code == 2
    assert flags[0] in capsys.readouterr().err


@pytest.mark.parametrize(("split", "makes"), [("70/20/20", 110), ("70/15/14", 99)])
def test_a_split_that_does_not_make_100_is_one_line(split, makes):
    with pytest.raises(UserError, match=f"make 100, got {split}, which makes {makes}$"):
        parse("--split", split)
