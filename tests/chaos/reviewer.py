"""People who act on verdicts, each with a client of their own, as the command or a console would write it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.httpsession import URLLib3Session

from gatehouse.aws.verdict_table import Identity, key_of
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.review.act_run import ActReport, ActRun, Outcome
from gatehouse.cli.review.named_upload import named_uploads
from gatehouse.cli.review.verdict_report import verdict_document
from gatehouse.moderation.decision import Act, acted
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS, verdict_from_item
from localcloud.endpoint import local_client
from tests.e2e.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Attempt:
    """An act, and what became of it.

    Attributes:
        after: what it makes of the verdict that was seen.
        is_done: whether the item became that; else the write was refused.
    """

    after: Verdict
    is_done: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A review claim that was written, over which revision of the item.

    Attributes:
        by: `person:<id>`.
        until: when it ends; ISO 8601, UTC.
    """

    identity: Identity
    by: str
    until: str
    revision: int


class Reviewer:
    """Reads a verdict, acts on it, and writes what comes of it.

    Who is told that the item is not the one they saw looks again: their own write may be what changed it, where its
    answer was lost and the SDK wrote once more.
    """

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self.person = Person(name)
        self.client = local_client("dynamodb", pipeline.cloud.endpoint)
        self.client.meta.events.register("before-send.dynamodb.UpdateItem", self._send)
        self.bucket = pipeline.upload_bucket
        self.table_name = pipeline.outputs["VerdictTableName"]
        self.table = OperatorsVerdictTable(self.client, self.table_name, time.sleep)
        self._losing = threading.Lock()
        #: Answers to writes that are still to be lost, and that were.
        self.answers_to_lose = 0
        self.answers_lost = 0

    def read(self, identity: Identity) -> Verdict | None:
        """The verdict that stands now; None while there is none."""
        item = self.table.of_upload(*identity)
        return None if item is None or item[STATUS] == Status.PENDING else verdict_from_item(item)

    def write(self, before: Verdict, act: Act) -> Attempt:
        """Act on the verdict that was seen.

        Raises:
            DecisionRefusedError: nobody can act on it so; nothing was written.
        """
        after = acted(before, act)
        if self.table.rewrite(before, after, expires_at=None):
            return Attempt(after, is_done=True)
        now = self.read(before.upload.identity)
        return Attempt(after, is_done=now is not None and after.history[-1] in now.history)

    def _send(self, request: Any, **_: Any) -> None:
        """Send a write, and close the connection before its answer; what the SDK sends once more is answered."""
        is_first = b"attempt=1" in request.headers["amz-sdk-request"]
        with self._losing:
            is_lost = is_first and self.answers_to_lose > 0
            self.answers_to_lose -= is_lost
            self.answers_lost += is_lost
        if is_lost:
            URLLib3Session().send(request)
            raise ConnectionClosedError(endpoint_url=request.url)


class CommandReviewer(Reviewer):
    """Acts by what `gatehouse review approve`, `block`, `appeal` and `report` run, on what `review list` printed."""

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        super().__init__(pipeline, name)
        s3 = local_client("s3", pipeline.cloud.endpoint)
        self._uploads = OperatorsUploadBucket(s3, finds_animations=False)

    def act(self, listed: Sequence[Verdict], act: Callable[[str], Act]) -> Iterator[Attempt]:
        """Do the same about each of the uploads, as they were listed; what nobody tried to write makes no attempt."""
        table, report = _Recording(self.client, self.table_name, time.sleep), ActReport()
        file = "\n".join(json.dumps(verdict_document(verdict)) for verdict in listed)
        ActRun(act, table, self._uploads, None, Clock()).run(named_uploads(file, self.bucket), report)
        for one in report.uploads:
            tried = [each for each in table.tried if each.after.upload.identity == one.identity]
            done = self._standing(tried) if one.outcome is Outcome.DONE else None
            yield from (Attempt(each.after, each is done) for each in tried)

    def _standing(self, tried: Sequence[Attempt]) -> Attempt:
        """Of the writes of an act that was acknowledged the one that was made, whether its answer came or was lost."""
        now = self.read(tried[0].after.upload.identity)
        history = now.history if now else ()
        return next((each for each in tried if each.is_done or each.after.history[-1] in history), tried[-1])


class _Recording(OperatorsVerdictTable):
    """Keeps what was tried to be written, and whether that was acknowledged."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tried: list[Attempt] = []

    def rewrite(self, before: Verdict, after: Verdict, expires_at: int | None) -> bool:
        is_done = super().rewrite(before, after, expires_at)
        self.tried.append(Attempt(after, is_done))
        return is_done


class Holder(Reviewer):
    """Looks at uploads for a while, and decides nothing."""

    def hold(self, identity: Identity, seconds: float) -> Hold | None:
        """Claim an upload as a console does that shows it to somebody; None if it can't be had now."""
        now = datetime.now(UTC)
        claim = {"by": self.person.decided_by, "until": iso(now + timedelta(seconds=seconds))}
        try:
            answer = self.client.update_item(
                TableName=self.table_name,
                Key=key_of(*identity),
                UpdateExpression="SET review_claim = :claim",
                ConditionExpression="#status <> :pending AND "
                "(attribute_not_exists(review_claim) OR review_claim.#until <= :now OR review_claim.#by = :by)",
                ExpressionAttributeNames={"#status": STATUS, "#until": "until", "#by": "by"},
                ExpressionAttributeValues={
                    ":claim": {"M": {name: {"S": value} for name, value in claim.items()}},
                    ":pending": {"S": Status.PENDING.value},
                    ":now": {"S": iso(now)},
                    ":by": {"S": claim["by"]},
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ConditionalCheckFailedException", "TransactionConflictException"):
                return None
            raise
        revision = int(answer["Attributes"].get("revision", {"N": "0"})["N"])
        return Hold(identity, claim["by"], claim["until"], revision)
