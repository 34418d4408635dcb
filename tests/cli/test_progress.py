from io import StringIO
from threading import Event

from rich.console import Console

from gatehouse.cli.progress import Countdown, progress


def test_a_log_gets_a_line_now_and_then() -> None:
    seconds = iter((0.0, 9.0, 10.0, 10.0, 19.0, 20.0, 20.0, 25.0))
    stream = StringIO()

    with progress(Console(file=stream), lambda: next(seconds)) as tell:
        for line in ("too soon", "first", "too soon again", "second", "too soon for the third"):
            tell(line)

    assert stream.getvalue().splitlines() == ["first", "second"]


def test_what_is_left_is_told_once_a_speed_is_known_and_until_all_is_done() -> None:
    seconds = iter((100.0, 101.0, 103.0, 160.0, 200.0, 200.0))
    countdown = Countdown(1000, lambda: next(seconds))

    assert [countdown.after(done) for done in (10, 10, 250, 1000, 0)] == [
        "",
        ", about 4 min left",
        ", about 3 min left",
        "",
        "",
    ]


def test_a_terminal_shows_the_latest_line_as_it_stands() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, record=True, _environ={"TERM": "xterm"})

    with progress(console) as tell:
        tell("1,000 [red]looked at[/red]")

    assert "1,000 [red]looked at[/red]" in console.export_text()


def test_a_command_that_is_done_soon_shows_no_progress() -> None:
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, width=80, _environ={"TERM": "xterm"})

    with progress(console, after=3600) as tell:
        tell("looking")

    assert "looking" not in stream.getvalue()


def test_a_command_that_takes_long_shows_where_it_is() -> None:
    shown = Event()
    console = Console(file=StringIO(), force_terminal=True, width=80, record=True, _environ={"TERM": "xterm"})
    console.set_live = lambda live, begin=console.set_live: (shown.set(), begin(live))[1]  # type: ignore[method-assign, misc, func-returns-value]

    with progress(console, after=0.01) as tell:
        tell("looking")
        assert shown.wait(60)

    assert "looking" in console.export_text()
