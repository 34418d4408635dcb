"""The place of a listed object: it never hides a newer upload, and is not moderated where its place is unclear."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.listed_version import ListedVersion, NoPlace
from gatehouse.moderation.moment import iso, second
from gatehouse.moderation.upload import FIRST, VERSION_PATTERN, Upload
from tests.unit.builders import a_listed_upload, a_listed_version, an_upload

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Stored:
    """One upload of a key, as S3 has it: its event and its entry in a listing."""

    event: Upload
    listed: ListedVersion


@st.composite
def histories(draw: st.DrawFn, *, has_versions: bool | None = None) -> list[Stored]:
    """Uploads of one key in the order in which S3 stored them, several a second; events are sent a little later."""
    if has_versions is None:
        has_versions = draw(st.booleans())
    moment, sequencer, stored = _START, 0, []
    for n in range(draw(st.integers(1, 6))):
        moment += timedelta(milliseconds=draw(st.sampled_from([0, 1, 400, 1000, 90_000])))
        sequencer += draw(st.integers(1, 2**40))
        delay = timedelta(milliseconds=draw(st.sampled_from([0, 200, 1100])))
        version_id, etag = (f"version-{n}" if has_versions else None), f"etag-{draw(st.integers(0, 3))}"
        event = an_upload(version_id=version_id, etag=etag, sequencer=f"{sequencer:X}", uploaded_at=iso(moment + delay))
        modified_at = f"{second(iso(moment))}.000Z"
        stored.append(Stored(event, a_listed_version(version_id=version_id, etag=etag, modified_at=modified_at)))
    return stored


def _order(stored: Sequence[Stored], deleted: frozenset[int] = frozenset()) -> list[str | None]:
    if stored[0].listed.version_id is None:
        return [None]
    return [each.listed.version_id for n, each in reversed([*enumerate(stored)]) if n not in deleted]


@given(data=st.data(), stored=histories())
def test_no_upload_after_a_listed_one_is_ever_hidden(data: st.DataObject, stored: list[Stored]) -> None:
    """Whatever was known when it got its place, whatever was deleted, and whatever comes later."""
    n = data.draw(st.integers(0, len(stored) - 1))
    seen = data.draw(st.sets(st.integers(0, len(stored) - 1)))
    deleted = frozenset(data.draw(st.sets(st.integers(0, len(stored) - 1)))) - {n}
    known = [stored[each].event for each in sorted(seen)]
    listed = stored[n].listed
    if listed.among(known):
        return

    placed = listed.placed(known, _order(stored, deleted) if known else None)

    if isinstance(placed, Upload):
        assert all(placed.version < later.event.version for later in stored[n + 1 :])
        assert all(placed.version > stored[each].event.version for each in seen if each < n)


@given(data=st.data(), stored=histories(has_versions=True))
def test_listed_versions_of_one_key_keep_s3s_order(data: st.DataObject, stored: list[Stored]) -> None:
    """In whatever order they get their places, among events that come in between."""
    known: list[Upload] = []
    for n in data.draw(st.permutations(range(len(stored)))):
        if data.draw(st.booleans()):
            known.append(stored[n].event)
            continue
        if not stored[n].listed.among(known):
            placed = stored[n].listed.placed(known, _order(stored))
            if isinstance(placed, Upload):
                known.append(placed)

    listed = [each for each in known if each.is_listed]
    order = _order(stored)
    by_place = sorted(listed, key=lambda upload: upload.version, reverse=True)
    assert [each.version_id for each in by_place] == sorted((each.version_id for each in listed), key=order.index)
    for each in listed:
        newer = [other.event for other in stored if order.index(other.event.version_id) < order.index(each.version_id)]
        assert all(each.version < other.version for other in newer)


@given(stored=histories())
def test_a_version_with_an_item_is_known(stored: list[Stored]) -> None:
    last = stored[-1]

    assert last.listed.among([each.event for each in stored]) is not None
    placed = last.listed.after(FIRST)
    assert last.listed.among([placed]) == placed


def test_without_versions_an_object_that_was_written_again_is_another_one() -> None:
    listed = a_listed_version(modified_at="2026-11-22T12:00:01.000Z")

    assert listed.among([an_upload(uploaded_at="2026-11-22T12:00:00.999Z")]) is None
    assert listed.among([an_upload(uploaded_at="2026-11-22T12:00:01.900Z")]) is not None
    assert listed.among([an_upload(uploaded_at="2026-11-22T12:00:01.900Z", size=1)]) is None
    assert listed.among([an_upload(uploaded_at="2026-11-22T12:00:01.900Z", etag="other")]) is None


def test_the_first_of_its_key_sorts_before_every_upload_with_an_event() -> None:
    placed = a_listed_version().placed([], None)

    assert isinstance(placed, Upload)
    assert placed.version < an_upload(sequencer="1").version
    assert VERSION_PATTERN.fullmatch(placed.version)
    assert placed.version.startswith(f"{FIRST}~2025-03-01T08:00:00.000Z~")


def test_two_versions_of_one_second_that_only_a_hash_tells_apart_have_no_place() -> None:
    places = set()
    for first, last in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        known = [a_listed_upload(version_id=first)]
        placed = a_listed_version(version_id=last).placed(known, [last, first])
        places.add(placed if isinstance(placed, NoPlace) else "placed")

    assert places == {NoPlace.UNCLEAR, "placed"}, "the order of the hashes decides only where it is S3's"


@pytest.mark.parametrize(
    ("uploaded_at", "expected"),
    [
        ("2025-03-01T07:59:59.999Z", "placed"),
        ("2025-03-01T08:00:00.000Z", NoPlace.UNCLEAR),
        ("2025-03-01T08:01:00.000Z", NoPlace.UNCLEAR),
        ("2025-03-01T08:01:01.000Z", NoPlace.GONE),
    ],
)
def test_without_versions_the_time_decides(uploaded_at: str, expected: str) -> None:
    other = an_upload(etag="other", uploaded_at=uploaded_at)

    placed = a_listed_version().placed([other], [None])

    assert (placed if isinstance(placed, NoPlace) else "placed") == expected


def test_a_version_that_s3_no_longer_lists_is_gone() -> None:
    listed = a_listed_version(version_id="gone")

    assert listed.placed([an_upload(version_id="new")], ["new"]) is NoPlace.GONE


def test_s3s_order_counts_more_than_times() -> None:
    """A multipart upload is listed with the time when it was initiated."""
    late = an_upload(version_id="late", uploaded_at="2026-01-01T00:00:00.000Z")
    listed = a_listed_version(version_id="now", modified_at="2025-12-31T00:00:00.000Z")

    placed = listed.placed([late], ["now", "late"])

    assert isinstance(placed, Upload)
    assert placed.version > late.version
