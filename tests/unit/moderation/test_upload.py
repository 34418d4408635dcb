import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatehouse.moderation.upload import MAX_TEXT_BYTES, UnreadableUploadError, Upload, version_named
from gatehouse.moderation.upload_event import MalformedMessageError, readmission_message
from tests.unit.builders import an_upload, event_in, s3_event, upload_in

HEX = "0123456789abcdefABCDEF"
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def _event_with(**stored: Any) -> str:
    event = s3_event(an_upload())
    event["detail"]["object"] |= stored
    return json.dumps(event)


def _parsed(body: str) -> Upload:
    upload = upload_in(body)
    assert upload is not None
    return upload


def test_an_event_becomes_an_upload() -> None:
    upload = an_upload(version_id="v1")

    assert upload_in(json.dumps(s3_event(upload))) == upload


@given(key=KEYS)
@example(key="red flower.jpg")
@example(key="a+b.jpg")
@example(key="%41.jpg")
@example(key='say "cheese"\\.jpg')
@example(key="two\nlines\r.jpg")
@example(key="\u2028\u2029\x85\x00.jpg")
@example(key="😀" * 256)
def test_a_key_is_read_exactly_as_it_stands(key: str) -> None:
    assert _parsed(json.dumps(s3_event(an_upload(key)))).key == key


@pytest.mark.parametrize("longest", ["k" * 1024, "é" * 512, "😀" * 256])
def test_a_key_may_have_1024_bytes_and_no_more(longest: str) -> None:
    assert _parsed(_event_with(key=longest)).key == longest
    with pytest.raises(UnreadableUploadError, match="1025 bytes"):
        upload_in(_event_with(key=longest + "k"))


@pytest.mark.parametrize("name", ["key", "etag", "version-id"])
@pytest.mark.parametrize("text", ["half \ud800 a character", "x" * (MAX_TEXT_BYTES + 1)])
def test_a_text_that_the_table_could_not_store_is_malformed(name: str, text: str) -> None:
    with pytest.raises(UnreadableUploadError, match=name):
        upload_in(_event_with(**{name: text}))


@pytest.mark.parametrize("bucket", ["a/b", "ab", "b" * 256, "emoji😀", "new\nline", "bucket\n"])
def test_a_bucket_that_s3_could_not_have_is_malformed(bucket: str) -> None:
    event = s3_event(an_upload(bucket=bucket))

    with pytest.raises(UnreadableUploadError, match="bucket"):
        upload_in(json.dumps(event))


def test_an_object_name_never_outgrows_a_partition_key() -> None:
    assert len(_parsed(json.dumps(s3_event(an_upload("😀" * 256, bucket="b" * 255)))).object.encode()) <= 2048


@pytest.mark.parametrize("size", [-1, 1.5, "1", True, None, 2**63, 10**50])
def test_a_size_that_is_no_number_of_bytes_is_malformed(size: object) -> None:
    with pytest.raises(UnreadableUploadError, match="size"):
        upload_in(_event_with(size=size))


def test_an_empty_object_is_an_upload() -> None:
    assert _parsed(_event_with(size=0)).size == 0


@pytest.mark.parametrize("sequencer", ["", "xyz", "0x1F", "-1", "+1", "1 ", "1" * 41, "\uff11", None, 7])
def test_a_sequencer_that_cannot_be_ordered_is_malformed(sequencer: object) -> None:
    with pytest.raises(UnreadableUploadError, match="sequencer"):
        upload_in(_event_with(sequencer=sequencer))


@given(first=st.text(HEX, min_size=1, max_size=40), second=st.text(HEX, min_size=1, max_size=40))
def test_versions_sort_as_sequencers_do(first: str, second: str) -> None:
    versions = [an_upload(sequencer=sequencer).version for sequencer in (first, second)]

    assert (versions[0] < versions[1]) == (int(first, 16) < int(second, 16))
    assert (versions[0] == versions[1]) == (int(first, 16) == int(second, 16))


def test_a_sequencer_is_one_number_however_it_is_written() -> None:
    written = [an_upload(sequencer=sequencer).version for sequencer in ("aB1", "Ab1", "0AB1")]

    assert set(written) == {"ab1".zfill(40)}


@pytest.mark.parametrize("name", ["key", "etag", "sequencer", "size"])
def test_an_event_that_lacks_what_a_verdict_needs_is_malformed(name: str) -> None:
    event = s3_event(an_upload())
    del event["detail"]["object"][name]

    with pytest.raises(UnreadableUploadError, match=name):
        upload_in(json.dumps(event))


@pytest.mark.parametrize("version_id", [None, "", "null"])
def test_no_version_is_one_value_however_an_event_an_item_or_an_index_line_says_it(version_id: str | None) -> None:
    told = {**an_upload().to_document(), "version_id": version_id}

    assert _parsed(_event_with(**{"version-id": version_id})) == an_upload()
    assert Upload.from_document(told) == an_upload()
    assert Upload.from_document({name: value for name, value in told.items() if value is not None}) == an_upload()


@pytest.mark.parametrize("version_id", [0, False, 7, {}, []])
def test_a_version_id_that_is_no_text_is_malformed(version_id: object) -> None:
    with pytest.raises(UnreadableUploadError, match="version-id"):
        upload_in(_event_with(**{"version-id": version_id}))


def test_an_etag_of_nothing_but_quotes_is_none() -> None:
    with pytest.raises(UnreadableUploadError, match="no etag"):
        _parsed(_event_with(etag='""'))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sequencer", "0" * 41),
        ("sequencer", "xyz"),
        ("sequencer", ""),
        ("bucket", "a/b"),
        ("bucket", None),
        ("key", "k" * 1025),
        ("key", ""),
        ("etag", ""),
        ("etag", '""'),
        ("version_id", "v" * 1025),
        ("size", -1),
        ("size", "1"),
        ("size", 2**63),
        ("uploaded_at", "2026-11-22 at noon"),
        ("uploaded_at", "2026\u0000-11-22T11:59:30.000Z"),
        ("uploaded_at", None),
    ],
)
def test_what_is_read_again_is_held_to_what_an_event_is_held_to(name: str, value: object) -> None:
    document = an_upload().to_document() | {name: value}

    with pytest.raises((ValueError, TypeError)):
        Upload.from_document(document)


def test_an_etag_loses_its_quotes() -> None:
    assert _parsed(_event_with(etag='"abc"')).etag == "abc"


@pytest.mark.parametrize(
    ("time", "stored"),
    [
        ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22T12:00:00", "2026-11-22T12:00:00.000Z"),
        ("2026-11-22T13:00:00.123456+01:00", "2026-11-22T12:00:00.123Z"),
    ],
)
def test_times_are_kept_in_utc_and_one_width(time: str, stored: str) -> None:
    assert _parsed(json.dumps(s3_event(an_upload()) | {"time": time})).uploaded_at == stored


@pytest.mark.parametrize("time", ["noon", "", None, 5, "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_that_is_none_is_malformed(time: object) -> None:
    with pytest.raises(UnreadableUploadError, match="time"):
        upload_in(json.dumps(s3_event(an_upload()) | {"time": time}))


@pytest.mark.parametrize(
    "body",
    [
        '{"Service":"Amazon S3","Event":"s3:TestEvent"}',
        json.dumps(s3_event(an_upload()) | {"detail-type": "Object Deleted"}),
        json.dumps(s3_event(an_upload()) | {"detail-type": "Object Tags Added", "detail": None}),
    ],
)
def test_an_event_that_creates_nothing_is_no_upload(body: str) -> None:
    assert upload_in(body) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "[]",
        "null",
        "1" * 5000,
        "[" * 100_000,
        "{}",
        json.dumps({"source": "aws.ec2", "detail-type": "Object Created"}),
        json.dumps({"source": "aws.s3"}),
        json.dumps({"Records": "none"}),
        json.dumps({"Records": ["aws:s3", {"eventSource": "aws:ses"}]}),
        json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]}),
        json.dumps({"Type": "Notification", "Message": "[" * 100_000}),
        json.dumps({"Type": "Notification", "Message": json.dumps({"Event": "s3:TestEvent"})}),
    ],
)
def test_a_message_that_is_about_no_upload_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessageError):
        upload_in(body)


def _older(**told: str) -> dict[str, Any]:
    stored = {"bucket": {"name": "uploads"}, "object": {"key": "file+2.png", "size": 5, "eTag": "e"}}
    return {
        "Records": [{"eventSource": "aws:ses"}, {"eventVersion": "2.1", "eventSource": "aws:s3", **told, "s3": stored}]
    }


def _through_sns(event: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "Message": json.dumps(event)}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (_older(eventName="ObjectCreated:Put"), "older kind"),
        (_older(eventName="s3:ObjectCreated:CompleteMultipartUpload"), "older kind"),
        (_older(), "older kind"),
        ({"Records": [{"s3": {"object": {"key": "cat.jpg"}}}]}, "older kind"),
        (_through_sns(_older(eventName="ObjectCreated:Copy")), "older kind"),
        (_through_sns(s3_event(an_upload())), "SNS envelope"),
        (s3_event(an_upload()) | {"detail": "text"}, "no detail"),
    ],
)
def test_a_message_about_an_upload_that_is_not_read_is_told_from_malformed_ones(
    event: dict[str, Any], told: str
) -> None:
    with pytest.raises(UnreadableUploadError, match=told):
        upload_in(json.dumps(event))


@given(body=st.text() | JSON.map(json.dumps))
def test_no_message_raises_anything_but_malformed(body: str) -> None:
    with suppress(MalformedMessageError, UnreadableUploadError):
        upload_in(body)


@given(
    path=st.sampled_from(
        [
            ("time",),
            ("detail",),
            ("detail", "bucket"),
            ("detail", "bucket", "name"),
            ("detail", "object"),
            ("detail", "object", "key"),
            ("detail", "object", "size"),
            ("detail", "object", "etag"),
            ("detail", "object", "version-id"),
            ("detail", "object", "sequencer"),
        ]
    ),
    value=JSON | st.text(st.characters()),
)
def test_an_event_with_anything_in_a_field_is_stored_or_malformed(path: tuple[str, ...], value: Any) -> None:
    event = s3_event(an_upload())
    inner = event
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    try:
        upload = upload_in(json.dumps(event))
    except (MalformedMessageError, UnreadableUploadError):
        return
    assert upload is not None
    assert json.dumps(upload.to_document(), ensure_ascii=False).encode()
    assert isinstance(upload.size, int)


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    version_id=st.text(st.characters(exclude_categories=["Cs"])).map(version_named),
    batch_id=st.one_of(st.none(), st.text(min_size=1)),
)
def test_a_readmitted_upload_is_the_same_upload(key: str, version_id: str | None, batch_id: str | None) -> None:
    upload = an_upload(key, version_id=version_id)

    message = readmission_message(upload, resubmit_of=batch_id)

    assert upload_in(message) == upload
    assert event_in(message).resubmit_of == batch_id
    assert event_in(message).is_readmitted


def test_no_upload_can_ask_for_another_verdict_by_its_name() -> None:
    key = '"gatehouse":{"resubmit_of":"0123"}}'

    body = json.dumps(s3_event(an_upload(key)))
    assert (event_in(body).resubmit_of, event_in(body).is_readmitted) == (None, False)


@pytest.mark.parametrize("ours", [None, 7, [], {}, {"resubmit_of": 7}, {"resubmit_of": None}, "resubmit_of"])
def test_what_asks_for_nothing_we_know_is_an_event_like_any_other(ours: Any) -> None:
    body = json.dumps(s3_event(an_upload()) | {"gatehouse": ours})

    assert upload_in(body) == an_upload()
    assert event_in(body).resubmit_of is None
