import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from boto3.dynamodb.types import TypeSerializer

from gatehouse.aws import verdict_table
from gatehouse.aws.executions import Progress
from gatehouse.moderation.batch import manifest_key, uploads_key
from gatehouse.moderation.open_batch import open_key
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointerError
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import claim_from_item, verdict_item
from lambdas.batcher.admission import Admission, Admitted
from tests.unit.aws_calls import Killed
from tests.unit.builders import NOON, a_lane, a_policy, a_verdict, an_upload, uploads
from tests.unit.conftest import TABLE, WORK, Storage
from tests.unit.scripted_executions import ScriptedExecutions

TIMEOUT = timedelta(seconds=120)


@dataclass
class Batcher:
    """Batchers of one lane, their storage, their executions and a clock that a test moves."""

    storage: Storage
    executions: ScriptedExecutions = field(default_factory=ScriptedExecutions)
    other_executions: ScriptedExecutions = field(default_factory=ScriptedExecutions)
    time: datetime = NOON
    policies: Callable[[], Mapping[str, Policy]] = lambda: {"standard": a_policy()}

    def admit(self, found: Iterable[Upload], resubmitted: Mapping[tuple[str, str], str] | None = None) -> Admitted:
        """One invocation. Returns what it says became of the uploads."""
        storage = self.storage
        admission = Admission(
            a_lane(),
            self.policies,
            storage.table,
            storage.work,
            self.executions,
            [self.other_executions],
            now=lambda: self.time,
        )
        return admission.admit(found, TIMEOUT, resubmitted or {})

    def resubmit(self, found: Iterable[Upload], batch_id: str) -> Admitted:
        """One invocation with messages that ask for another try of a batch."""
        found = list(found)
        return self.admit(found, {upload.identity: batch_id for upload in found})

    def admit_until_done(self, found: Iterable[Upload]) -> None:
        """Deliver messages as SQS does: all of them again after a crash, later those that came back."""
        left = list(found)
        for _ in range(10):
            self.time += TIMEOUT + timedelta(seconds=1)
            try:
                admitted = self.admit(left)
            except Killed:
                continue
            left = [upload for upload in left if upload.identity in admitted.come_back]
            if not left:
                return
        raise AssertionError(f"{len(left)} messages came back ten times")

    def lose_the_files(self, found: Iterable[Upload]) -> None:
        """A batcher claims uploads and dies before it writes them down."""
        self.storage.calls.kill("PutObject", "before", nth=2)  # the first registers the batch
        with pytest.raises(Killed):
            self.admit(found)

    def end(self, progress: Progress) -> None:
        """Every execution ends like this."""
        self.executions.progress = dict.fromkeys(self.executions.progress, progress)

    def lines(self, key: str) -> list[dict[str, object]]:
        """A JSON Lines file of the work bucket."""
        return [json.loads(line) for line in self.storage.work.lines(WORK, key)]

    def analyzed(self) -> Counter[object]:
        """How often each object is in the manifest of a started execution."""
        started = self.executions.progress
        return Counter(line["source-ref"] for batch_id in started for line in self.lines(manifest_key(batch_id)))

    def files(self) -> list[str]:
        """Keys of the batches' files."""
        listed = self.storage.s3.list_objects_v2(Bucket=WORK, Prefix="batches/")
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def registered(self) -> dict[str, set[tuple[str, str]]]:
        """Open batches -> identities of the uploads their entries name."""
        entries = [
            self.storage.work.read_open(open_key(lane, batch_id))
            for lane, batch_id, _ in self.storage.work.open_since(datetime.now(UTC) + timedelta(days=1))
        ]
        return {entry.batch_id: _identities(entry.uploads) for entry in entries if entry}

    def holder(self, upload: Upload) -> str:
        """The batch that holds an upload."""
        return claim_from_item(self.storage.item(upload)).batch_id


@pytest.fixture
def batcher(storage: Storage) -> Batcher:
    return Batcher(storage)


def _identities(found: Iterable[Upload]) -> set[tuple[str, str]]:
    return {upload.identity for upload in found}


def test_new_uploads_are_claimed_written_down_and_started(batcher: Batcher) -> None:
    found = uploads(3)

    admitted = batcher.admit(found)

    (batch,) = admitted.batches
    batch_id = batch.batch_id
    assert batcher.executions.progress == {batch_id: Progress.RUNNING}
    assert [line["source-ref"] for line in batcher.lines(manifest_key(batch_id))] == [each.object for each in found]
    assert [line["n"] for line in batcher.lines(uploads_key(batch_id))] == [0, 1, 2]
    for upload in found:
        item = batcher.storage.item(upload)
        assert (item["status"], item["batch_id"], item["lane"]) == ("PENDING", batch_id, "default")
        assert (item["claimed_at"], item["attempt"]) == ("2026-11-22T12:00:00.000Z", 1)
    assert (admitted.come_back, admitted.reclaimed, admitted.redriven) == (set(), 0, 0)


def test_results_finds_what_the_batcher_claimed(batcher: Batcher) -> None:
    admitted = batcher.admit(uploads(3))

    (batch,) = admitted.batches
    terms = batcher.storage.work.read_terms(batch.batch_id)
    index = batcher.storage.work.read_index(terms)
    assert len(batcher.storage.table.pending(entry.claim for entry in index)) == 3


def test_policies_are_asked_for_once_the_uploads_are_held(batcher: Batcher) -> None:
    held: list[int] = []

    def policies() -> Mapping[str, Policy]:
        held.append(len(batcher.storage.items()))
        return {"standard": a_policy({"Violence": "allow"})}

    batcher.policies = policies

    admitted = batcher.admit(uploads(3))

    assert held == [3]
    (batch,) = admitted.batches
    terms = batcher.storage.work.read_terms(batch.batch_id)
    assert terms.policy_for("any.jpg") == a_policy({"Violence": "allow"})


def test_a_batch_keeps_the_policies_of_its_lane_and_no_others(batcher: Batcher) -> None:
    batcher.policies = lambda: {"standard": a_policy(), "strict": a_policy({})}

    admitted = batcher.admit(uploads(1))

    (batch,) = admitted.batches
    assert set(batcher.storage.work.read_terms(batch.batch_id).policies) == {"standard"}


def test_uploads_whose_policy_cannot_be_read_are_taken_over_once_it_can(batcher: Batcher) -> None:
    def unreadable() -> Mapping[str, Policy]:
        raise PolicyPointerError("no pointer")

    working, batcher.policies = batcher.policies, unreadable
    with pytest.raises(PolicyPointerError):
        batcher.admit(uploads(2))
    assert (batcher.executions.progress, batcher.files()) == ({}, [])
    assert {item["status"] for item in batcher.storage.items().values()} == {"PENDING"}

    batcher.policies = working
    batcher.admit_until_done(uploads(2))

    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(2)}


def test_nothing_new_starts_nothing(batcher: Batcher) -> None:
    assert batcher.admit([]) == Admitted()
    assert batcher.storage.calls.made == {}


def test_duplicates_of_a_message_count_once(batcher: Batcher) -> None:
    batcher.admit([an_upload(), an_upload(), an_upload()])

    assert batcher.analyzed() == {an_upload().object: 1}


def test_a_redelivered_event_is_not_analyzed_twice(batcher: Batcher) -> None:
    batcher.admit(uploads(2))

    admitted = batcher.admit(uploads(3))

    assert admitted.come_back == set()
    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(3)}
    assert len(batcher.executions.progress) == 2


def test_a_final_upload_is_left_alone(batcher: Batcher) -> None:
    batcher.admit([an_upload()])
    claim = claim_from_item(batcher.storage.item(an_upload()))
    batcher.storage.table.finalize([a_verdict(Status.BLOCKED, claim)], None)
    batcher.end(Progress.SUCCEEDED)
    before = batcher.storage.items()

    assert batcher.admit([an_upload()]) == Admitted()
    assert batcher.storage.items() == before


def test_a_fresh_claim_without_files_is_left_to_its_batcher(batcher: Batcher) -> None:
    batcher.lose_the_files(uploads(2))
    before = batcher.storage.items()
    batcher.time += TIMEOUT

    admitted = batcher.admit(uploads(2))

    assert admitted.come_back == _identities(uploads(2))
    assert (admitted.batches, admitted.reclaimed) == ([], 0)
    assert batcher.storage.items() == before


def test_the_claim_of_a_dead_batcher_is_taken_over(batcher: Batcher) -> None:
    batcher.lose_the_files(uploads(2))
    batcher.time += TIMEOUT + timedelta(seconds=5, milliseconds=1)

    admitted = batcher.admit(uploads(3))

    assert (admitted.come_back, admitted.reclaimed, admitted.stuck_after_success) == (set(), 2, 0)
    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(3)}
    assert {claim_from_item(item).attempt for item in batcher.storage.items().values()} == {1}


def test_a_batch_with_files_that_was_never_started_is_started(batcher: Batcher) -> None:
    batcher.executions.kill_start("before")
    with pytest.raises(Killed):
        batcher.admit(uploads(2))
    holder = batcher.holder(uploads(2)[0])

    admitted = batcher.admit(uploads(2))

    assert batcher.executions.progress == {holder: Progress.RUNNING}
    assert admitted == Admitted()


def test_a_stopped_execution_is_resumed_and_pays_nothing_twice(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    holder = batcher.holder(uploads(2)[0])
    batcher.end(Progress.STOPPED)

    admitted = batcher.admit(uploads(2))

    assert batcher.executions.redrives == {holder: 1}
    assert (admitted.redriven, admitted.batches, admitted.come_back) == (1, [], set())
    assert batcher.holder(uploads(2)[0]) == holder


def test_an_execution_that_cannot_be_resumed_gives_its_uploads_to_the_next_attempt(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    batcher.end(Progress.STOPPED)
    batcher.executions.redrivable = False

    admitted = batcher.admit(uploads(2))

    assert (admitted.reclaimed, admitted.redriven, admitted.stuck_after_success) == (2, 0, 0)
    assert {claim_from_item(item).attempt for item in batcher.storage.items().values()} == {2}
    (batch,) = admitted.batches
    assert len(batch.manifest().splitlines()) == 2


def test_an_upload_its_successful_batch_left_pending_is_counted_and_taken_over(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    batcher.end(Progress.SUCCEEDED)

    admitted = batcher.admit(uploads(1))

    assert (admitted.reclaimed, admitted.stuck_after_success, admitted.redriven) == (1, 1, 0)
    assert batcher.executions.refused == []
    assert claim_from_item(batcher.storage.item(uploads(1)[0])).attempt == 2


def test_the_fourth_attempt_is_refused_and_needs_no_analysis(batcher: Batcher) -> None:
    batcher.executions.redrivable = False
    for _ in range(3):
        batcher.admit([an_upload()])
        batcher.end(Progress.STOPPED)

    admitted = batcher.admit([an_upload()])

    (batch,) = admitted.batches
    (entry,) = batch.uploads
    assert entry.refusal is not None
    assert (entry.refusal.status, entry.refusal.failure.code) == (Status.FAILED, "AttemptsExhausted")
    assert batch.manifest() == ""
    assert batcher.analyzed() == {an_upload().object: 3}
    assert batcher.executions.progress[batch.batch_id] is Progress.RUNNING


def test_a_verdict_that_arrives_while_we_look_is_not_undone(batcher: Batcher) -> None:
    batcher.admit([an_upload()])
    claim = claim_from_item(batcher.storage.item(an_upload()))
    batcher.end(Progress.SUCCEEDED)
    batcher.storage.calls.interrupt(
        "HeadObject", lambda: batcher.storage.table.finalize([a_verdict(Status.BLOCKED, claim)], None)
    )

    admitted = batcher.admit([an_upload()])

    assert (admitted.come_back, admitted.reclaimed, admitted.stuck_after_success) == ({an_upload().identity}, 0, 0)
    assert batcher.storage.item(an_upload())["status"] == "BLOCKED"
    assert batcher.admit([an_upload()]) == Admitted()


def test_two_batchers_at_once_share_the_uploads(batcher: Batcher) -> None:
    other: list[Admitted] = []
    batcher.storage.calls.interrupt("TransactWriteItems", lambda: other.append(batcher.admit(uploads(3)[:2])))

    admitted = batcher.admit(uploads(3))

    assert len(other) == 1
    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(3)}
    assert admitted.come_back == other[0].come_back == set()


def test_a_batcher_does_not_start_what_another_is_about_to_write(batcher: Batcher) -> None:
    second: list[Admitted] = []
    batcher.storage.calls.interrupt("PutObject", lambda: second.append(batcher.admit(uploads(3))), nth=2)

    first = batcher.admit(uploads(2))

    assert first.come_back == set()
    assert second[0].come_back == _identities(uploads(2))
    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(3)}


def test_of_two_batchers_that_take_over_one_wins(batcher: Batcher) -> None:
    batcher.lose_the_files(uploads(2))
    batcher.time += TIMEOUT * 2
    other: list[Admitted] = []
    batcher.storage.calls.interrupt("HeadObject", lambda: other.append(batcher.admit(uploads(2))))

    admitted = batcher.admit(uploads(2))

    assert (other[0].reclaimed, admitted.reclaimed) == (2, 0)
    assert admitted.come_back == _identities(uploads(2))
    assert batcher.analyzed() == {upload.object: 1 for upload in uploads(2)}
    assert batcher.admit(uploads(2)) == Admitted()


def test_a_failure_to_look_is_not_taken_for_missing_files(batcher: Batcher) -> None:
    batcher.admit(uploads(1))
    batcher.time += TIMEOUT * 2
    body = {"Error": {"Code": "403", "Message": "Forbidden"}}
    batcher.storage.calls.answer_next("HeadObject", body, 403)

    with pytest.raises(batcher.storage.s3.exceptions.ClientError):
        batcher.admit(uploads(1))
    assert batcher.analyzed() == {uploads(1)[0].object: 1}


def test_uploads_of_one_object_in_any_order_each_get_a_claim(batcher: Batcher) -> None:
    versions = [an_upload(sequencer=sequencer) for sequencer in ("2", "1", "3")]

    batcher.admit(versions[:2])
    batcher.admit(versions[2:])

    assert set(batcher.storage.items()) == _identities(versions)
    assert batcher.analyzed() == {an_upload().object: 2}


def test_an_old_batch_is_asked_about_once_however_many_of_its_uploads_come_again(batcher: Batcher) -> None:
    batcher.admit(uploads(50))
    before = batcher.storage.calls.made["HeadObject"]

    batcher.admit(uploads(50))

    assert batcher.storage.calls.made["HeadObject"] - before == 1


CRASHES: list[Callable[[Batcher], None]] = [
    *(
        lambda batcher, when=when, nth=nth: batcher.storage.calls.kill("TransactWriteItems", when, nth)
        for when in ("before", "after")
        for nth in (1, 2)
    ),
    *(
        lambda batcher, when=when, nth=nth: batcher.storage.calls.kill("PutObject", when, nth)
        for when in ("before", "after")
        for nth in (1, 2, 3, 4)
    ),
    *(lambda batcher, when=when: batcher.executions.kill_start(when) for when in ("before", "after")),
]


@pytest.mark.parametrize("crash", range(len(CRASHES)))
def test_a_crash_anywhere_neither_loses_an_upload_nor_pays_twice(
    batcher: Batcher, crash: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 5)
    found = uploads(8)
    random.Random(crash).shuffle(found)
    CRASHES[crash](batcher)
    with pytest.raises(Killed):
        batcher.admit(found)
    assert held_by_nobody(batcher) == set(), "a sweeper could not find them"

    random.Random(crash + 1).shuffle(found)
    batcher.admit_until_done(found[:4])
    batcher.admit_until_done(found)

    assert batcher.analyzed() == {upload.object: 1 for upload in found}
    for item in batcher.storage.items().values():
        claim = claim_from_item(item)
        assert item["status"] == "PENDING"
        assert batcher.executions.progress[claim.batch_id] is Progress.RUNNING
        assert claim.attempt == 1


@pytest.mark.parametrize("crash", range(len(CRASHES)))
@pytest.mark.parametrize("ended", [None, Progress.STOPPED, Progress.SUCCEEDED])
def test_a_crash_while_taking_over_loses_nothing(batcher: Batcher, crash: int, ended: Progress | None) -> None:
    found = uploads(3)
    if ended:
        batcher.executions.redrivable = False
        batcher.admit(found)
        batcher.end(ended)
    else:
        batcher.lose_the_files(found)
    earlier = set(batcher.executions.progress)
    batcher.time += TIMEOUT * 2
    CRASHES[crash](batcher)

    batcher.admit_until_done(found)

    for upload in found:
        batch_id = batcher.holder(upload)
        assert batcher.executions.progress[batch_id] is Progress.RUNNING
        assert upload.object in {line["source-ref"] for line in batcher.lines(manifest_key(batch_id))}
    later = set(batcher.executions.progress) - earlier
    again = Counter(line["source-ref"] for batch_id in later for line in batcher.lines(manifest_key(batch_id)))
    assert again == {upload.object: 1 for upload in found}


def held_by_nobody(batcher: Batcher) -> set[tuple[str, str]]:
    """Pending uploads that the register's entry of their batch does not name."""
    registered = batcher.registered()
    return {
        identity
        for identity, item in batcher.storage.items().items()
        if item["status"] == "PENDING" and identity not in registered.get(claim_from_item(item).batch_id, set())
    }


def test_a_batch_is_registered_as_open_before_it_claims(batcher: Batcher) -> None:
    batcher.storage.calls.kill("TransactWriteItems", "before")
    with pytest.raises(Killed):
        batcher.admit(uploads(2))

    assert [*batcher.registered().values()] == [_identities(uploads(2))]
    assert batcher.storage.items() == {}


def test_a_batch_that_cannot_be_registered_claims_nothing(batcher: Batcher) -> None:
    batcher.storage.calls.answer_next("PutObject", {"Error": {"Code": "AccessDenied", "Message": ""}}, 403)
    with pytest.raises(batcher.storage.s3.exceptions.ClientError):
        batcher.admit(uploads(2))

    assert batcher.storage.items() == {}


def test_a_batch_that_holds_nothing_does_not_stay_open(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    (first,) = batcher.registered()

    batcher.admit(uploads(2))

    assert [*batcher.registered()] == [first]


@pytest.fixture
def failed(batcher: Batcher) -> str:
    """A batch of two uploads: one is FAILED, the other one BLOCKED. Returns its id."""
    batcher.admit(uploads(2))
    first, second = (claim_from_item(batcher.storage.item(upload)) for upload in uploads(2))
    batcher.storage.table.finalize([a_verdict(Status.FAILED, first), a_verdict(Status.BLOCKED, second)], None)
    batcher.end(Progress.SUCCEEDED)
    return first.batch_id


def test_a_failed_upload_is_analyzed_anew_if_somebody_asks(batcher: Batcher, failed: str) -> None:
    admitted = batcher.resubmit(uploads(2), failed)

    (batch,) = admitted.batches
    assert [entry.claim.upload for entry in batch.uploads] == uploads(1)
    assert (admitted.resubmitted, admitted.come_back) == (1, set())
    item = batcher.storage.item(uploads(1)[0])
    assert (item["status"], item["attempt"], item["batch_id"]) == ("PENDING", 1, batch.batch_id)
    assert "error" not in item
    assert batcher.storage.item(uploads(2)[1])["status"] == "BLOCKED"
    assert held_by_nobody(batcher) == set()


def test_asking_twice_analyzes_once(batcher: Batcher, failed: str) -> None:
    batcher.resubmit(uploads(2), failed)
    analyzed = batcher.analyzed()

    again = batcher.resubmit(uploads(2), failed)

    assert again == Admitted()
    assert batcher.analyzed() == analyzed


def test_a_failed_upload_stays_so_unless_its_own_batch_is_meant(batcher: Batcher, failed: str) -> None:
    before = batcher.storage.items()

    assert batcher.admit(uploads(2)) == Admitted()
    assert batcher.resubmit(uploads(2), "0" * 32) == Admitted()
    assert batcher.storage.items() == before


def test_a_verdict_that_a_person_gives_meanwhile_is_not_undone(batcher: Batcher, failed: str) -> None:
    claim = claim_from_item(batcher.storage.item(uploads(1)[0]))
    verdict = verdict_item(a_verdict(Status.BLOCKED, claim))
    storage = batcher.storage

    def decide() -> None:
        serialize = TypeSerializer().serialize
        storage.dynamodb.put_item(TableName=TABLE, Item={name: serialize(value) for name, value in verdict.items()})

    storage.calls.interrupt("TransactWriteItems", decide, nth=2)  # after it was found FAILED

    assert batcher.resubmit(uploads(1), failed) == Admitted()
    assert storage.item(uploads(1)[0])["status"] == "BLOCKED"


@pytest.mark.parametrize("progress", [Progress.RUNNING, Progress.STOPPED, Progress.SUCCEEDED])
def test_a_batch_of_the_lanes_former_priority_is_not_started_under_the_new_one(
    batcher: Batcher, progress: Progress
) -> None:
    batcher.admit(uploads(2))
    former = batcher.holder(uploads(2)[0])
    batcher.other_executions.progress, batcher.executions.progress = {former: progress}, {}

    admitted = batcher.admit(uploads(2))

    assert former not in batcher.executions.progress
    assert batcher.other_executions.redrives == {}
    assert admitted.reclaimed == (0 if progress is Progress.RUNNING else 2)


def test_a_stopped_batch_that_somebody_resubmits_is_analyzed_anew_from_the_first_attempt(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    former = batcher.holder(uploads(2)[0])
    batcher.end(Progress.STOPPED)

    admitted = batcher.resubmit(uploads(2), former)

    assert (batcher.executions.redrives, admitted.reclaimed) == ({}, 2)
    assert {claim_from_item(item).attempt for item in batcher.storage.items().values()} == {1}
    assert held_by_nobody(batcher) == set()


def test_a_batch_that_is_being_analyzed_stays_where_it_is_though_somebody_resubmits_it(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    former = batcher.holder(uploads(2)[0])

    assert batcher.resubmit(uploads(2), former) == Admitted()
    assert batcher.holder(uploads(2)[0]) == former


def test_resubmitting_another_batch_resumes_a_stopped_one_as_ever(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    batcher.end(Progress.STOPPED)

    assert batcher.resubmit(uploads(2), "0" * 32).redriven == 1


def test_what_nobody_asked_to_resubmit_keeps_its_attempts(batcher: Batcher) -> None:
    batcher.admit(uploads(2))
    former = batcher.holder(uploads(2)[0])
    batcher.end(Progress.STOPPED)

    batcher.admit(uploads(2), {uploads(2)[0].identity: former})

    attempts = {upload.key: claim_from_item(batcher.storage.item(upload)).attempt for upload in uploads(2)}
    assert attempts == {uploads(2)[0].key: 1, uploads(2)[1].key: 2}
