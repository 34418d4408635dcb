import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.claim import Claim
from gatehouse.moderation.open_batch import OPEN_PREFIX, OpenBatch, named_by, open_key
from tests.unit.builders import an_upload, uploads

ID = "0123456789abcdef" * 2
ENTRY = OpenBatch("default", ID, "2026-11-22T12:00:00.000Z", (*uploads(2), an_upload("é \u2028\n.jpg", version_id="v")))


def test_an_entry_is_read_back_as_it_was_written() -> None:
    assert OpenBatch.parse(ENTRY.to_text()) == ENTRY
    assert OpenBatch.parse(ENTRY.to_text().encode()) == ENTRY


def test_an_entry_remembers_that_its_uploads_were_put_back() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    again = ENTRY.after_readmission(noon).after_readmission(noon + timedelta(hours=2))

    assert (again.readmissions, again.readmitted_at) == (2, "2026-11-22T14:00:00.000Z")
    assert OpenBatch.parse(again.to_text()) == again
    assert again.claims() == ENTRY.claims()


@pytest.mark.parametrize("time", ["", "noon", "2026-11-22T14:00:00", 7])
def test_a_time_that_cannot_be_compared_makes_no_entry(time: object) -> None:
    document = json.loads(ENTRY.to_text()) | {"readmitted_at": time}

    with pytest.raises(ValueError, match="not an entry"):
        OpenBatch.parse(json.dumps(document))


def test_an_entry_tells_what_its_batch_holds_at_most() -> None:
    assert ENTRY.claims() == [Claim(upload, ID, "2026-11-22T12:00:00.000Z", "default") for upload in ENTRY.uploads]


def test_an_entrys_key_names_its_lane_and_batch() -> None:
    assert named_by(ENTRY.key) == ("default", ID)
    assert ENTRY.key.startswith(OPEN_PREFIX)


@pytest.mark.parametrize(
    "key", ["open/", "open/default/", f"open/{ID}.json", f"open/a/b/{ID}.json", f"open/a/{ID}.jsonl", "open/a/b.json"]
)
def test_a_key_of_something_else_names_no_batch(key: str) -> None:
    assert named_by(key) is None


@given(lane=st.text(), batch_id=st.text())
def test_only_what_names_a_batch_is_read_from_a_key(lane: str, batch_id: str) -> None:
    assert named_by(open_key(lane, batch_id)) in (None, (lane, batch_id))


@given(st.one_of(st.text(), st.recursive(st.none() | st.text(), lambda inner: st.lists(inner)).map(str)))
def test_what_is_no_entry_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the error that is promised
        OpenBatch.parse(text)


@pytest.mark.parametrize("text", ["[]", "7", '{"uploads": 7}', '{"uploads": [7]}', '{"uploads": []}', "[" * 100_000])
def test_json_that_is_no_entry_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the error that is promised
        OpenBatch.parse(text)


def test_an_entry_of_before_readmissions_were_counted_is_read() -> None:
    document = json.loads(ENTRY.to_text())
    del document["readmissions"], document["readmitted_at"]

    assert OpenBatch.parse(json.dumps(document)) == ENTRY
