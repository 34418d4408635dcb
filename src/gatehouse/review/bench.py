"""What the routes of the page share: the deployment, the table, the pictures, the reviewer and their decisions."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.verdict_table import Identity, Item, identity_of
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, WHOLE_VERDICT, OperatorsVerdictTable
from gatehouse.cli.aws.work_bucket import OperatorsWorkBucket
from gatehouse.cli.errors import CommandError
from gatehouse.cli.review.act_run import Acted, ActRun
from gatehouse.cli.review.listed_uploads import ReviewSelection
from gatehouse.cli.review.named_upload import NamedUpload
from gatehouse.cli.since import parse_since
from gatehouse.moderation.change import Cause
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item, verdict_item
from gatehouse.review.desk import Desk, act_on
from gatehouse.review.journal import Entry, Journal
from gatehouse.review.shown_upload import ShownUpload
from gatehouse.review.waiting_uploads import WaitingUploads

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: Connections to a service: pages ask for several pictures at once.
_CONNECTIONS = 32
#: Other uploads that are shown of an object, and of its folder.
MOST_OTHERS, MOST_NEIGHBORS = 10, 8
#: Seconds for which the newest flagged verdicts are remembered; finding them takes some 160 Queries.
_RECENT_SECONDS = 300.0
#: How often holds of pages that are gone are looked for.
_SWEEP_SECONDS = 20.0

#: How far back to look, with the words of the page.
AGES = {"1d": "1 day", "7d": "7 days", "30d": "30 days", "90d": "90 days", "365d": "365 days"}
DEFAULT_AGE = "30d"
#: The statuses that can be listed, with the words of the page. Of approvals, an index has only the samples.
STATUSES = {
    **{status: status.value for status in (Status.REVIEW, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED)},
    Status.APPROVED: "APPROVED, samples",
}


@dataclass(slots=True)
class Bench:
    """One reviewer at one deployment.

    Attributes:
        closed_with: decisions that could not be sent when the app was stopped.
    """

    connection: "Connection"
    deployment: "Deployment"
    person: Person
    table: OperatorsVerdictTable
    uploads: OperatorsUploadBucket
    policies: OperatorsWorkBucket
    clock: "Clock"
    desk: Desk
    waiting: WaitingUploads
    closed_with: list[Entry] = field(default_factory=list)
    _policies: dict[str, Policy | None] = field(default_factory=dict)
    _recent: tuple[float, list[Identity]] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(
        cls, connection: "Connection", deployment: "Deployment", person: Person, clock: "Clock", journals: Path
    ) -> "Bench":
        """The bench of a deployment.

        Args:
            journals: the folder of all deployments' journals.
        """
        table = OperatorsVerdictTable.of(
            connection, deployment, max(_CONNECTIONS, PARALLEL_QUERIES), is_patient=False, pause=clock.pause
        )
        s3 = connection.client("s3", _CONNECTIONS)
        uploads = OperatorsUploadBucket(s3, finds_animations=deployment.animation_check)

        def write(entry: Entry, seen: Verdict) -> Acted:
            run = ActRun(
                lambda at: act_on(seen, entry.status, person, entry.decision, at),
                table,
                uploads,
                deployment.verdict_retention,
                clock,
            )
            upload = seen.upload
            named = NamedUpload(upload.object, upload.version, seen=(seen.status, seen.revision))
            return run.one(named, verdict_item(seen))

        desk = Desk(person, deployment.decision_reasons, Journal(journals / deployment.verdict_table), write, clock)
        waiting = WaitingUploads(table, person, clock, desk.is_at_hand)
        desk.settled = waiting.settle
        policies = OperatorsWorkBucket(s3, deployment.work_bucket)
        return cls(connection, deployment, person, table, uploads, policies, clock, desk, waiting)

    def start(self) -> None:
        """Begin to send decisions, and to give back what closed pages held."""
        for run in (self.desk.run, self._sweep):
            threading.Thread(target=run, name=run.__name__, daemon=True).start()

    def stop(self) -> None:
        """Send what waits, and give everything back."""
        self._stopped.set()
        self.closed_with = self.desk.close()
        try:
            self.waiting.close()
        except (ClientError, BotoCoreError):  # holds end by themselves
            return

    @property
    def masthead(self) -> dict[str, str]:
        """What the head of each page says."""
        return {"deployment": self.deployment.name, "person": self.person.name or self.person.id}

    def selection(self, asked: Mapping[str, str]) -> ReviewSelection:
        """What filters of the page select.

        Raises:
            ValueError: one has a value that it can't have.
        """
        status = Status(asked.get("status") or Status.REVIEW)
        if status not in STATUSES:
            raise ValueError(f"uploads that are {status} can't be listed")
        return ReviewSelection(
            self.since(asked),
            status,
            asked.get("lane") or None,
            asked.get("label") or None,
            causes=frozenset(cause for cause in (Cause.APPEAL, Cause.REPORT) if asked.get(f"{cause.value}s")),
            is_sample=status is Status.APPROVED,
        )

    def since(self, asked: Mapping[str, str]) -> str:
        """The time from which on a page looks; to the day, so that a page that asks again means the same search.

        Raises:
            ValueError: it is none of `AGES`.
        """
        age = asked.get("age") or DEFAULT_AGE
        if age not in AGES:
            raise ValueError(f"the age {age!r} is none of {', '.join(AGES)}")
        return f"{parse_since(age, self.clock.now())[:10]}T00:00:00.000Z"

    def verdict(self, identity: Identity) -> Verdict | None:
        """The verdict as the table has it now; None if there is none that people can decide on.

        Raises:
            ClientError: the table could not be read.
        """
        item = self.table.of_upload(*identity)
        try:
            return verdict_from_item(item) if item else None
        except MISSHAPEN:
            return None

    def upload(self, identity: Identity) -> Upload | None:
        """An upload that is in the table, and so may be shown.

        Raises:
            ClientError: the table could not be read.
        """
        verdict = self.waiting.known(identity) or self.verdict(identity)
        return verdict.upload if verdict else None

    def shown(self, verdict: Verdict) -> ShownUpload:
        """The upload as the page shows it."""
        return ShownUpload.of(verdict, self.clock.now(), self.policy)

    def policy(self, policy_hash: str) -> Policy | None:
        """A policy that judged; None if it can't be read, which is no reason not to decide."""
        if policy_hash not in self._policies:
            try:
                self._policies[policy_hash] = self.policies.find_recorded(policy_hash)
            except (ClientError, CommandError):  # perhaps the next time
                return None
        return self._policies[policy_hash]

    def other_versions(self, identity: Identity) -> list[Item]:
        """Other uploads of the object, newest first.

        Raises:
            ClientError: the table could not be read.
        """
        items = (item for item in self.table.of_object(identity[0]) if identity_of(item) != identity)
        return list(islice(items, MOST_OTHERS))

    def neighbors(self, identity: Identity) -> list[Item]:
        """The newest flagged uploads of the same folder, from the last days.

        Raises:
            ClientError, VerdictTableBusyError: the table could not be read.
        """
        folder = identity[0].rpartition("/")[0]
        near = [each for each in self._newest_flagged() if each[0].rpartition("/")[0] == folder and each != identity]
        order = {each: n for n, each in enumerate(near[:MOST_NEIGHBORS])}
        items = [item for page in self.table.read(order, WHOLE_VERDICT) for item in page]
        return sorted(items, key=lambda item: order[identity_of(item)])

    def forget_sent(self) -> None:
        """Settle decisions of an earlier run that were written, although it did not get to note that."""
        for entry in self.desk.unsent:
            verdict = self.verdict(entry.identity)
            if verdict and any(
                (e.by, e.after, e.reason) == (entry.by, entry.status, entry.decision.reason) and e.at >= entry.at
                for e in verdict.history
            ):
                self.desk.dismiss(entry.id, "sent")

    def _newest_flagged(self) -> list[Identity]:
        with self._lock:  # one search for all that ask
            now = self.clock.monotonic()
            if self._recent is None or now - self._recent[0] > _RECENT_SECONDS:
                self._recent = now, self.table.newest_flagged(self.clock.now().date())
            return self._recent[1]

    def _sweep(self) -> None:
        while not self._stopped.wait(_SWEEP_SECONDS):
            try:
                self.waiting.leave_silent()
            except (ClientError, BotoCoreError):  # holds end by themselves
                continue


def describe(document: Any) -> Identity:
    """The upload that a request names.

    Raises:
        one of `MISSHAPEN`: it names none.
    """
    uri, version = document["object"], document["version"]
    if not isinstance(uri, str) or not isinstance(version, str):
        raise TypeError("an upload is named by object and version")
    return uri, version
