from io import StringIO

from rich.console import Console

from gatehouse.cli.progress import progress


def test_a_log_gets_a_line_now_and_then() -> None:
    seconds = iter((0.0, 9.0, 10.0, 10.0, 19.0, 20.0, 20.0, 25.0))
    stream = StringIO()

    with progress(Console(file=stream), lambda: next(seconds)) as tell:
        for line in ("too soon", "first", "too soon again", "second", "too soon for the third"):
            tell(line)

    assert stream.getvalue().splitlines() == ["first", "second"]


def test_a_terminal_shows_the_latest_line_as_it_stands() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, record=True, _environ={"TERM": "xterm"})

    with progress(console) as tell:
        tell("1,000 [red]looked at[/red]")

    assert "1,000 [red]looked at[/red]" in console.export_text()
