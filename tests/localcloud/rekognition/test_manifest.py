import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.rekognition.manifest import MOST_BYTES, ImageLine, InvalidLine, ManifestError, parse

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


def line(source_ref: object, **more: object) -> bytes:
    return json.dumps({"source-ref": source_ref, **more}).encode() + b"\n"


@given(st.lists(keys, min_size=1, max_size=20), st.booleans())
def test_keys_are_taken_as_they_stand(names: list[str], escaped: bool) -> None:
    documents = [json.dumps({"source-ref": f"s3://bucket/{key}"}, ensure_ascii=escaped) for key in names]

    lines = parse("\n".join(documents).encode())

    assert [(one.number, one.bucket, one.key) for one in lines if isinstance(one, ImageLine)] == [
        (number, "bucket", key) for number, key in enumerate(names, 1)
    ]


@pytest.mark.parametrize("key", ["a b+c%20d.jpg", "/leading", "a//b", "é/日本.png", "https://other"])
def test_nothing_in_a_key_is_decoded(key: str) -> None:
    (one,) = parse(line(f"s3://bucket/{key}"))

    assert one == ImageLine(1, f"s3://bucket/{key}", "bucket", key)


def test_duplicates_stay_and_blank_lines_only_count() -> None:
    lines = parse(line("s3://bucket/a") + b"\r\n" + line("s3://bucket/a"))

    assert [one.number for one in lines] == [1, 3]


def test_other_members_are_ignored() -> None:
    assert isinstance(parse(line("s3://bucket/a", more=1))[0], ImageLine)


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"null",
        b'"s3://bucket/a"',
        b"{}",
        line(5).strip(),
        line("").strip(),
        line("s3://bucket").strip(),
        line("s3://bucket/").strip(),
        line("s3://b/a").strip(),
        line("s3://buc ket/a").strip(),
        line("https://bucket/a").strip(),
        line("s3://bucket/" + "k" * 1025).strip(),
        b'{"source-ref": "s3://bucket/\\ud800"}',
        b'{"source-ref": "s3://bucket/\xff"}',
        b"[" * 100_000,
    ],
)
def test_a_bad_line_is_invalid_and_spoils_no_other(bad: bytes) -> None:
    lines = parse(line("s3://bucket/a") + bad + b"\n" + line("s3://bucket/b"))

    assert [type(one) for one in lines] == [ImageLine, InvalidLine, ImageLine]
    assert lines[1].number == 2


def test_an_overlong_line_is_not_parsed() -> None:
    """A line of nested lists takes thirty times its size once it is read."""
    (line,) = parse(b"[" + b"[]," * 30_000 + b"1]")

    assert line == InvalidLine(1, "The line has 90003 bytes of at most 65536.")


@pytest.mark.parametrize("body", [b"", b"\n", b"  \r\n\n"])
def test_an_empty_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(ManifestError, match="empty"):
        parse(body)


@pytest.mark.parametrize("ending", [b"\n", b""])
def test_10000_lines_are_read_and_one_more_is_refused(ending: bytes) -> None:
    most = b"\n".join([line("s3://bucket/a").strip()] * 10_000)

    assert len(parse(most + ending)) == 10_000
    with pytest.raises(ManifestError, match="10001 lines"):
        parse(most + b"\n" + line("s3://bucket/a").strip() + ending)


def test_more_than_50_megabytes_are_refused() -> None:
    padded = line("s3://bucket/a").ljust(MOST_BYTES)

    assert len(parse(padded)) == 1
    with pytest.raises(ManifestError, match="bytes"):
        parse(padded + b" ")


@given(st.binary(max_size=200))
def test_hostile_manifests_raise_the_declared_error_only(body: bytes) -> None:
    try:
        lines = parse(body)
    except ManifestError:
        return
    assert all(isinstance(one, ImageLine | InvalidLine) for one in lines)
