"""What only failed calls came back for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.moment import iso
from lambdas.results.settlement import Again
from tests.unit.aws_calls import Killed
from tests.unit.lambdas.court import BLOCKED, CLEAN, Court, Straggler

STRAGGLERS = tuple(image_pass for image_pass in ImagePass if image_pass.is_of_stragglers)


def test_a_straggler_holds_up_no_upload_beside_it(court: Court) -> None:
    clean, flagged, poisoned = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, flagged, poisoned])

    settled = court.settle(court.look({clean: CLEAN, flagged: BLOCKED, poisoned: Straggler()}))

    assert court.statuses() == {"0.jpg": "APPROVED", "1.jpg": "BLOCKED", "2.jpg": "PENDING"}
    assert [flag["object"]["key"] for flag in court.flags()] == ["1.jpg"]
    assert settled.to_document()["again"] == {"pass": "stragglers-1", "uploads": 1, "pause_seconds": 60}
    assert [entry.claim.upload for entry in court.index(ImagePass.STRAGGLERS_1)] == [poisoned]
    assert settled.skipped == 0


@pytest.mark.parametrize(("answer", "status"), [(CLEAN, "APPROVED"), (BLOCKED, "BLOCKED")])
def test_a_straggler_that_is_answered_later_has_its_verdict(
    court: Court, answer: Mapping[str, float], status: str
) -> None:
    poisoned, clean = court.upload("poisoned.jpg"), court.upload("clean.jpg")
    court.claim([poisoned, clean])
    court.settle(court.look({clean: CLEAN, poisoned: Straggler()}))

    settled = court.settle(court.look({poisoned: answer}, ImagePass.STRAGGLERS_1))

    assert court.statuses() == {"poisoned.jpg": status, "clean.jpg": "APPROVED"}
    assert (settled.uploads, settled.again) == (1, None)


@pytest.mark.parametrize(
    ("priority", "passes"),
    [(Priority.LIVE, STRAGGLERS), (Priority.FAST, STRAGGLERS), (Priority.BACKFILL, STRAGGLERS[:3])],
)
def test_what_fails_in_every_pass_ends_with_its_last_error_and_leaves_the_batch_closed(
    court: Court, priority: Priority, passes: tuple[ImagePass, ...]
) -> None:
    court.lane = {"priority": priority}
    poisoned = court.upload("poisoned.jpg")
    court.claim([poisoned])

    gone_through = [ImagePass.FIRST]
    while court.statuses()["poisoned.jpg"] == "PENDING":
        answer = Straggler(ImageError("AccessDeniedException", f"pass {gone_through[-1]}"))
        request = court.look({poisoned: answer}, gone_through[-1])
        settled = court.settle(request)
        if settled.again:
            gone_through.append(settled.again.image_pass)

    assert tuple(gone_through[1:]) == passes
    assert court.statuses() == {"poisoned.jpg": "FAILED"}
    item = court.storage.item(poisoned)
    assert item["error"] == {"code": "AccessDeniedException", "message": f"pass {passes[-1]}"}
    assert settled.again is None


def test_a_straggler_of_the_leftovers_is_asked_about_again_too(court: Court) -> None:
    lost, poisoned = court.upload("lost.jpg"), court.upload("poisoned.jpg")
    court.claim([lost, poisoned])
    court.settle(court.answer([]))

    settled = court.settle(court.look({lost: CLEAN, poisoned: Straggler()}, ImagePass.LEFTOVERS))

    assert court.statuses() == {"lost.jpg": "APPROVED", "poisoned.jpg": "PENDING"}
    assert settled.again == Again(ImagePass.STRAGGLERS_1, 1)


def test_a_batch_is_open_until_its_last_straggler_is_settled(court: Court) -> None:
    poisoned = court.upload("poisoned.jpg")
    court.claim([poisoned])

    court.settle(court.look({poisoned: Straggler()}))
    assert court.is_open()

    court.settle(court.look({poisoned: CLEAN}, ImagePass.STRAGGLERS_1))
    assert not court.is_open()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["GetObject", "BatchGetItem", "PutObject", "PublishBatch", "TransactWriteItems"])
def test_a_crash_loses_no_straggler_and_repeats_no_flag(court: Court, operation: str, when: Any) -> None:
    clean, flagged, poisoned = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, flagged, poisoned])
    request = court.look({clean: CLEAN, flagged: BLOCKED, poisoned: Straggler()})
    court.storage.calls.kill(operation, when)
    with pytest.raises(Killed):
        court.settle(request)
    flags = court.flags()

    settled = court.settle(request)

    flags += court.flags()
    assert court.statuses() == {"0.jpg": "APPROVED", "1.jpg": "BLOCKED", "2.jpg": "PENDING"}
    assert settled.again == Again(ImagePass.STRAGGLERS_1, 1)
    assert {flag["id"] for flag in flags} == {flags[0]["id"]}


def test_a_straggler_whose_upload_is_in_other_hands_is_not_asked_about_again(court: Court) -> None:
    poisoned = court.upload("poisoned.jpg")
    batch = court.claim([poisoned])
    request = court.look({poisoned: Straggler()})
    other = Claim(poisoned, "batch-2", iso(datetime.now(UTC)), "default")
    court.storage.table.reclaim([(batch.uploads[0].claim, other)])

    assert court.settle(request).again is None
