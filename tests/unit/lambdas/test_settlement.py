"""Batches that bulk has analyzed: verdicts, flags, doubts, claims and crashes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError

from gatehouse.aws import verdict_table
from gatehouse.aws.verdict_table import VerdictTableBusyError
from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.batch import index_lines, uploads_key
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.in_flight import IN_FLIGHT
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from lambdas.results import settlement
from lambdas.results.bulk_run import BulkRun, Location
from lambdas.results.request import Request
from tests.unit.aws_calls import Killed, canceled
from tests.unit.builders import ADAPTER, a_claim, a_policy, a_verdict, result_line
from tests.unit.conftest import UPLOADS, WORK
from tests.unit.lambdas.court import BLOCKED, CLEAN, REVIEWED, Court, no_upload_is_read


def test_a_batch_is_judged_flagged_and_finalized(court: Court) -> None:
    clean, review, blocked, lost = (court.upload(f"{n}.jpg") for n in range(4))
    empty = court.upload("4.jpg", b"")
    court.claim([clean, review, blocked, lost, empty])

    settled = court.settle(
        court.answer(
            [result_line(clean.object), result_line(review.object, REVIEWED), result_line(blocked.object, BLOCKED)]
        )
    )

    assert court.statuses() == {
        "0.jpg": "APPROVED",
        "1.jpg": "REVIEW",
        "2.jpg": "BLOCKED",
        "3.jpg": "PENDING",
        "4.jpg": "UNSUPPORTED",
    }
    assert {flag["object"]["key"]: flag["status"] for flag in court.flags()} == {"1.jpg": "REVIEW", "2.jpg": "BLOCKED"}
    assert settled.to_document() == {
        "uploads": 5,
        "approved": 1,
        "review": 1,
        "blocked": 1,
        "unsupported": 1,
        "failed": 0,
        "skipped": 0,
        "again": {"pass": "leftovers", "uploads": 1, "pause_seconds": 0},
    }
    assert (settled.flagged, settled.missing, settled.adapter_ignored) == (2, 0, 0)

    settled = court.settle(court.look({}, ImagePass.LEFTOVERS))

    assert court.statuses()["3.jpg"] == "FAILED"
    assert settled.to_document() == {
        "uploads": 1,
        "approved": 0,
        "review": 0,
        "blocked": 0,
        "unsupported": 0,
        "failed": 1,
        "skipped": 0,
        "again": None,
    }
    assert (settled.flagged, settled.missing, settled.adapter_ignored) == (0, 1, 0)
    assert court.flags() == []


def test_an_approved_item_shows_what_it_speaks_for(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    item = court.storage.item(upload)
    assert (item["etag"], item["job_id"], item["policy"]["hash"]) == (upload.etag, "job-1", a_policy().hash)
    assert item["decided_at"] > item["claimed_at"]
    assert "expires_at" not in item


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_lanes_share_of_approvals_is_drawn_in_the_same_write(court: Court, share: float) -> None:
    court.lane = {"samples": share}
    clean, review = court.upload("0.jpg"), court.upload("1.jpg")
    court.claim([clean, review])

    court.settle(court.answer([result_line(clean.object), result_line(review.object, REVIEWED)]))

    days = {item["key"]: item.get("status_day", "")[:7] for item in court.storage.items().values()}
    assert days == {"0.jpg": "SAMPLE#" if share else "", "1.jpg": "REVIEW#"}


def test_final_verdicts_expire_when_asked_to(court: Court) -> None:
    court.retention = timedelta(days=30)
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    expected = (datetime.now(UTC) + timedelta(days=30, hours=1)).timestamp()
    assert abs(int(court.storage.item(upload)["expires_at"]) - expected) < 600


@pytest.mark.parametrize("status", [Status.APPROVED, Status.UNSUPPORTED, Status.FAILED])
def test_other_statuses_are_published_when_asked_for(court: Court, status: Status) -> None:
    court.notify = frozenset({status})
    clean, lost, empty, blocked = (
        court.upload(key, body) for key, body in zip("abcd", (b"1", b"1", b"", b"1"), strict=True)
    )
    court.claim([clean, lost, empty, blocked])

    court.settle(court.answer([result_line(clean.object), result_line(blocked.object, BLOCKED)]))
    court.settle(court.look({lost: ImageError("InvalidS3ObjectException", "no")}, ImagePass.LEFTOVERS))

    (flag,) = court.flags()
    assert flag["status"] == status
    assert "PENDING" not in court.statuses().values()


def test_a_batch_without_analyzable_uploads_needs_no_job(court: Court) -> None:
    empty = court.upload("empty.jpg", b"")
    court.claim([empty])

    court.settle(Request("batch-1", BulkRun()))

    assert court.statuses() == {"empty.jpg": "UNSUPPORTED"}


def test_a_failed_job_approves_nothing_even_if_results_exist(court: Court) -> None:
    upload, empty = court.upload("cat.jpg"), court.upload("empty.jpg", b"")
    court.claim([upload, empty])
    answered = court.answer([result_line(upload.object)]).analysis
    assert isinstance(answered, BulkRun)
    failure = Failure("DeadlineExceeded", "too late")

    settled = court.settle(Request("batch-1", replace(answered, failure=failure)))

    assert settled.left == 0
    assert court.statuses() == {"cat.jpg": "FAILED", "empty.jpg": "UNSUPPORTED"}
    assert court.code(upload) == "DeadlineExceeded"


def test_a_failed_job_needs_no_result_file(court: Court) -> None:
    court.claim([court.upload("cat.jpg")])

    failure = Failure("INTERNAL_ERROR", "try later")

    court.settle(Request("batch-1", BulkRun("job-1", Location(WORK, "absent"), None, failure)))

    assert court.statuses() == {"cat.jpg": "FAILED"}


def test_a_job_without_a_result_file_approves_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(Request("batch-1", BulkRun("job-1")))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert court.leftovers() == [upload]
    assert (settled.left, settled.missing) == (1, 0)


def test_an_unreadable_result_file_decides_nothing(court: Court) -> None:
    court.claim([court.upload("cat.jpg")])

    with pytest.raises(ClientError):
        court.settle(Request("batch-1", BulkRun("job-1", Location("no-bucket", "results.jsonl"))))
    assert court.statuses() == {"cat.jpg": "PENDING"}


@pytest.mark.parametrize("kept", [0, 1])
def test_a_batch_whose_index_lacks_an_upload_is_not_settled_and_stays_open(court: Court, kept: int) -> None:
    uploads = [court.upload("cat.jpg"), court.upload("dog.jpg")]
    batch = court.claim(uploads)
    court.storage.s3.put_object(
        Bucket=WORK, Key=uploads_key("batch-1"), Body=index_lines(batch.uploads[:kept]).encode()
    )

    with pytest.raises(ValueError, match=f"has {kept} uploads instead of 2"):
        court.settle(court.answer([result_line(upload.object) for upload in uploads]))
    assert set(court.statuses().values()) == {"PENDING"}
    assert court.is_open()


def test_leftovers_that_lack_an_upload_are_not_settled(court: Court) -> None:
    lost = [court.upload("a.jpg"), court.upload("b.jpg")]
    court.claim(lost)
    court.settle(court.answer([]))
    request = court.look(dict.fromkeys(lost, CLEAN), ImagePass.LEFTOVERS)
    court.storage.work.write_index("batch-1", ImagePass.LEFTOVERS, court.index(ImagePass.LEFTOVERS)[:1])

    with pytest.raises(ValueError, match=r"leftovers.jsonl has 1 uploads instead of 2"):
        court.settle(request)
    assert set(court.statuses().values()) == {"PENDING"}
    assert court.is_open()


def test_what_a_job_says_nothing_about_is_counted(court: Court) -> None:
    told, refused, untold = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([told, refused, untold])
    errors = [{"source-ref": refused.object, "code": "InvalidImageFormatException", "message": "no"}]

    settled = court.settle(court.answer([result_line(told.object)], {"version": "1.0", "errors": errors}))

    assert settled.unanswered == 1


def test_what_a_missing_result_file_should_have_told_is_left_to_the_image_engine(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(Request("batch-1", BulkRun("job-1", Location(WORK, "absent.jsonl"))))

    assert (settled.left, court.statuses()) == (1, {"cat.jpg": "PENDING"})
    assert court.leftovers() == [upload]


def test_a_settled_batch_is_open_no_more(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    assert not court.is_open()


def test_a_batch_is_open_until_its_leftovers_are_settled(court: Court) -> None:
    upload, lost = court.upload("cat.jpg"), court.upload("lost.jpg")
    court.claim([upload, lost])

    court.settle(court.answer([result_line(upload.object)]))
    assert court.is_open()

    court.settle(court.look({lost: CLEAN}, ImagePass.LEFTOVERS))
    assert not court.is_open()


def test_a_batch_with_a_refused_flag_is_open_until_it_is_published(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    refusal = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": True}], "Successful": []}
    court.storage.calls.answer_next("PublishBatch", refusal)

    assert court.settle(court.answer([result_line(upload.object, BLOCKED)])).refusals
    assert court.is_open()

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))
    assert not court.is_open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_results_that_dies_before_it_closes_a_batch_closes_it_next_time(
    court: Court, when: Literal["before", "after"]
) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.calls.kill("DeleteObject", when)

    with pytest.raises(Killed):
        court.settle(court.answer([result_line(upload.object)]))
    assert court.statuses() == {"cat.jpg": "APPROVED"}

    court.settle(court.answer([result_line(upload.object)]))
    assert not court.is_open()


def test_the_summary_tells_why_an_image_has_no_result(court: Court) -> None:
    court.lane = {"formats": ()}
    upload = court.upload("cat.gif")
    court.claim([upload])
    errors = [{"line-numer": 0, "source-ref": upload.object, "code": "InvalidImageFormatException", "message": "no"}]

    court.settle(court.answer([], {"version": "1.0", "errors": errors}))

    assert court.statuses() == {"cat.gif": "UNSUPPORTED"}
    assert court.code(upload) == "InvalidImageFormatException"


def test_lines_that_contradict_each_other_approve_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object), result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert court.leftovers() == [upload]


def test_an_expired_adapter_approves_nothing(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    clean, blocked, adapted = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, blocked, adapted])

    settled = court.settle(
        court.answer(
            [
                result_line(clean.object),
                result_line(blocked.object, BLOCKED),
                result_line(adapted.object, adapter=ADAPTER),
            ]
        )
    )

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "BLOCKED", "2.jpg": "APPROVED"}
    assert (settled.adapter_ignored, settled.left) == (2, 0)
    assert [court.storage.item(upload)["adapter"]["answered"] for upload in (clean, blocked, adapted)] == [
        None,
        None,
        ADAPTER,
    ]


def test_what_matches_nothing_is_counted(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(court.answer([result_line(upload.object), result_line("s3://uploads/other.jpg"), "{"]))

    assert settled.unmatched_lines == 2


def test_overwritten_bytes_are_not_approved_on_their_successors_analysis(court: Court) -> None:
    upload = court.upload("cat.jpg", b"bad")
    court.claim([upload])
    court.upload("cat.jpg", b"clean")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"cat.jpg": "FAILED"}
    assert court.code(upload) == "Superseded"


def test_bytes_put_back_after_the_claim_are_not_approved(court: Court) -> None:
    upload = court.upload("cat.jpg", b"bad", age=20)
    court.claim([upload], age=10)

    court.settle(court.answer([result_line(upload.object)]))

    assert court.code(upload) == "Superseded"


def test_a_deleted_object_is_not_approved(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.code(upload) == "Superseded"


def test_in_a_versioned_bucket_only_the_current_version_is_approved(court: Court) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    old, kept, hidden = (court.upload(key) for key in ("old.jpg", "kept.jpg", "hidden.jpg"))
    court.claim([old, kept, hidden])
    court.upload("old.jpg")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="hidden.jpg")

    court.settle(court.answer([result_line(upload.object) for upload in (old, kept, hidden)]))

    assert court.statuses() == {"old.jpg": "PENDING", "kept.jpg": "APPROVED", "hidden.jpg": "PENDING"}
    assert court.leftovers() == [old, hidden]


def test_of_two_uploads_of_an_object_in_one_batch_the_newer_gets_the_answer(court: Court) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    court.claim([older, newer])

    settled = court.settle(court.answer([result_line(newer.object)]))

    assert court.code(older) == "Superseded"
    assert court.storage.item(newer)["status"] == "APPROVED"
    assert settled.left == 0


def test_an_older_uploads_late_verdict_leaves_the_newer_one_alone(court: Court) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    newer_claim = a_claim(newer, batch_id="batch-2")
    court.storage.table.claim([newer_claim])
    court.storage.table.finalize([a_verdict(Status.BLOCKED, newer_claim)], None)
    court.claim([older])

    court.settle(court.answer([result_line(older.object)]))

    assert court.statuses() == {"cat.jpg": "BLOCKED"}
    assert court.storage.item(older)["status"] == "FAILED"


@pytest.mark.parametrize(("other", "status"), [("a b.jpg", "PENDING"), ("elsewhere.jpg", "APPROVED")])
def test_a_key_that_could_mean_another_object_is_approved_only_if_that_does_not_exist(
    court: Court, other: str, status: str
) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    court.upload(other, b"clean")
    upload = court.upload("a+b.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"a+b.jpg": status}


def test_deleting_the_other_object_after_the_job_does_not_hide_it(court: Court) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    court.upload("a b.jpg", b"clean")
    upload = court.upload("a+b.jpg", b"bad")
    court.claim([upload])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="a b.jpg")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"a+b.jpg": "PENDING"}
    assert court.leftovers() == [upload]


def test_a_flagged_upload_needs_no_look_at_the_object(court: Court) -> None:
    blocked = court.upload("cat.jpg")
    court.claim([blocked])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    request = court.answer([result_line(blocked.object, BLOCKED)])
    court.storage.calls.answer_always("GetObject", no_upload_is_read)

    court.settle(request)

    assert court.statuses() == {"cat.jpg": "BLOCKED"}
    assert court.storage.calls.made["HeadObject"] == 0


def test_a_second_run_changes_and_publishes_nothing(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(3)]
    court.claim(found)
    request = court.answer([result_line(upload.object, BLOCKED) for upload in found])
    court.settle(request)
    before = court.storage.items()
    court.flags()

    settled = court.settle(request)

    assert court.storage.items() == before
    assert court.flags() == []
    assert (settled.skipped, settled.verdicts, settled.to_document()["blocked"]) == (3, [], 0)


def test_a_lost_claim_is_neither_judged_nor_published(court: Court) -> None:
    mine, lost = court.upload("mine.jpg"), court.upload("lost.jpg")
    batch = court.claim([mine, lost])
    other = Claim(lost, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.table.reclaim([(batch.uploads[1].claim, other)])

    settled = court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in (mine, lost)]))

    assert [flag["object"]["key"] for flag in court.flags()] == ["mine.jpg"]
    assert court.statuses() == {"mine.jpg": "BLOCKED", "lost.jpg": "PENDING"}
    assert settled.skipped == 1


def test_a_claim_lost_at_the_last_moment_is_not_finalized(court: Court) -> None:
    upload = court.upload("cat.jpg")
    batch = court.claim([upload])
    other = Claim(upload, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.calls.interrupt(
        "PublishBatch", lambda: court.storage.table.reclaim([(batch.uploads[0].claim, other)])
    )

    settled = court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert (settled.skipped, settled.verdicts) == (1, [])


def test_a_flag_sns_drops_once_is_published_and_then_finalized(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    failed = {"Id": "0", "Code": "InternalError", "SenderFault": False}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert len(court.flags()) == 1
    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_an_upload_whose_flag_is_refused_stays_pending(court: Court) -> None:
    upload, clean = court.upload("cat.jpg"), court.upload("clean.jpg")
    court.claim([upload, clean])
    request = court.answer([result_line(upload.object, BLOCKED), result_line(clean.object)])
    failed = {"Id": "0", "Code": "InvalidParameter", "SenderFault": True}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    settled = court.settle(request)
    assert [refusal.refused for refusal in settled.refusals] == [{0}]
    assert court.statuses() == {"cat.jpg": "PENDING", "clean.jpg": "APPROVED"}

    court.settle(request)
    assert court.statuses() == {"cat.jpg": "BLOCKED", "clean.jpg": "APPROVED"}
    assert len(court.flags()) == 1


def test_a_refused_flag_holds_up_no_other_upload(court: Court) -> None:
    uploads = [court.upload(f"{n}.jpg") for n in range(25)]
    court.claim(uploads)
    failed = {"Id": "3", "Code": "InvalidParameter", "SenderFault": True}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in uploads]))

    *rest, refused = sorted(court.statuses().items(), key=lambda upload: upload[1])
    assert {status for _, status in rest} == {"BLOCKED"}
    assert refused in [("3.jpg", "PENDING"), ("13.jpg", "PENDING"), ("23.jpg", "PENDING")]  # calls overlap
    assert refused[0] not in {flag["object"]["key"] for flag in court.flags()}


def test_a_conflict_is_settled_by_trying_again(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.calls.answer_next("TransactWriteItems", canceled("TransactionConflict"), 400)

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_endless_conflicts_leave_the_rest_for_a_later_run(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.answer([result_line(upload.object, BLOCKED)])
    for _ in range(8):
        court.storage.calls.answer_next("TransactWriteItems", canceled("TransactionConflict"), 400)

    with pytest.raises(VerdictTableBusyError):
        court.settle(request)
    (first,) = court.flags()
    court.settle(request)

    (second,) = court.flags()
    assert first["id"] == second["id"]
    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_published_verdicts_become_final_while_later_flags_go_out(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 5)
    monkeypatch.setattr(settlement, "ITEMS_A_CALL", 5)
    found = [court.upload(f"{n:02}.jpg") for n in range(100)]
    court.claim(found)
    court.storage.calls.kill("PublishBatch", "before", 9)

    with pytest.raises(Killed):
        court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in found]))

    final = {key for key, status in court.statuses().items() if status == "BLOCKED"}
    assert len(final) >= 10 * (9 - IN_FLIGHT)
    assert final <= {flag["object"]["key"] for flag in court.flags()}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "nth"),
    [("BatchGetItem", 1), ("GetObject", 5), ("PublishBatch", 1), ("PublishBatch", 2)]
    + [("TransactWriteItems", nth) for nth in (1, 2, 3)],
)
def test_a_crash_anywhere_ends_with_each_verdict_final_and_each_flag_under_one_id(
    court: Court, operation: str, nth: int, when: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 5)
    monkeypatch.setattr(settlement, "ITEMS_A_CALL", 5)
    clean = [court.upload(f"clean-{n}.jpg") for n in range(3)]
    bad = [court.upload(f"bad-{n:02}.jpg") for n in range(12)]
    court.claim([*clean, *bad])
    request = court.answer(
        [result_line(upload.object) for upload in clean] + [result_line(upload.object, BLOCKED) for upload in bad]
    )
    court.storage.calls.kill(operation, when, nth)
    with pytest.raises(Killed):
        court.settle(request)
    published_at_the_crash = court.flags()
    known = {flag["object"]["key"] for flag in published_at_the_crash}
    final_at_the_crash = {key: status for key, status in court.statuses().items() if status != "PENDING"}
    assert {key for key, status in final_at_the_crash.items() if status == "BLOCKED"} <= known

    court.settle(request)

    assert court.statuses() == {
        **{f"clean-{n}.jpg": "APPROVED" for n in range(3)},
        **{each.key: "BLOCKED" for each in bad},
    }
    flags = published_at_the_crash + court.flags()
    assert {flag["object"]["key"] for flag in flags} == {upload.key for upload in bad}
    assert len({flag["id"] for flag in flags}) == len(bad)


def test_the_policy_of_an_uploads_prefix_judges_it(court: Court) -> None:
    strict = a_policy({"Violence": {"block": 40}})
    court.lane = {"policy_overrides": (("kids/", "strict"),)}
    court.policies = {"standard": a_policy(), "strict": strict}
    child, adult = court.upload("kids/1.jpg"), court.upload("1.jpg")
    court.claim([child, adult])

    court.settle(court.answer([result_line(upload.object, REVIEWED) for upload in (child, adult)]))

    assert court.statuses() == {"kids/1.jpg": "BLOCKED", "1.jpg": "REVIEW"}
    assert court.storage.item(child)["policy"]["hash"] == strict.hash
    assert court.storage.item(adult)["policy"]["hash"] == a_policy().hash
