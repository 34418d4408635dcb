import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from gatehouse.contracts.function_metrics import BatcherMetric
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy.policy_pointer import PolicyPointer
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload_event import listing_message, readmission_message
from gatehouse.moderation.verdict_item import claim_from_item
from lambdas.batcher import handler as batcher
from tests.emitted_metrics import EMITTED, OF_LISTED_OBJECTS
from tests.unit.aws_calls import AwsCalls, Killed
from tests.unit.builders import (
    a_lane,
    a_listed_upload,
    a_listed_version,
    a_policy,
    a_verdict,
    an_upload,
    s3_event,
    sqs_records,
    uploads,
)
from tests.unit.conftest import TABLE, WORK, Storage
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context

SECRET = an_upload("secret-name.jpg")

SHIPPED = {
    "standard": replace(a_policy(), name="standard"),
    "strict": replace(a_policy({"Violence": {"block": 30}}), name="strict"),
}


# A failed invocation reports none.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@dataclass
class Deployed:
    """The deployed function, its state machine, its log and what it ships."""

    storage: Storage
    state_machine_arn: str
    log: io.StringIO
    calls: AwsCalls
    policies: Path

    def invoke(self, *bodies: Any) -> dict[str, Any]:
        response: dict[str, Any] = batcher.handler({"Records": sqs_records(bodies)}, a_context())
        return response

    def executions(self) -> list[str]:
        """Names of the executions there are."""
        client = boto3.client("stepfunctions")
        return [each["name"] for each in client.list_executions(stateMachineArn=self.state_machine_arn)["executions"]]


def forget_deployment() -> None:
    """What a new function instance has not read yet."""
    for cached in (
        *(batcher._admission, batcher._policies, batcher._work, batcher._table),
        *(batcher._backfill, batcher._listed_objects),
    ):
        cached.cache_clear()


@pytest.fixture
def deployed(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    machine = boto3.client("stepfunctions").create_state_machine(
        name="analysis",
        definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/analysis",
    )["stateMachineArn"]
    policies = tmp_path / "policies"
    policies.mkdir()
    for name, policy in SHIPPED.items():
        (policies / f"{name}.json").write_text(policy.to_text())
        pointer = PolicyPointer.to_shipped(policy).to_text()
        storage.ssm.put_parameter(Name=f"CFN-{name}", Value=pointer, Type="String")
    overrides = (("kids/", "strict"),)
    lane = a_lane(name="avatars", prefixes=("",), exclude_prefixes=("tmp/",), policy_overrides=overrides)
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setenv("LANE", json.dumps(lane.to_document()))
    monkeypatch.setenv("POLICY_PARAMETERS", json.dumps({name: f"CFN-{name}" for name in SHIPPED}))
    monkeypatch.setenv("VERDICT_TABLE", TABLE)
    monkeypatch.setenv("WORK_BUCKET", WORK)
    monkeypatch.setenv("STATE_MACHINE_ARN", machine)
    monkeypatch.setenv("OTHER_STATE_MACHINE_ARNS", "")
    log = io.StringIO()
    monkeypatch.setattr(batcher.logger.registered_handler, "stream", log)
    forget_deployment()
    calls, made = AwsCalls(), boto3.client

    def watched(*args: Any, **kwargs: Any) -> Any:
        client = made(*args, **kwargs)
        calls.watch(client)
        return client

    monkeypatch.setattr(boto3, "client", watched)
    yield Deployed(storage, machine, log, calls, policies)
    forget_deployment()


def test_messages_become_a_started_batch(deployed: Deployed) -> None:
    response = deployed.invoke(*map(s3_event, uploads(3)))

    assert response == {"batchItemFailures": []}
    (batch_id,) = deployed.executions()
    assert {claim_from_item(item).batch_id for item in deployed.storage.items().values()} == {batch_id}
    terms = deployed.storage.work.read_terms(batch_id)
    assert terms.lane == "avatars"
    assert (terms.policy_for("cat.jpg"), terms.policy_for("kids/cat.jpg")) == tuple(SHIPPED.values())


def test_a_live_change_judges_the_next_batch(deployed: Deployed) -> None:
    change = replace(SHIPPED["strict"], version="2", default=a_policy(default={"block": 10}).default)
    pointer = PolicyPointer.to_shipped(SHIPPED["strict"]).moved_to(change)
    deployed.storage.work.record_policy(change)
    deployed.storage.ssm.put_parameter(Name="CFN-strict", Value=pointer.to_text(), Overwrite=True)

    deployed.invoke(s3_event(an_upload()))

    (batch_id,) = deployed.executions()
    terms = deployed.storage.work.read_terms(batch_id)
    assert terms.policies == {**SHIPPED, "strict": change}
    assert terms.min_confidence == 10


def test_the_execution_is_given_the_batchs_id_and_nothing_else(deployed: Deployed) -> None:
    deployed.invoke(s3_event(an_upload()))

    client = boto3.client("stepfunctions")
    (execution,) = client.list_executions(stateMachineArn=deployed.state_machine_arn)["executions"]
    given = client.describe_execution(executionArn=execution["executionArn"])["input"]
    assert json.loads(given) == {"batch_id": execution["name"]}


def test_a_malformed_message_alone_comes_back(deployed: Deployed) -> None:
    response = deployed.invoke(s3_event(an_upload()), "no event", s3_event(an_upload("tmp/a.jpg")))

    assert response == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert list(deployed.storage.items()) == [an_upload().identity]


def test_a_message_another_batcher_is_busy_with_comes_back(deployed: Deployed) -> None:
    deployed.calls.kill("GetParameters", "before")
    with pytest.raises(Killed):
        deployed.invoke(s3_event(an_upload()))

    response = deployed.invoke(s3_event(an_upload()), s3_event(an_upload("dog.jpg")), s3_event(an_upload()))

    failures = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
    assert failures == {"m0", "m2"}
    assert len(deployed.executions()) == 1


def test_metrics_tell_what_became_of_the_messages(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.invoke(
        *map(s3_event, uploads(3)), s3_event(an_upload("e", size=0)), s3_event(an_upload("tmp/a.jpg")), "x", "y"
    )

    output = capsys.readouterr().out
    emitted = metrics_in(output)
    assert emitted == {
        BatcherMetric.UPLOADS_BATCHED: [4],
        BatcherMetric.UPLOADS_UNSUPPORTED: [1],
        BatcherMetric.UPLOADS_IGNORED: [1],
        BatcherMetric.UPLOADS_RECLAIMED: [0],
        BatcherMetric.UPLOADS_RESUBMITTED: [0],
        BatcherMetric.MESSAGES_MALFORMED: [2],
        BatcherMetric.BATCHES_STARTED: [1],
        BatcherMetric.BATCHES_REDRIVEN: [0],
        BatcherMetric.STUCK_AFTER_SUCCESS: [0],
        BatcherMetric.POLICIES_UNKNOWN: [0],
    }
    assert emitted.keys() == EMITTED["batcher"].names
    assert dimensions_in(output) == {(*EMITTED["batcher"].dimensions, "avatars")}


def test_an_upload_that_failed_is_analyzed_again_on_demand(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.invoke(s3_event(an_upload()))
    claim = claim_from_item(deployed.storage.item(an_upload()))
    deployed.storage.table.finalize([a_verdict(Status.FAILED, claim)], None)
    capsys.readouterr()

    deployed.invoke(readmission_message(an_upload(), resubmit_of=claim.batch_id))

    assert metrics_in(capsys.readouterr().out)[BatcherMetric.UPLOADS_RESUBMITTED] == [1]
    assert deployed.storage.item(an_upload())["status"] == "PENDING"


def test_a_version_nobody_knows_is_counted_and_named(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    coming = replace(SHIPPED["standard"], version="2")
    pointer = PolicyPointer.to_shipped(coming).to_text()
    deployed.storage.ssm.put_parameter(Name="CFN-standard", Value=pointer, Type="String", Overwrite=True)

    deployed.invoke(s3_event(an_upload()))

    assert metrics_in(capsys.readouterr().out)[BatcherMetric.POLICIES_UNKNOWN] == [1]
    (warning,) = [line for line in map(json.loads, deployed.log.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert (warning["message"], warning["policy"], warning["hash"]) == ("policy unknown", "standard", coming.hash)


def test_messages_already_seen_to_are_told_apart(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.invoke(s3_event(an_upload()))
    capsys.readouterr()

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        deployed.invoke(s3_event(an_upload()))

    counts = metrics_in(capsys.readouterr().out)
    assert (counts[BatcherMetric.UPLOADS_BATCHED], counts[BatcherMetric.BATCHES_STARTED]) == ([0], [0])


def test_the_log_names_batches_and_no_objects(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    broken = s3_event(SECRET)
    broken["detail"]["object"]["size"] = "large"

    deployed.invoke(s3_event(SECRET), broken)

    written = deployed.log.getvalue()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["message"] for line in lines] == ["admitted", "malformed message"]
    assert lines[0]["counts"][BatcherMetric.UPLOADS_BATCHED] == 1
    policies = {name: {"version": policy.version, "hash": policy.hash} for name, policy in SHIPPED.items()}
    assert lines[0]["batches"] == {deployed.executions()[0]: policies}
    assert lines[1]["message_id"] == "m1"
    assert SECRET.key not in written + capsys.readouterr().out


@pytest.fixture
def backfill(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> str:
    """The state machine that listed objects go to."""
    machine = boto3.client("stepfunctions").create_state_machine(
        name="backfill",
        definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/analysis",
    )["stateMachineArn"]
    monkeypatch.setenv("BACKFILL_STATE_MACHINE_ARN", machine)
    monkeypatch.setenv("OTHER_STATE_MACHINE_ARNS", f"arn:aws:states:us-east-1:123456789012:stateMachine:x,{machine}")
    forget_deployment()
    return machine


def _listing(*objects: ListedVersion) -> list[dict[str, Any]]:
    return [json.loads(listing_message(listed)) for listed in objects]


def test_listed_objects_are_judged_by_their_lane_and_analyzed_by_the_backfill(
    deployed: Deployed, backfill: str, capsys: pytest.CaptureFixture[str]
) -> None:
    response = deployed.invoke(*_listing(a_listed_version("kids/a.jpg"), a_listed_version("tmp/a.jpg")))

    assert response == {"batchItemFailures": []}
    assert deployed.executions() == []
    client = boto3.client("stepfunctions")
    (batch_id,) = [each["name"] for each in client.list_executions(stateMachineArn=backfill)["executions"]]
    ((identity, item),) = deployed.storage.items().items()
    assert identity == a_listed_upload("kids/a.jpg").identity
    assert (item["source"], item["lane"], item["batch_id"]) == ("listing", "avatars", batch_id)
    terms = deployed.storage.work.read_terms(batch_id)
    assert (terms.lane, terms.priority, terms.policy_for("kids/a.jpg")) == ("avatars", "backfill", SHIPPED["strict"])
    emitted = metrics_in(capsys.readouterr().out)
    assert emitted.keys() == EMITTED["batcher"].names | OF_LISTED_OBJECTS
    assert emitted[BatcherMetric.UPLOADS_BATCHED] == [1]


def test_uploads_with_events_stay_live(deployed: Deployed, backfill: str) -> None:
    deployed.invoke(s3_event(an_upload("new.jpg")), *_listing(a_listed_version("old.jpg")))

    client = boto3.client("stepfunctions")
    executions = {
        machine: [each["name"] for each in client.list_executions(stateMachineArn=machine)["executions"]]
        for machine in (deployed.state_machine_arn, backfill)
    }
    ((live,), (listed,)) = executions.values()
    claims = {claim_from_item(item).upload.key: item["batch_id"] for item in deployed.storage.items().values()}
    assert claims == {"new.jpg": live, "old.jpg": listed}


def test_a_listed_object_with_an_item_is_counted_and_left_alone(
    deployed: Deployed, backfill: str, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = an_upload(uploaded_at="2025-03-01T08:00:00.500Z")
    deployed.invoke(s3_event(judged))
    capsys.readouterr()

    response = deployed.invoke(*_listing(a_listed_version()))

    assert response == {"batchItemFailures": []}
    assert list(deployed.storage.items()) == [judged.identity]
    assert metrics_in(capsys.readouterr().out)[BatcherMetric.UPLOADS_KNOWN] == [1]


def test_the_late_event_of_a_listed_version_is_a_duplicate(
    deployed: Deployed, backfill: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.invoke(*_listing(a_listed_version(version_id="v1")))
    capsys.readouterr()

    deployed.invoke(s3_event(an_upload(version_id="v1", uploaded_at="2025-03-01T08:00:00.500Z")))

    assert list(deployed.storage.items()) == [a_listed_upload(version_id="v1").identity]
    assert metrics_in(capsys.readouterr().out)[BatcherMetric.UPLOADS_KNOWN] == [1]


def test_the_event_of_a_version_that_is_not_listed_is_an_upload(deployed: Deployed, backfill: str) -> None:
    deployed.invoke(*_listing(a_listed_version(version_id="v1")))
    late = an_upload(version_id="v2", uploaded_at="2025-03-01T09:00:00.500Z")

    deployed.invoke(s3_event(late))

    assert deployed.storage.item(late)["status"] == "PENDING"


def test_an_event_of_now_costs_no_look(deployed: Deployed, backfill: str) -> None:
    deployed.invoke(s3_event(an_upload(version_id="v1", uploaded_at=iso(datetime.now(UTC)))))

    assert deployed.calls.made["Query"] == 0


def test_a_batcher_that_died_after_its_claims_is_replaced(deployed: Deployed, backfill: str) -> None:
    """The message comes back, and the object keeps its place and its price."""
    deployed.calls.kill("PutObject", "before", nth=2)  # the first registers the batch
    with pytest.raises(Killed):
        deployed.invoke(*_listing(a_listed_version()))

    response = deployed.invoke(*_listing(a_listed_version()))

    assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}, "its batcher may still run"
    assert list(deployed.storage.items()) == [a_listed_upload().identity]


def test_without_the_setting_a_listed_object_is_malformed(deployed: Deployed) -> None:
    response = deployed.invoke(*_listing(a_listed_version()))

    assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert "existing_objects" in deployed.log.getvalue()


@pytest.mark.parametrize(
    "name",
    ["LANE", "POLICY_PARAMETERS", "VERDICT_TABLE", "WORK_BUCKET", "STATE_MACHINE_ARN", "OTHER_STATE_MACHINE_ARNS"],
)
def test_a_missing_setting_is_named(deployed: Deployed, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(KeyError, match=name):
        deployed.invoke(s3_event(an_upload()))


def test_a_policy_that_was_not_shipped_starts_nothing(deployed: Deployed) -> None:
    (deployed.policies / "strict.json").unlink()

    with pytest.raises(FileNotFoundError):
        deployed.invoke(s3_event(an_upload()))
    assert deployed.executions() == []
