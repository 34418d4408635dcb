"""How uploads are named: by object and version, in arguments and in files."""

import json
import subprocess
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatehouse.cli.errors import CommandError
from gatehouse.cli.review.named_upload import NamedUpload, named_uploads
from gatehouse.moderation.status import Status

VERSION = "0" * 22 + "0055aed6dcd90281e5"


def name(written: str) -> tuple[str, str | None]:
    named = NamedUpload.parse(written, "uploads")
    return named.uri, named.version


@pytest.mark.parametrize(
    ("written", "uri", "version"),
    [
        ("cat.jpg", "s3://uploads/cat.jpg", None),
        ("s3://other/cat.jpg", "s3://other/cat.jpg", None),
        (f"cat.jpg@{VERSION}", "s3://uploads/cat.jpg", VERSION),
        ("s3://other/a/cat.jpg@3sL4kqtJlcpXroDTDmJ", "s3://other/a/cat.jpg", "3sL4kqtJlcpXroDTDmJ"),
        ("cat.jpg@null", "s3://uploads/cat.jpg", "null"),
        (f"a@b.jpg@{VERSION}", "s3://uploads/a@b.jpg", VERSION),
        ("kim@example.com/cat.jpg", "s3://uploads/kim@example.com/cat.jpg", None),
        (f"kim@example.com/cat.jpg@{VERSION}", "s3://uploads/kim@example.com/cat.jpg", VERSION),
        ("a@b.jpg@", "s3://uploads/a@b.jpg", None),
        ("@cat", "s3://uploads/@cat", None),
        ("a/@cat", "s3://uploads/a/", "cat"),
    ],
)
def test_a_version_stands_behind_the_last_at_sign(written: str, uri: str, version: str | None) -> None:
    assert name(written) == (uri, version)


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    version=st.text(st.characters(exclude_characters="@/", exclude_categories=["Cs"]), min_size=1),
)
def test_whatever_the_key_an_upload_is_named_by_its_version(key: str, version: str) -> None:
    assert name(f"s3://uploads/{key}@{version}") == (f"s3://uploads/{key}", version)


@given(key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20))
@example(key="a b'c$HOME`id`\\\n\x1b[2J\u202e.jpg")
@example(key="s3://uploads/a.jpg")
@example(key="--yes")
@settings(max_examples=30, deadline=None)
def test_a_name_that_is_printed_can_be_pasted(key: str) -> None:
    quoted = NamedUpload(f"s3://uploads/{key}", VERSION).quoted("uploads")
    pasted = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True).stdout.decode()

    assert quoted.isprintable()
    assert not pasted.startswith("-"), "an option"
    assert name(pasted) == (f"s3://uploads/{key}", VERSION)


@given(key=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1, max_size=20))
@example(key="[1].jpg")
@example(key=" ")
@settings(deadline=None)
def test_a_name_that_is_printed_can_be_a_line_of_a_file(key: str) -> None:
    (named,) = named_uploads(f"{NamedUpload(f's3://uploads/{key}', VERSION).within('uploads')}\n", "uploads")

    assert (named.uri, named.version) == (f"s3://uploads/{key}", VERSION)


def test_an_upload_of_the_deployments_bucket_is_named_by_its_key() -> None:
    assert NamedUpload("s3://uploads/a/cat.jpg", VERSION).within("uploads") == f"a/cat.jpg@{VERSION}"
    assert NamedUpload("s3://other/a/cat.jpg", VERSION).within("uploads") == f"s3://other/a/cat.jpg@{VERSION}"


@pytest.mark.parametrize("written", ["", "s3://uploads", "s3:///cat.jpg", "bad\udcff.jpg"])
def test_what_names_no_object_is_told(written: str) -> None:
    with pytest.raises(CommandError, match="is not an object"):
        name(written)


def test_a_file_has_one_a_line_and_keys_may_hold_what_else_breaks_lines() -> None:
    written = f"cat.jpg@{VERSION}\r\n\n a\u2028b\x85 .jpg\n"

    found = list(named_uploads(written, "uploads"))

    assert [(named.uri, named.version) for named in found] == [
        ("s3://uploads/cat.jpg", VERSION),
        ("s3://uploads/ a\u2028b\x85 .jpg", None),
    ]


def test_a_line_that_names_nothing_is_told_with_its_number() -> None:
    with pytest.raises(CommandError, match=r"^Line 3 of the file: 's3://uploads' is not an object"):
        list(named_uploads("a.jpg\n\ns3://uploads\n", "uploads"))


ENTRIES = [
    {"object": f"s3://uploads/{n}@\n.jpg", "version": VERSION, "status": "REVIEW", "revision": n} for n in range(3)
]


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(ENTRIES),
        json.dumps(ENTRIES, indent=2),
        "\n".join(map(json.dumps, ENTRIES)),
        "[" + ",\n".join(map(json.dumps, ENTRIES)) + ",\n",
        ",\n".join(map(json.dumps, ENTRIES)) + "]",
        "[]\n[]" + json.dumps(ENTRIES) + "\n[]",
        " " + "\n\n".join(json.dumps(entry, indent=4) for entry in ENTRIES) + "\n",
    ],
)
def test_a_list_is_read_whole_and_in_parts_and_says_what_was_seen(written: str) -> None:
    found = list(named_uploads(written, "uploads"))

    assert [(named.uri, named.version, named.seen) for named in found] == [
        (f"s3://uploads/{n}@\n.jpg", VERSION, (Status.REVIEW, n)) for n in range(3)
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('[{"object": "s3://uploads/a.jpg"}]', "Entry 1 of the file does not say which upload it is"),
        ('{"object": "s3://uploads/a.jpg", "version": 7}', "Entry 1 of the file does not say which upload it is"),
        ('{"object": "a.jpg", "version": "7"}', "Entry 1 of the file does not say which upload it is"),
        ('[1, "a"]', "Entry 1 of the file does not say which upload it is"),
        ("{a}.jpg\n", "an object whose name begins with . or ., write it as s3://bucket/key"),
        ("[" * 100_000, "Entry 1 of the file|looks like JSON, but it can't be read"),
    ],
)
def test_what_is_no_list_is_told(written: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        list(named_uploads(written, "uploads"))


@pytest.mark.parametrize("written", ["[]", "[ ]\n", "[\n]"])
def test_an_empty_list_names_nothing(written: str) -> None:
    assert list(named_uploads(written, "uploads")) == []


def test_of_a_long_list_one_entry_is_held_at_a_time() -> None:
    entry = ENTRIES[0] | {"labels": [{"name": f"{n}", "confidence": n} for n in range(100)]}
    written = json.dumps([entry] * 2_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in named_uploads(written, "uploads"))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 2_000
    assert held < len(written) / 20


def test_a_long_list_is_read_at_once() -> None:
    written = "\n".join(json.dumps(ENTRIES[0] | {"labels": ["x" * 300]}) for _ in range(20_000))

    assert len(list(named_uploads(written, "uploads"))) == 20_000
