"""The gate follows the verdicts, whatever S3 answers and whoever changes items meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from gatehouse.aws.verdict_stream import ItemChange
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.version_tags import VersionTags
from gatehouse.moderation.gate import TAG
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from lambdas.outcomes.gatekeeper import Gated, Gatekeeper, Unopened
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import a_claim, a_verdict, an_upload
from tests.unit.verdict_tables import create_verdict_table

OPEN = {TAG: "APPROVED"}


@dataclass
class Bench:
    """A bucket with versions, and a table."""

    s3: Any
    dynamodb: Any
    calls: AwsCalls
    kept: list[str] = field(default_factory=list)
    number: int = 0
    pauses: list[float] = field(default_factory=list)

    def upload(self, key: str = "cat.jpg", status: Status = Status.APPROVED, tags: str = "") -> Verdict:
        """Upload, with a verdict."""
        self.number += 1
        answer = self.s3.put_object(Bucket="uploads", Key=key, Body=str(self.number), Tagging=tags)
        version = answer.get("VersionId")
        modified = self.s3.head_object(Bucket="uploads", Key=key)["LastModified"]
        upload = an_upload(
            key,
            f"{self.number:018X}",
            version_id=None if version in (None, "null") else version,
            etag=answer["ETag"].strip('"'),
            uploaded_at=modified.strftime("%Y-%m-%dT%H:%M:%S.999Z"),
        )
        verdict = replace(a_verdict(claim=a_claim(upload)), status=status)
        self.write(verdict)
        return verdict

    def write(self, verdict: Verdict) -> None:
        table = boto3.resource("dynamodb").Table("verdicts")
        table.put_item(Item=verdict_item(verdict))

    def delete(self, verdict: Verdict) -> None:
        boto3.resource("dynamodb").Table("verdicts").delete_item(
            Key=dict(zip(("object", "version"), verdict.upload.identity, strict=True))
        )

    def tags(self, verdict: Verdict) -> dict[str, str]:
        upload = verdict.upload
        answer = boto3.client("s3").get_object_tagging(
            Bucket="uploads", Key=upload.key, VersionId=upload.version_id or "null"
        )
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def follow(self, *verdicts: Verdict, mark_blocked: bool = False) -> Gated:
        """What becomes of records of these verdicts."""
        changes = [ItemChange(None, verdict_item(verdict)) for verdict in verdicts]
        return self.keeper(mark_blocked=mark_blocked).follow(changes)

    def keeper(self, *, mark_blocked: bool = False) -> Gatekeeper:
        return Gatekeeper(
            VerdictTable(self.dynamodb, "verdicts", pause=lambda _: None),
            VersionTags(self.s3),
            VersionListing(self.s3),
            self,
            mark_blocked=mark_blocked,
            pause=self.pauses.append,
        )

    def send(self, bodies: Any) -> None:
        self.kept += list(bodies)

    def refuse(self, operation: str, code: str, status: int, only: Callable[[Mapping[str, Any]], bool]) -> None:
        """Have S3 answer so to some calls."""

        def answer(model: Any, params: Mapping[str, Any], **_: Any) -> None:
            if only(params):
                response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
                raise ClientError(response, operation)

        self.s3.meta.events.register_first(f"provide-client-params.s3.{operation}", answer)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="uploads")
        enable(s3, "Enabled")
        dynamodb = boto3.client("dynamodb")
        create_verdict_table(dynamodb, "verdicts")
        yield Bench(s3, dynamodb, AwsCalls())


def enable(s3: Any, status: str) -> None:
    s3.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": status})


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING])
def test_only_an_approved_version_is_tagged(bench: Bench, status: Status) -> None:
    verdict = bench.upload(status=status)

    gated = bench.follow(verdict)

    is_open = status is Status.APPROVED
    assert bench.tags(verdict) == (OPEN if is_open else {})
    assert (gated.opened, gated.closed, gated.refused, gated.unopened) == (int(is_open), 0, {}, {})


def test_the_item_counts_and_not_the_record(bench: Bench) -> None:
    verdict = bench.upload()
    bench.write(replace(verdict, status=Status.BLOCKED))

    bench.follow(verdict)

    assert bench.tags(verdict) == {}


def test_a_forged_tag_is_removed_in_every_spelling_and_others_stay(bench: Bench) -> None:
    verdict = bench.upload(status=Status.REVIEW, tags=f"{TAG.upper()}=APPROVED&color=red")

    gated = bench.follow(verdict)

    assert bench.tags(verdict) == {"color": "red"}
    assert gated.closed == 1


def test_a_deleted_item_closes_the_gate(bench: Bench) -> None:
    verdict = bench.upload()
    bench.follow(verdict)
    bench.delete(verdict)

    bench.keeper().follow([ItemChange(verdict_item(verdict), None)])

    assert bench.tags(verdict) == {}


def test_what_is_blocked_is_marked_if_the_settings_say_so(bench: Bench) -> None:
    verdict = bench.upload(status=Status.BLOCKED)

    bench.follow(verdict, mark_blocked=True)

    assert bench.tags(verdict) == {TAG: "BLOCKED"}


def test_a_version_that_has_its_tag_costs_one_call(bench: Bench) -> None:
    verdict = bench.upload()
    bench.follow(verdict)
    bench.calls.watch(bench.s3, bench.dynamodb)

    bench.follow(verdict)

    assert bench.calls.made == {"BatchGetItem": 1, "GetObjectTagging": 1}


def test_a_tag_that_is_said_again_behind_our_back_is_removed_again(bench: Bench) -> None:
    verdict = bench.upload()
    bench.follow(verdict)
    bench.write(replace(verdict, status=Status.BLOCKED))
    late = iter([True, True])

    def say_again(**_: Any) -> None:
        if next(late, False):
            boto3.client("s3").put_object_tagging(
                Bucket="uploads",
                Key="cat.jpg",
                VersionId=str(verdict.upload.version_id),
                Tagging={"TagSet": [{"Key": TAG, "Value": "APPROVED"}]},
            )

    bench.s3.meta.events.register("after-call.s3.DeleteObjectTagging", say_again)

    gated = bench.follow(verdict)

    assert bench.tags(verdict) == {}
    assert (gated.closed, gated.refused) == (1, {})


def test_a_status_that_nobody_knows_closes_and_holds_up_no_other(bench: Bench) -> None:
    verdict, other = bench.upload("a.jpg"), bench.upload("b.jpg")
    bench.follow(verdict)
    item = {**verdict_item(verdict), "status": "FOO"}
    boto3.resource("dynamodb").Table("verdicts").put_item(Item=item)

    gated = bench.keeper().follow([ItemChange(verdict_item(verdict), item), ItemChange(None, verdict_item(other))])

    assert (bench.tags(verdict), bench.tags(other)) == ({}, OPEN)
    assert gated.refused == {}


def test_a_version_that_was_never_open_and_is_refused_holds_up_no_other(bench: Bench) -> None:
    refused, other = bench.upload("refused.jpg", Status.FAILED), bench.upload("other.jpg")
    bench.refuse("GetObjectTagging", "AccessDenied", 403, lambda params: params["Key"] == "refused.jpg")

    gated = bench.follow(refused, other)

    assert (gated.refused, gated.opened) == ({}, 1)
    assert "refused.jpg" in bench.kept[0]


def test_a_blocked_version_that_is_marked_was_never_open(bench: Bench) -> None:
    gated = bench.follow(bench.upload(status=Status.BLOCKED), mark_blocked=True)

    assert (gated.opened, gated.closed, gated.milliseconds_to_close) == (0, 0, [])


def test_opening_costs_two_calls_a_version_and_two_reads_a_hundred(bench: Bench) -> None:
    verdicts = [bench.upload(f"{n}.jpg") for n in range(100)]
    bench.calls.watch(bench.s3, bench.dynamodb)

    gated = bench.follow(*verdicts)

    assert gated.opened == 100
    assert bench.calls.made == {"BatchGetItem": 2, "GetObjectTagging": 100, "PutObjectTagging": 100}


def test_a_decision_in_between_is_followed_at_once(bench: Bench) -> None:
    verdict = bench.upload()
    bench.s3.meta.events.register(
        "after-call.s3.PutObjectTagging", lambda **_: bench.write(replace(verdict, status=Status.BLOCKED))
    )

    gated = bench.follow(verdict)

    assert bench.tags(verdict) == {}
    assert (gated.opened, gated.closed, gated.refused) == (1, 1, {})


def test_an_item_that_keeps_changing_is_left_to_its_records(bench: Bench) -> None:
    verdict = bench.upload()
    statuses = iter([Status.BLOCKED, Status.APPROVED] * 9)

    def change(**_: Any) -> None:
        bench.write(replace(verdict, status=next(statuses)))

    for operation in ("PutObjectTagging", "DeleteObjectTagging"):
        bench.s3.meta.events.register(f"after-call.s3.{operation}", change)

    assert list(bench.follow(verdict).refused) == [0]


def test_what_is_gone_is_done(bench: Bench) -> None:
    verdict = bench.upload()
    bench.s3.delete_object(Bucket="uploads", Key="cat.jpg", VersionId=verdict.upload.version_id)

    gated = bench.follow(verdict)

    assert (gated.opened, gated.refused, gated.unopened) == (0, {}, {})


def test_an_eleventh_tag_is_not_set(bench: Bench) -> None:
    full = bench.upload("full.jpg", tags="&".join(f"t{n}=x" for n in range(10)))
    nine = bench.upload("nine.jpg", tags="&".join(f"t{n}=x" for n in range(9)))

    gated = bench.follow(full, nine)

    assert gated.unopened == {full.upload.identity: Unopened.TAGS_FULL}
    assert gated.refused == {}
    assert bench.tags(nine)[TAG] == "APPROVED"


def test_a_tag_that_another_tool_sets_meanwhile_may_be_the_tenth(bench: Bench) -> None:
    verdict = bench.upload()
    bench.refuse("PutObjectTagging", "BadRequest", 400, lambda _: True)

    assert bench.follow(verdict).unopened == {verdict.upload.identity: Unopened.TAGS_FULL}


def test_a_version_that_alone_is_refused_holds_up_no_other(bench: Bench) -> None:
    refused, other = bench.upload("refused.jpg"), bench.upload("other.jpg")
    bench.refuse("GetObjectTagging", "AccessDenied", 403, lambda params: params["Key"] == "refused.jpg")

    gated = bench.follow(refused, other)

    assert gated.unopened == {refused.upload.identity: Unopened.FORBIDDEN}
    assert (gated.refused, gated.opened, len(bench.pauses)) == ({}, 1, 3)


def test_a_passing_refusal_of_one_keeps_it_closed_no_longer(bench: Bench) -> None:
    refused, other = bench.upload("refused.jpg"), bench.upload("other.jpg")
    left = [2]

    def is_refused(params: Mapping[str, Any]) -> bool:
        left[0] -= params["Key"] == "refused.jpg"
        return params["Key"] == "refused.jpg" and left[0] >= 0

    bench.refuse("GetObjectTagging", "AccessDenied", 403, is_refused)

    gated = bench.follow(refused, other)

    assert (gated.unopened, gated.refused, gated.opened) == ({}, {}, 2)
    assert bench.tags(refused) == OPEN


def test_a_refusal_of_all_is_tried_again(bench: Bench) -> None:
    verdicts = [bench.upload(f"{n}.jpg") for n in range(3)]
    bench.refuse("PutObjectTagging", "AccessDenied", 403, lambda _: True)

    gated = bench.follow(*verdicts)

    assert sorted(gated.refused) == [0, 1, 2]
    assert gated.unopened == {}


def test_closing_is_tried_until_it_succeeds(bench: Bench) -> None:
    open_one, other = bench.upload("open.jpg"), bench.upload("other.jpg")
    bench.follow(open_one)
    bench.write(replace(open_one, status=Status.BLOCKED))
    bench.refuse("DeleteObjectTagging", "AccessDenied", 403, lambda _: True)

    gated = bench.keeper().follow(
        [
            ItemChange(verdict_item(open_one), verdict_item(replace(open_one, status=Status.BLOCKED))),
            ItemChange(None, verdict_item(other)),
        ]
    )

    assert list(gated.refused) == [0]
    assert gated.unopened == {}


def test_a_passing_failure_is_tried_again(bench: Bench) -> None:
    verdict, other = bench.upload("a.jpg"), bench.upload("b.jpg")
    bench.refuse("PutObjectTagging", "SlowDown", 503, lambda params: params["Key"] == "a.jpg")

    assert list(bench.follow(verdict, other).refused) == [0]


def test_an_upload_from_before_versioning_is_opened_once_its_version_cannot_change(bench: Bench) -> None:
    with_none = bench_without_versioning(bench)

    assert bench.follow(with_none).unopened == {with_none.upload.identity: Unopened.UNVERSIONED}
    assert bench.tags(with_none) == {}

    enable(bench.s3, "Enabled")
    assert bench.follow(with_none).opened == 1
    assert bench.tags(with_none) == OPEN


def bench_without_versioning(bench: Bench) -> Verdict:
    """An upload without a version id, in a bucket whose versioning is suspended."""
    enable(bench.s3, "Suspended")
    return bench.upload()


def test_of_uploads_without_a_version_id_the_newest_governs(bench: Bench) -> None:
    older = bench_without_versioning(bench)
    newer = bench.upload(status=Status.BLOCKED)
    enable(bench.s3, "Enabled")

    bench.follow(older)
    assert bench.tags(newer) == {}

    bench.write(replace(newer, status=Status.APPROVED))
    bench.follow(older)
    assert bench.tags(newer) == OPEN


def test_other_bytes_without_a_version_id_are_not_opened(bench: Bench) -> None:
    verdict = bench_without_versioning(bench)
    bench.s3.put_object(Bucket="uploads", Key="cat.jpg", Body="other")
    enable(bench.s3, "Enabled")

    assert bench.follow(verdict).unopened == {verdict.upload.identity: Unopened.REPLACED}
    assert bench.tags(verdict) == {}


def test_bytes_that_change_while_they_are_tagged_are_closed_again(bench: Bench) -> None:
    verdict = bench_without_versioning(bench)
    enable(bench.s3, "Enabled")

    def overwrite(**_: Any) -> None:
        bench.s3.meta.events.unregister("after-call.s3.PutObjectTagging", overwrite)
        s3 = boto3.client("s3")
        enable(s3, "Suspended")
        s3.put_object(Bucket="uploads", Key="cat.jpg", Body="other", Tagging="gatehouse-status=APPROVED")

    bench.s3.meta.events.register("after-call.s3.PutObjectTagging", overwrite)

    assert bench.follow(verdict).unopened == {verdict.upload.identity: Unopened.REPLACED}
    assert bench.tags(verdict) == {}


def test_an_item_that_can_not_be_read_is_kept_and_holds_up_no_other(bench: Bench) -> None:
    verdict, other = bench.upload("a.jpg"), bench.upload("b.jpg")
    item = {**verdict_item(verdict), "size": "large"}

    gated = bench.keeper().follow([ItemChange(None, item), ItemChange(None, verdict_item(other))])

    assert (gated.opened, gated.refused, len(gated.unreadable)) == (1, {}, 1)
    assert "a.jpg" in bench.kept[0]


def test_an_item_that_can_not_be_read_closes_its_version(bench: Bench) -> None:
    verdict = bench.upload()
    bench.follow(verdict)

    bench.keeper().follow([ItemChange(verdict_item(verdict), {**verdict_item(verdict), "size": "large"})])

    assert bench.tags(verdict) == {}


def test_what_no_item_speaks_of_is_closed_on_request(bench: Bench) -> None:
    verdict = bench.upload(tags=f"{TAG}=APPROVED")
    named = {"bucket": "uploads", "key": "cat.jpg", "version_id": verdict.upload.version_id}

    assert bench.keeper().close([named]) == 0
    bench.delete(verdict)
    assert bench.keeper().close([named]) == 1
    assert bench.tags(verdict) == {}
    assert bench.keeper().close([named]) == 0


def test_the_time_from_the_verdict_to_the_tag_is_measured(bench: Bench) -> None:
    approved, revoked = bench.upload("a.jpg"), bench.upload("b.jpg")
    bench.follow(revoked)
    bench.write(replace(revoked, status=Status.BLOCKED))

    gated = bench.follow(approved, revoked)

    assert (len(gated.milliseconds_to_open), len(gated.milliseconds_to_close)) == (1, 1)
