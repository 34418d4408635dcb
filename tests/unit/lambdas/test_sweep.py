"""Whatever is PENDING and left by everybody is got going again, by somebody who may decide nothing about it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from gatehouse.aws.executions import Progress
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.contracts.sweep_schedule import BackfillRoute, LaneRoute, Schedule
from gatehouse.moderation.batch import new_batch_id
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch, open_key
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import claim_from_item
from lambdas.batcher.admission import Admission
from lambdas.batcher.messages import Messages
from lambdas.sweeper.sweep import READMIT_AGAIN, Sweep, Swept
from tests.unit.aws_calls import Killed, an_error
from tests.unit.builders import a_lane, a_listed_upload, a_policy, a_verdict, an_upload, sqs_records, upload_in, uploads
from tests.unit.conftest import WORK, Storage
from tests.unit.scripted_executions import ScriptedExecutions

MIN_AGE = timedelta(minutes=30)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:live"


@dataclass
class House:
    """Storage, executions, a queue with its batcher, and a sweeper. S3 stamps entries with the real time."""

    storage: Storage
    queue_url: str
    executions: ScriptedExecutions = field(default_factory=ScriptedExecutions)
    old_priority: ScriptedExecutions = field(default_factory=ScriptedExecutions)
    age: timedelta = MIN_AGE + timedelta(minutes=1)
    lanes: tuple[str, ...] = ("default",)
    overdue_hours: float = 48
    backfill: BackfillRoute | None = None
    backfill_queue_url: str | None = None
    batches: int | None = None

    def now(self) -> datetime:
        return datetime.now(UTC) + self.age

    def admit(self, found: list[Upload]) -> str:
        """What a batcher does. Returns the batch's id."""
        self._batcher(lambda: datetime.now(UTC)).admit(found, timedelta(minutes=1))
        return claim_from_item(self.storage.item(found[0])).batch_id

    def admit_messages(self, bodies: list[str] | None = None) -> None:
        """Deliver what is in the queue, or these messages, to a batcher, long after the first one."""
        found = [upload_in(body) for body in (self.messages() if bodies is None else bodies)]
        self._batcher(self.now).admit([upload for upload in found if upload], timedelta(minutes=1))

    def _batcher(self, now: Callable[[], datetime]) -> Admission:
        return Admission(
            a_lane(),
            lambda: {"standard": a_policy()},
            self.storage.table,
            self.storage.work,
            self.executions,
            [self.old_priority],
            now=now,
        )

    def sweep(self) -> Swept:
        sqs = boto3.client("sqs")
        self.storage.calls.watch(sqs)

        def has_time() -> bool:
            if self.batches is None:
                return True
            self.batches -= 1
            return self.batches >= 0

        return Sweep(
            schedule=Schedule(
                {
                    name: LaneRoute(name, self.queue_url, self.overdue_hours, self.backfill_queue_url)
                    for name in self.lanes
                },
                (MACHINE,),
                MIN_AGE,
                self.backfill,
            ),
            table=self.storage.table,
            work=self.storage.work,
            machines=[self.executions, self.old_priority],
            queue=lambda url: QueueSender(sqs, url),
            now=self.now,
            has_time=has_time,
        ).sweep()

    def messages(self) -> list[str]:
        """What is in the queue, taken out of it."""
        sqs = boto3.client("sqs")
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def readmitted(self) -> list[Upload | None]:
        """The uploads in the queue, in order of their keys."""
        return sorted(map(upload_in, self.messages()), key=lambda upload: upload.key if upload else "")

    def is_open(self, batch_id: str) -> bool:
        return self.storage.work.read_open(open_key("default", batch_id)) is not None

    def decide(self, upload: Upload, status: Status = Status.BLOCKED) -> None:
        claim = claim_from_item(self.storage.item(upload))
        self.storage.table.finalize([a_verdict(status, claim)], None)


@pytest.fixture
def house(storage: Storage) -> House:
    return House(storage, boto3.client("sqs").create_queue(QueueName="ingest")["QueueUrl"])


def test_a_young_batch_is_left_alone(house: House) -> None:
    house.admit(uploads(2))
    house.executions.progress.clear()
    house.age = MIN_AGE - timedelta(minutes=1)

    assert house.sweep() == Swept()
    assert house.messages() == []


def test_a_batch_whose_execution_runs_is_left_alone(house: House) -> None:
    house.admit(uploads(2))

    assert house.sweep() == Swept(old=1)
    assert house.messages() == []


def test_an_execution_that_is_not_listed_yet_is_looked_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.admit(uploads(2))
    monkeypatch.setattr(house.executions, "running", set)

    assert house.sweep() == Swept(old=1)


def test_a_stopped_execution_is_resumed_and_nothing_is_sent(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.STOPPED

    assert house.sweep() == Swept(old=1, redriven=[batch_id])
    assert house.executions.redrives == {batch_id: 1}
    assert house.messages() == []
    assert house.is_open(batch_id)


def test_a_stopped_execution_whose_uploads_all_have_verdicts_is_not_resumed(house: House) -> None:
    batch_id = house.admit(uploads(2))
    for upload in uploads(2):
        house.decide(upload)
    house.executions.progress[batch_id] = Progress.STOPPED

    assert house.sweep() == Swept(old=1, closed=1)
    assert house.executions.redrives == {}
    assert not house.is_open(batch_id)


@pytest.mark.parametrize("progress", [Progress.RUNNING, Progress.STOPPED])
def test_a_batch_that_was_started_under_another_priority_is_not_started_again(house: House, progress: Progress) -> None:
    """The lane's priority was changed while the batch was analyzed."""
    batch_id = house.admit(uploads(2))
    house.old_priority.progress = {batch_id: progress}
    house.executions.progress.clear()

    swept = house.sweep()
    house.admit_messages()
    house.admit(uploads(2))

    assert (house.executions.progress, house.messages()) == ({}, [])
    assert house.old_priority.progress == {batch_id: Progress.RUNNING}
    assert swept.redriven == ([batch_id] if progress is Progress.STOPPED else [])


def test_what_can_be_resumed_no_more_is_readmitted_and_decided_by_the_batcher(house: House) -> None:
    first, second = uploads(2)
    batch_id = house.admit([first, second])
    house.decide(first)
    house.executions.progress[batch_id] = Progress.STOPPED
    house.executions.redrivable = False

    assert house.sweep() == Swept(old=1, readmitted={batch_id: 1})
    house.admit_messages()

    claim = claim_from_item(house.storage.item(second))
    assert (claim.attempt, claim.batch_id != batch_id) == (2, True)
    assert house.storage.item(first)["status"] == "BLOCKED"
    house.age += timedelta(minutes=15)
    assert house.sweep().closed == 1
    assert not house.is_open(batch_id)


def test_uploads_that_a_batch_left_pending_though_it_ended_well_are_readmitted(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.SUCCEEDED

    assert house.sweep() == Swept(old=1, readmitted={batch_id: 2})
    assert house.readmitted() == uploads(2)


@pytest.mark.parametrize("nth", [2, 3, 4])
def test_claims_of_a_batcher_whose_messages_never_come_back_are_readmitted(house: House, nth: int) -> None:
    """It died before it wrote the batch down whole, and somebody emptied the queues."""
    house.storage.calls.kill("PutObject", "before", nth)
    with pytest.raises(Killed):
        house.admit(uploads(2))

    assert [*house.sweep().readmitted.values()] == [2]
    house.admit_messages()

    claims = [claim_from_item(house.storage.item(upload)) for upload in uploads(2)]
    assert {(claim.attempt, house.executions.progress[claim.batch_id]) for claim in claims} == {(1, Progress.RUNNING)}


def test_a_batch_that_was_never_started_is_started(house: House) -> None:
    house.executions.kill_start("before")
    with pytest.raises(Killed):
        house.admit(uploads(2))

    assert [*house.sweep().readmitted.values()] == [2]
    house.admit_messages()

    batch_id = claim_from_item(house.storage.item(uploads(1)[0])).batch_id
    assert house.executions.progress == {batch_id: Progress.RUNNING}


def test_a_batch_that_claimed_nothing_is_closed(house: House) -> None:
    house.storage.calls.kill("TransactWriteItems", "before")
    with pytest.raises(Killed):
        house.admit(uploads(2))

    assert house.sweep() == Swept(old=1, closed=1)
    assert house.sweep() == Swept()


def test_an_upload_that_another_batch_has_taken_over_is_not_readmitted_for_the_first(house: House) -> None:
    first, second = uploads(2)
    batch_id = house.admit([first, second])
    house.executions.progress[batch_id] = Progress.STOPPED
    house.executions.redrivable = False
    house.admit([first])

    assert house.sweep() == Swept(old=2, readmitted={batch_id: 1})
    assert house.readmitted() == [second]


def test_events_are_put_back_again_when_those_of_the_last_time_can_no_longer_be_under_way(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.sweep()
    house.messages()  # lost

    house.age += READMIT_AGAIN - timedelta(minutes=1)
    assert (house.sweep(), house.messages()) == (Swept(old=1), [])

    house.age += timedelta(minutes=2)
    assert house.sweep() == Swept(old=1, readmitted={batch_id: 2}, stuck={batch_id: 2})
    assert house.readmitted() == uploads(2)


def test_what_putting_back_did_not_get_going_is_told_until_it_goes(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    told = []
    for _ in range(20):
        told.append(bool(house.sweep().stuck))
        house.messages()
        house.age += timedelta(minutes=29)

    assert told == [False] * 5 + [True] * 15


def test_what_is_resumed_at_once_is_not_called_stuck_however_old_it_is(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.STOPPED
    house.age = timedelta(days=2)

    assert house.sweep() == Swept(old=1, redriven=[batch_id])


def test_uploads_of_a_lane_that_is_gone_are_told_and_kept(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.lanes = ("other",)

    swept = house.sweep()

    assert (swept.stuck, set(swept.problems)) == ({batch_id: 2}, {batch_id})
    assert house.messages() == []
    assert house.is_open(batch_id)


@pytest.mark.parametrize("progress", [Progress.RUNNING, Progress.STOPPED])
def test_what_a_lane_that_is_gone_had_under_way_goes_on(house: House, progress: Progress) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = progress
    house.lanes = ("other",)

    swept = house.sweep()

    assert (swept.stuck, house.executions.progress[batch_id]) == ({}, Progress.RUNNING)


def test_a_lane_that_no_longer_takes_an_upload_judges_it_if_it_was_put_back(house: House) -> None:
    upload = an_upload("left/cat.jpg")
    batch_id = house.admit([upload])
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.sweep()

    read = Messages.read(a_lane(prefixes=("kept/",)), sqs_records(house.messages()))

    assert ([*read.uploads.values()], read.ignored) == ([upload], 0)


DAMAGES = {
    "empty": b"",
    "a list": b"[]",
    "no text": b"\xff",
    "another": json.dumps({"batch_id": "other"}).encode(),
}


@pytest.mark.parametrize("text", DAMAGES.values(), ids=DAMAGES)
def test_an_entry_that_cannot_be_read_is_told_and_holds_up_no_other_one(house: House, text: bytes) -> None:
    damaged, sound = new_batch_id(), house.admit(uploads(2))
    house.storage.s3.put_object(Bucket=WORK, Key=open_key("default", damaged), Body=text)
    house.executions.progress[sound] = Progress.STOPPED

    swept = house.sweep()

    assert (swept.old, swept.redriven, set(swept.stuck), set(swept.problems)) == (2, [sound], {damaged}, {damaged})


@pytest.mark.parametrize("claimed_at", ["", "yesterday", "2020-01-01T00:00:00.000Z"])
def test_an_entry_with_another_time_loses_no_upload(house: House, claimed_at: str) -> None:
    batch_id = house.admit(uploads(2))
    entry = OpenBatch("default", batch_id, claimed_at, tuple(uploads(2)))
    house.storage.s3.put_object(Bucket=WORK, Key=entry.key, Body=entry.to_text().encode())
    house.executions.progress[batch_id] = Progress.SUCCEEDED

    assert house.sweep() == Swept(old=1, readmitted={batch_id: 2})
    assert house.is_open(batch_id)


def test_an_entry_of_another_batch_is_not_believed(house: House) -> None:
    batch_id, other = house.admit(uploads(2)), new_batch_id()
    entry = OpenBatch("default", batch_id, iso(datetime.now(UTC)), tuple(uploads(2)))
    house.storage.s3.put_object(Bucket=WORK, Key=open_key("default", other), Body=entry.to_text().encode())

    swept = house.sweep()

    assert set(swept.problems) == {other}
    assert house.messages() == []


def test_what_is_no_entry_is_not_looked_at(house: House) -> None:
    house.storage.s3.put_object(Bucket=WORK, Key="open/default/notes.txt", Body=b"")

    assert house.sweep() == Swept()


@pytest.mark.parametrize(("hours", "overdue"), [(48, 1), (50, 0)])
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_batch_that_runs_for_longer_than_its_lane_allows_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, hours: float, overdue: int, is_listed: bool
) -> None:
    house.admit(uploads(1))
    if not is_listed:
        monkeypatch.setattr(house.executions, "running", set)
    house.age, house.overdue_hours = timedelta(hours=49), hours

    assert len(house.sweep().overdue) == overdue


@pytest.mark.parametrize("is_backfill", [True, False])
def test_the_backfill_has_longer_for_the_batches_of_any_lane(
    house: House, monkeypatch: pytest.MonkeyPatch, is_backfill: bool
) -> None:
    house.admit([a_listed_upload()])
    house.age, house.overdue_hours, house.backfill = timedelta(hours=49), 2, BackfillRoute("backfill", 500)
    monkeypatch.setattr(house.executions, "runs_on", lambda arn: is_backfill and arn == "backfill")

    assert len(house.sweep().overdue) == (0 if is_backfill else 1)


@pytest.mark.parametrize(("upload", "is_backfill"), [(a_listed_upload(), True), (an_upload(), False)])
def test_a_listed_object_goes_back_to_the_backfills_queue_and_keeps_its_place(
    house: House, upload: Upload, is_backfill: bool
) -> None:
    backfill = boto3.client("sqs").create_queue(QueueName="backfill")["QueueUrl"]
    batch_id = house.admit([upload])
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.backfill_queue_url = backfill

    house.sweep()

    live = house.readmitted()
    house.queue_url = backfill
    back = house.readmitted()
    assert (live, back) == (([], [upload]) if is_backfill else ([upload], []))


def test_a_sweep_that_runs_out_of_time_says_so_and_leaves_others_than_the_last_one(house: House) -> None:
    batches = [house.admit([upload]) for upload in uploads(12)]
    for batch_id in batches:
        house.executions.progress[batch_id] = Progress.SUCCEEDED
    seen: set[str] = set()
    for _ in range(30):
        house.batches = 1
        house.age += READMIT_AGAIN + timedelta(minutes=1)
        swept = house.sweep()
        assert (swept.is_complete, len(swept.readmitted), swept.old) == (False, 1, 12)
        seen |= set(swept.readmitted)

    assert len(seen) > 6


def test_a_queue_that_refuses_is_told_and_the_next_sweep_sends_again(house: House) -> None:
    batch_id = house.admit(uploads(2))
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    failed = [{"Id": "1", "Code": "InternalError", "SenderFault": False}]
    house.storage.calls.answer_next("SendMessageBatch", {"Successful": [{"Id": "0"}], "Failed": failed})

    swept = house.sweep()

    assert ([str(error) for error in swept.outages], swept.readmitted) == (
        ["1 of 2 messages were refused: InternalError"],
        {},
    )
    assert house.sweep().readmitted == {batch_id: 2}


def test_what_fails_with_one_batch_holds_up_no_other_one(house: House) -> None:
    broken = [house.admit([upload]) for upload in uploads(20)]
    for batch_id in broken:
        house.executions.progress[batch_id] = Progress.SUCCEEDED
    sound = house.admit([an_upload("sound.jpg")])
    house.executions.progress[sound] = Progress.STOPPED
    refusal = an_error("AWS.SimpleQueueService.NonExistentQueue", "no such queue")
    house.storage.calls.answer_always("SendMessageBatch", lambda _: refusal)

    swept = house.sweep()

    assert (swept.redriven, len(swept.outages), set(swept.problems)) == ([sound], 20, set(broken))


def test_sweeping_twice_and_admitting_twice_analyzes_once(house: House) -> None:
    batch_id = house.admit(uploads(3))
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.sweep()
    bodies = house.messages()
    house.admit_messages(bodies)
    house.admit_messages(bodies)
    holder = claim_from_item(house.storage.item(uploads(1)[0])).batch_id

    house.sweep()
    house.admit_messages()

    started = set(house.executions.progress) - {batch_id}
    assert started == {holder}


def test_a_newer_upload_of_an_object_is_not_touched(house: House) -> None:
    old, new = an_upload(sequencer="1"), an_upload(sequencer="2")
    batch_id = house.admit([old])
    house.executions.progress[batch_id] = Progress.SUCCEEDED
    house.admit([new])
    house.decide(new)
    before = house.storage.item(new)

    house.sweep()
    house.admit_messages()

    assert house.storage.item(new) == before
    assert claim_from_item(house.storage.item(old)).attempt == 2


def test_a_look_at_batches_that_run_costs_a_list_for_each_machine_however_many_there_are(house: House) -> None:
    for upload in uploads(20):
        house.admit([upload])
    made = house.storage.calls.made
    before = made.copy()

    house.sweep()

    assert made - before == {"ListObjectsV2": 1}
    assert (house.executions.listed, house.executions.looked) == (1, 0)
