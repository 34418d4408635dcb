"""Seeded mutation: documents changed as trees, texts changed as characters, files changed as bytes."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any


class Raw(str):
    """A token that is written as it stands where a JSON value is expected."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object as pairs, so that it can have a member twice."""


#: Values that no example has where it is put.
_ODD: Sequence[Any] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        -0.0,
        0.5,
        50,
        100,
        100.0000001,
        1e-7,
        1e-320,
        1e308,
        2**31,
        2**63,
        -(2**63),
        10**50,
    ),
    *(Raw(token) for token in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "0x10", "01", "+1", "nul")),
    *(
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\u2028",
        "\x85",
        "\ufeff",
        "\ud800",
        "\udfff\ud800",
        "a\ud800b",
        "é" * 600,
        "😀" * 300,
    ),
    *(
        "x" * 1025,
        "x" * 5000,
        "../../x",
        "s3://",
        "s3:///",
        "null",
        "true",
        "NaN",
        "1",
        "yes",
        "2026-11-22",
        "%41+?#/./..",
    ),
    *([], {}, [[]], [{}], [None], {"": None}, {"\ud800": 1}),
)

_TOKENS = (
    *(
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\n",
        "\r\n",
        "\0",
        "\t",
        "\ufeff",
        "\\u0000",
        "\\ud800",
        "\\",
        "null",
        "NaN",
    ),
    *(
        "Infinity",
        "-",
        "1e999",
        "9" * 400,
        "  ",
        "\u2028",
        "\x85",
        "\x1e",
        "//",
        "#",
        "&a ",
        "*a",
        "!!int ",
        "<<: *a",
        "? ",
    ),
    *("---\n", "...\n", "%YAML 1.2\n", "- ", "'", "|", ">", "\u00a0", "٣", "\u200b", "😀"),
)

#: Byte strings that mean something to the readers of images, and some that mean something to text.
_BYTES = (
    b"\x00",
    b"\xff",
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xfe",
    b"IEND",
    b"zTXt",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
)

_ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7")


def mutated_document(random: Random, document: Any, words: Sequence[Any] = (), most: int = 4) -> Any:
    """The document with up to `most` changes; `words` are values that the parser knows."""
    for _ in range(random.randint(0, most)):
        document = _changed(random, document, words)
    return document


def written(random: Random, document: Any) -> str:
    """The document as JSON, now and then with a member given twice, escapes, or space between tokens."""
    twice = random.random() < 0.06
    ascii_only, space = random.random() < 0.5, random.choice(("", "", "", " ", "\t"))
    return _write(random, document, twice, ascii_only, space)


def mutated_json(random: Random, document: Any, words: Sequence[Any] = (), *, torn: float = 0.25) -> str:
    """A changed document as text, and in a share of `torn` of the cases the text changed too."""
    text = written(random, mutated_document(random, document, words))
    return mutated_text(random, text) if random.random() < torn else text


def mutated_text(random: Random, text: str, most: int = 3) -> str:
    """The text with one to `most` changes."""
    for _ in range(random.randint(1, most)):
        text = random.choice(_TEXT_CHANGES)(random, text)
    return text


def mutated_bytes(random: Random, body: bytes, most: int = 4) -> bytes:
    """The bytes with up to `most` changes."""
    for _ in range(random.randint(0, most)):
        body = random.choice(_BYTE_CHANGES)(random, body)
    return body


def encoded(random: Random, text: str) -> bytes:
    """The text as bytes: mostly UTF-8, sometimes another encoding, sometimes damaged."""
    if random.random() < 0.03:
        return text.encode(random.choice(_ENCODINGS), "replace")
    body = text.encode("utf-8", "surrogatepass")
    return mutated_bytes(random, body, 2) if random.random() < 0.05 else body


def nested(random: Random) -> Raw:
    """A value nested from harmlessly to hopelessly deep, often about as deep as the interpreter goes."""
    depth = random.choice((5, 60, random.randint(300, 1100), random.randint(900, 1000), 20_000))
    opening, inner, closing = random.choice((("[", "", "]"), ('{"a":', "1", "}"), ('[{"a":', "[]", "}]")))
    return Raw(opening * depth + inner + closing * random.choice((depth, depth, depth - 1)))


def _changed(random: Random, document: Any, words: Sequence[Any]) -> Any:
    places = _places(document)
    if not places or random.random() < 0.02:
        return _odd(random, words)
    path = random.choice(places)
    return _at(document, path, random.choice(_TREE_CHANGES), random, words)


def _places(document: Any) -> list[tuple[Any, ...]]:
    """The paths to all values but the whole."""
    found: list[tuple[Any, ...]] = []
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for step, inner in steps:
            found.append((*path, step))
            waiting.append(((*path, step), inner))
    return found


_TreeChange = Callable[[Random, Any, Any, Sequence[Any]], None]


def _at(document: Any, path: tuple[Any, ...], change: _TreeChange, random: Random, words: Sequence[Any]) -> Any:
    """A copy, as far as the path goes, with `change` made to the container at its end."""
    top = copied = _copy(document)
    for step in path[:-1]:
        copied[step] = _copy(copied[step])
        copied = copied[step]
    change(random, copied, path[-1], words)
    return top


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value


def _odd(random: Random, words: Sequence[Any]) -> Any:
    chance = random.random()
    if words and chance < 0.4:
        return random.choice(words)
    if chance > 0.98:
        return nested(random)
    if chance > 0.97:
        return Raw(str(random.randint(1, 9)) * random.choice((30, 400, 4400)))
    if chance > 0.9:
        return round(random.uniform(-1, 101), random.randint(0, 8))
    return random.choice(_ODD)


def _replace(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    container[step] = _odd(random, words)


def _edit(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    value = container[step]
    if isinstance(value, str) and not isinstance(value, Raw):
        container[step] = mutated_text(random, value, 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        container[step] = random.choice(
            (value + 1, -value, value * 10, value / 3, float(value), str(value), value - 0.5)
        )
    else:
        container[step] = _odd(random, words)


def _remove(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    del container[step]


def _rename(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    if isinstance(container, dict):
        value = container.pop(step)
        names = [word for word in words if isinstance(word, str)]
        container[random.choice(names) if names and random.random() < 0.5 else mutated_text(random, step, 1)] = value
    else:
        container.insert(random.randint(0, len(container)), container.pop(step))


def _add(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    if isinstance(container, dict):
        name = _odd(random, words)
        container[name if isinstance(name, str) and not isinstance(name, Raw) else "new"] = _odd(random, words)
    else:
        container.insert(random.randint(0, len(container)), _odd(random, words))


def _repeat(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    if isinstance(container, list):
        container[step:step] = [container[step]] * random.choice((1, 2, 130))
    else:
        container[step] = [container[step]]


def _wrap(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    container[step] = random.choice(([container[step]], {"a": container[step]}))


def _swap(random: Random, container: Any, step: Any, words: Sequence[Any]) -> None:
    other = random.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[step], container[other] = container[other], container[step]


_TREE_CHANGES = (_replace, _replace, _edit, _edit, _remove, _rename, _add, _repeat, _wrap, _swap)


def _write(random: Random, value: Any, twice: bool, ascii_only: bool, space: str) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, list) and not isinstance(value, Members):
        return "[" + f",{space}".join(_write(random, one, twice, ascii_only, space) for one in value) + "]"
    if isinstance(value, dict | Members):
        members = list(value) if isinstance(value, Members) else list(value.items())
        if twice and members and random.random() < 0.4:
            name, first = random.choice(members)
            members.insert(random.randint(0, len(members)), (name, random.choice((first, _odd(random, ())))))
        lines = (
            f"{_text(name, ascii_only)}:{space}{_write(random, one, twice, ascii_only, space)}" for name, one in members
        )
        return "{" + f",{space}".join(lines) + "}"
    return _text(value, ascii_only) if isinstance(value, str) else json.dumps(value)


def _text(value: str, ascii_only: bool) -> str:
    # Half a character can be written as an escape only.
    return json.dumps(value, ensure_ascii=ascii_only or any("\ud800" <= letter <= "\udfff" for letter in value))


def _span(random: Random, length: int) -> tuple[int, int]:
    start = random.randint(0, length)
    return start, min(length, start + random.choice((1, 1, 2, 8, random.randint(0, length + 1))))


def _truncated(random: Random, text: str) -> str:
    return text[: random.randint(0, len(text))]


def _beheaded(random: Random, text: str) -> str:
    return text[random.randint(0, len(text)) :]


def _cut(random: Random, text: str) -> str:
    start, end = _span(random, len(text))
    return text[:start] + text[end:]


def _doubled(random: Random, text: str) -> str:
    start, end = _span(random, len(text))
    return text[:end] + text[start:end] * random.choice((1, 1, 5)) + text[end:]


def _inserted(random: Random, text: str) -> str:
    at = random.randint(0, len(text))
    token = nested(random) if random.random() < 0.02 else random.choice(_TOKENS)
    return text[:at] + token + text[at:]


def _mistyped(random: Random, text: str) -> str:
    if not text:
        return "x"
    at = random.randrange(len(text))
    near = chr(max(1, min(0x10FFFF, ord(text[at]) + random.choice((-1, 1, 32, -32, 128)))))
    return text[:at] + near + text[at + 1 :]


def _moved(random: Random, text: str) -> str:
    start, end = _span(random, len(text))
    rest = text[:start] + text[end:]
    at = random.randint(0, len(rest))
    return rest[:at] + text[start:end] + rest[at:]


def _other_line_ends(random: Random, text: str) -> str:
    return text.replace("\n", random.choice(("\r\n", "\r", "\u2028", "\n\n", "")))


def _in_front(random: Random, text: str) -> str:
    return random.choice(("\ufeff", " ", "\n", "\0", "--- ", "//\n")) + text


_TEXT_CHANGES = (
    *(_truncated, _beheaded, _cut, _cut, _doubled, _inserted, _inserted, _mistyped, _mistyped, _moved),
    *(_other_line_ends, _in_front),
)


def _flipped(random: Random, body: bytes) -> bytes:
    if not body:
        return b"\xff"
    at = random.randrange(len(body))
    return body[:at] + bytes((body[at] ^ (1 << random.randrange(8)),)) + body[at + 1 :]


def _cut_bytes(random: Random, body: bytes) -> bytes:
    start, end = _span(random, len(body))
    return body[:start] + body[end:]


def _doubled_bytes(random: Random, body: bytes) -> bytes:
    start, end = _span(random, len(body))
    return body[:end] + body[start:end] * random.choice((1, 1, 3, 50)) + body[end:]


def _inserted_bytes(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + random.choice((*_BYTES, random.randbytes(random.randint(1, 16)))) + body[at:]


def _overwritten_bytes(random: Random, body: bytes) -> bytes:
    at = random.randint(0, len(body))
    new = random.choice((*_BYTES, b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", random.randbytes(4)))
    return body[:at] + new + body[at + len(new) :]


def _truncated_bytes(random: Random, body: bytes) -> bytes:
    return body[: random.randint(0, len(body))]


_BYTE_CHANGES = (_flipped, _flipped, _cut_bytes, _doubled_bytes, _inserted_bytes, _overwritten_bytes, _truncated_bytes)
