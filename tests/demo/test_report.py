"""What uploaders choose is shown as text: no terminal obeys it."""

import io

from rich.console import Console

from demo.report import flag_table, verdict_table

HOSTILE = "a\x1b]52;c;cm0gLXJm\x07\x1b[2J\u202e\x9b[red]"


def drawn(table: object) -> str:
    console = Console(file=io.StringIO(), width=400, force_terminal=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_keys_messages_and_names_cannot_give_orders_to_the_terminal() -> None:
    entry = {"name": HOSTILE, "confidence": 50}
    failed = {"key": HOSTILE, "status": "FAILED", "error": {"code": "X", "message": HOSTILE}, "content_types": [entry]}
    flag = {"object": {"key": HOSTILE}, "status": "BLOCKED", "labels": [entry]}

    text = drawn(verdict_table([failed], plain=True)) + drawn(flag_table([flag], plain=True))

    assert not [character for character in text if not character.isprintable() and character != "\n"]
    assert text.count("\\x1b[2J\\u202e\\x9b[red]") == 5
