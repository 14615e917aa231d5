import io

from rich.console import Console

from train.progress import counting, stderr_console


def test_no_bar_where_there_is_no_terminal():
    text = io.StringIO()
    with counting(Console(file=text), "checking", 3) as advance:
        advance()
    assert text.getvalue() == ""


def test_a_bar_on_a_terminal_counts():
    text = io.StringIO()
    with counting(Console(file=text, force_terminal=True, width=80), "[bold]checking", 3) as advance:
        for _ in range(3):
            advance()
    assert "[bold]checking" in text.getvalue()
    assert "3/3" in text.getvalue()


def test_names_are_printed_as_they_are(capsys):
    stderr_console().print("left out: [red]cat[/red]/:smile:.png " + "x" * 200)
    assert capsys.readouterr().err == "left out: [red]cat[/red]/:smile:.png " + "x" * 200 + "\n"
