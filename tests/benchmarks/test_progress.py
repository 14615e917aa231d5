import sys

from benchmarks.progress import counting, tell


def test_nothing_is_drawn_where_nobody_looks(capsys):
    with counting("photos", 3) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_bar_is_drawn_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with counting("[b]photos", 3) as advance:
        advance()
    said = capsys.readouterr()
    assert said.out == ""
    assert "[b]photos" in said.err


def test_what_is_told_holds_no_escape_sequences(capsys):
    tell("left out \x1b[2Jx")
    assert capsys.readouterr().err == "left out ?[2Jx\n"
