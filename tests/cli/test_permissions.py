"""The pages list the permissions that the commands need: all that their calls take, and no others."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.adapter import export_command
from gatehouse.cli.aws.upload_bucket import PictureNotShownError
from gatehouse.cli.batch import list_command as batch_list
from gatehouse.cli.batch import retry_command as retry
from gatehouse.cli.clock import Clock
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.policy import apply_command as apply
from gatehouse.cli.queue import message_queue
from gatehouse.cli.review import list_command, stats_command
from gatehouse.cli.status import status_command
from gatehouse.cli.upload import upload_command
from gatehouse.cli.verdict import list_command as list_verdicts
from gatehouse.contracts.stack_outputs import PipelineOutput
from gatehouse.contracts.texts import gate_text
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.review.bench import Bench
from tests.cli.adapter.test_adapter_commands import ARN, TRAIN, TRAINING, serve_adapters
from tests.cli.conftest import STANDARD, UPLOADS, Deployed, Run, policy_of
from tests.cli.doctor.test_doctor import KEY, encrypted_with
from tests.cli.given_up import Outcomes, message
from tests.cli.jobs.test_jobs_commands import a_job, serve, store_output
from tests.cli.judged_uploads import LATER, PatientClock, a_judged, put_object
from tests.cli.noon import make_it_noon
from tests.cli.operated import DEAD, UNSENT, Operated
from tests.cli.review.conftest import MO, acts, approved_by, in_review
from tests.unit.aws_calls import an_error
from tests.unit.builders import ADAPTER, NOON, a_claim, a_verdict, an_answer, an_upload

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "permissions.md"

_ACTION = re.compile(r"`(\w+:\w+)`")
_SERVICES = {
    "DescribeStacks": "cloudformation",
    "DescribeStackEvents": "cloudformation",
    "ListStackResources": "cloudformation",
    "GetFunctionConfiguration": "lambda",
    "GetParameters": "ssm",
    "GetParameterHistory": "ssm",
    "PutParameter": "ssm",
    "GetObject": "s3",
    "GetObjectVersion": "s3",
    "PutObject": "s3",
    "DeleteObject": "s3",
    "Query": "dynamodb",
    "GetItem": "dynamodb",
    "BatchGetItem": "dynamodb",
    "Scan": "dynamodb",
    "DescribeTable": "dynamodb",
    "UpdateItem": "dynamodb",
    "GetShardIterator": "dynamodb",
    "GetRecords": "dynamodb",
    "GetQueueAttributes": "sqs",
    "ReceiveMessage": "sqs",
    "DescribeEventBus": "events",
    "PutEvents": "events",
    "DescribeExecution": "states",
    "GetExecutionHistory": "states",
    "ListExecutions": "states",
    "ListBackupJobs": "backup",
    "ListBackupPlans": "backup",
    "ListBackupSelections": "backup",
    "GetBackupSelection": "backup",
    "ListSubscriptionsByTopic": "sns",
    "GetSubscriptionAttributes": "sns",
    "DescribeRule": "events",
    "GetFunctionRecursionConfig": "lambda",
    "GetMetricData": "cloudwatch",
    "DescribeAlarms": "cloudwatch",
    "FilterLogEvents": "logs",
    "DetectModerationLabels": "rekognition",
    "ListMediaAnalysisJobs": "rekognition",
    "GetMediaAnalysisJob": "rekognition",
    "CreateProject": "rekognition",
    "CreateProjectVersion": "rekognition",
    "DescribeProjects": "rekognition",
    "DescribeProjectVersions": "rekognition",
    "ListServiceQuotas": "servicequotas",
    "GetAccountSettings": "lambda",
    "ListEventSourceMappings": "lambda",
    "GetBucketVersioning": "s3",
    "GetBucketPolicy": "s3",
    "DescribeKey": "kms",
    "GetKeyPolicy": "kms",
    "LookupEvents": "cloudtrail",
}
#: Calls that are allowed by an action of another name (Service Authorization Reference).
_OTHER_NAMES = {
    "HeadObject": "s3:GetObject",
    "GetObjectTagging": "s3:GetObjectVersionTagging",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "HeadBucket": "s3:ListBucket",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "CopyObject": "s3:PutObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "Invoke": "lambda:InvokeFunction",
    "PublishBatch": "sns:Publish",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
#: Nobody needs a permission for these (API reference, GetCallerIdentity).
_FREE = {"GetCallerIdentity"}
#: No call of its own: with it, S3 tells that an object is not there (API reference, HeadObject, GetObject).
_TO_KNOW_WHAT_IS_MISSING = "s3:ListBucket"
#: Likewise of a version.
_TO_KNOW_WHICH_VERSION = "s3:ListBucketVersions"

V1 = policy_of(STANDARD)
STANDARD_2 = STANDARD.replace('"1"', '"2"').replace("review: 50, ", "").replace("allow", "{block: 80}")
V2 = policy_of(STANDARD_2)


def granted(command: str) -> set[str]:
    """The actions that the page says a command needs."""
    _, _, table = PAGE.read_text("utf-8").partition("| action | on | commands |\n| --- | --- | --- |\n")
    found = set()
    for row in table.partition("\n\n")[0].splitlines():
        actions, _, commands = (cell.strip() for cell in row.strip("|").split("|"))
        if (f"`{command}`" in commands) is not commands.startswith("all but "):
            found |= set(_ACTION.findall(actions))
    return found


def look() -> set[str]:
    """What the page says the commands need that look at policies."""
    (needed,) = {frozenset(granted(f"policy {verb}")) for verb in ("status", "diff", "explain", "judge")}
    return set(needed)


def used(deployed: Deployed) -> set[str]:
    """The actions that allow what was called."""
    calls = set(deployed.calls.made) - _FREE
    return {_OTHER_NAMES.get(call) or f"{_SERVICES[call]}:{call}" for call in calls}


@pytest.fixture(autouse=True)
def _count_reads_of_versions(deployed: Deployed) -> None:
    """A version is read by an operation's usual name, and allowed by an action of its own."""

    def note(request: Mapping[str, Any]) -> None:
        if "versionId" in request["query_string"]:
            deployed.calls.made["GetObjectVersion"] += 1

    deployed.calls.answer_always("GetObject", note)
    deployed.calls.answer_always("HeadObject", note)


@pytest.fixture
def uploads(deployed: Deployed, here: Path) -> None:
    """Uploads that version 2 approves, one of them deleted since, one that it blocks, and one under analysis.

    One of those that it approves was analyzed by its version.
    """
    (here / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")
    deployed.record(V1)
    deployed.put(
        a_judged("kept.jpg", {"Violence": 80.0}, V1, upload=put_object(deployed, "kept.jpg")),
        a_judged("gone.jpg", {"Violence": 80.0}, V1),
        a_judged("version.jpg", {"Violence": 80.0}, V1, upload={"version_id": "v1"}, engine=Engine.IMAGE),
        a_judged("stricter.jpg", {"Alcohol": 80.0}, V1),
        a_claim(an_upload("pending.jpg")),
    )


@pytest.mark.usefixtures("uploads")
def test_commands_that_only_look_need_what_the_page_lists(deployed: Deployed, run: Run, here: Path) -> None:
    (here / "answer.json").write_text(json.dumps(an_answer()), encoding="utf-8")
    deployed.record(V2)
    deployed.ship(V2)
    make_it_noon(deployed)  # the day the uploads were judged

    for line in (
        ("status",),
        ("explain", "kept.jpg"),
        ("explain", "kept.jpg", "--version", an_upload().version),
        ("diff", V1.hash[:8], "standard.yaml"),
        ("judge", "standard", "answer.json"),
    ):
        assert run(*line).exit_code == 0

    assert used(deployed) == look()


@pytest.mark.usefixtures("uploads")
def test_apply_needs_what_the_page_lists(deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "CLOCK", PatientClock().clock)

    result = run("apply", "standard.yaml", "--yes", "--publish", "--wait", "0")

    assert result.exit_code == 3  # one is under analysis to the end
    assert used(deployed) | {_TO_KNOW_WHAT_IS_MISSING} == granted("policy apply")


@pytest.mark.parametrize(
    "command",
    [
        *("queue list", "queue show", "queue redrive", "queue drop", "batch list", "batch show", "batch resubmit"),
        *("retry", "reconcile", "upload-again"),
    ],
)
def test_a_command_for_whoever_is_on_call_needs_what_the_page_lists(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(message_queue, "WAIT_SECONDS", 0)
    for module in (batch_list, retry):
        monkeypatch.setattr(module, "CLOCK", Clock(now=lambda: NOON))
    operated = Operated.of(deployed)
    operated.send_events()
    if command == "queue redrive":
        operated.send_events(Gate=gate_text(Gate(mode=GateMode.PREPARE)))
        blocking = decide(Status.BLOCKED, Person("alice"), Decision("spam", None), "2026-11-23T09:00:05.000Z")
        deployed.put(acted(a_verdict(claim=a_claim(an_upload("blocked.jpg"))), blocking))
    operated.put(UNSENT, Flag.of(a_verdict()).body)
    Outcomes(operated, [[1, 2, 3]])
    forgotten, unreadable = message(8, 9), UnreadableChange("s3://uploads/a.jpg", "0" * 40, "why").to_text()
    operated.put(PipelineOutput.CHANGE_FAILURE_QUEUE_URL.value, message(1, 3), forgotten, unreadable)
    failed, pending = a_claim(an_upload("failed.jpg")), a_claim(an_upload("pending.jpg"))
    operated.write_batch([failed, pending])
    deployed.put(a_verdict(Status.FAILED, failed), pending)
    operated.execute(failed.batch_id, "FAILED")
    operated.put(DEAD, *(claim.upload for claim in (failed, pending)), "not json")
    put_object(deployed, "pending.jpg")
    arguments = {
        "queue drop": ("--reason", "malformed", "--yes"),
        "upload-again": ("pending.jpg", "--yes"),
        "batch show": (failed.batch_id,),
        "batch resubmit": (failed.batch_id, "--yes"),
        "retry": ("--status", "FAILED", "--yes"),
        "reconcile": ("--min-age", "0"),
    }

    gatehouse(*command.split(), *arguments.get(command, ()))

    known = {_TO_KNOW_WHAT_IS_MISSING} if command == "upload-again" else set()
    assert used(deployed) | known == granted(command)


_ACTS = ("approve", "block", "confirm", "appeal", "report")


@pytest.mark.parametrize(
    "command",
    [f"review {verb}" for verb in ("list", "show", "history", "stats", *_ACTS)],
)
def test_a_reviewers_command_needs_what_the_page_lists(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(list_command, "CLOCK", Clock(now=lambda: NOON))
    here = an_upload("here.jpg", uploaded_at=LATER, **put_object(deployed, "here.jpg"))
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    version_id = deployed.s3.put_object(Bucket=UPLOADS, Key="version.jpg")["VersionId"]
    version = an_upload("version.jpg", version_id=version_id)
    status = {"review appeal": Status.BLOCKED, "review report": Status.APPROVED, "review confirm": Status.APPROVED}.get(
        command, Status.REVIEW
    )
    found = [a_verdict(status, a_claim(upload)) for upload in (here, version)]
    deployed.put(*(replace(verdict, is_sample=command == "review confirm") for verdict in found))
    if command == "review stats":
        monkeypatch.setattr(stats_command, "CLOCK", Clock(now=lambda: NOON))
        deployed.put(acts(in_review("decided.jpg"), approved_by(MO)))
    deployed.record(V1)
    decide = ("--reason", "spam", "--yes")
    lines: dict[str, list[tuple[str, ...]]] = {
        "review list": [(), ("--decided",), ("--samples",)],
        "review approve": [(f"here.jpg@{here.version}", f"version.jpg@{version_id}", *decide)],
        "review block": [("here.jpg", f"version.jpg@{version.version}", *decide)],
        "review stats": [("--since", "1d", "--thresholds")],
        "review confirm": [(f"here.jpg@{here.version}", f"version.jpg@{version_id}", "--yes")],
        "review appeal": [("here.jpg", f"version.jpg@{version.version}", "--yes")],
        "review report": [("here.jpg", f"version.jpg@{version.version}", "--yes")],
    }

    for arguments in lines.get(command, [("here.jpg",), (f"version.jpg@{version.version}",)]):
        gatehouse(*command.split(), *arguments)

    of_versions = {_TO_KNOW_WHAT_IS_MISSING, _TO_KNOW_WHICH_VERSION}
    known = {
        "review approve": of_versions,
        "review confirm": of_versions,
        "review stats": {_TO_KNOW_WHAT_IS_MISSING},
    }.get(command, set())
    assert used(deployed) | known == granted(command)


@pytest.mark.parametrize("command", ["jobs list", "jobs show"])
def test_looking_at_jobs_needs_what_the_page_lists(deployed: Deployed, gatehouse: Run, command: str) -> None:
    job = a_job(1, hours=-24 * 365)
    serve(deployed, job)
    store_output(deployed, 1)

    assert gatehouse(*command.split(), *(["job-1"] if command == "jobs show" else [])).exit_code == 0

    assert used(deployed) | {_TO_KNOW_WHAT_IS_MISSING} == granted(command)


@pytest.mark.parametrize("command", ["adapter export", "adapter train", "adapter list", "adapter compare"])
def test_training_an_adapter_needs_what_the_page_lists(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(export_command, "CLOCK", Clock(now=lambda: NOON))
    serve_adapters(deployed)
    deployed.record(V1)
    upload = an_upload("decided.jpg", uploaded_at=LATER, **put_object(deployed, "decided.jpg"))
    deployed.put(acts(in_review(upload), approved_by(MO)))
    arguments = {
        "adapter export": ("--to", f"s3://{TRAINING}/first", "--since", "1d", "--yes"),
        "adapter train": (*TRAIN, "--yes"),
        "adapter compare": (ARN, "--policy", "standard"),
    }

    assert gatehouse(*command.split(), *arguments.get(command, ())).exit_code in (0, 3)

    known = {
        "adapter export": {"s3:GetObject", "s3:GetObjectVersion", _TO_KNOW_WHAT_IS_MISSING},
        "adapter train": {"rekognition:CreateProject"},
        "adapter compare": {_TO_KNOW_WHAT_IS_MISSING},
    }.get(command, set())
    assert used(deployed) | known == granted(command)


def test_the_review_page_needs_what_the_page_lists(deployed: Deployed, tmp_path: Path) -> None:
    here = an_upload("here.jpg", uploaded_at=LATER, **put_object(deployed, "here.jpg"))
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    stored = deployed.s3.put_object(Bucket=UPLOADS, Key="version.jpg", Body=b"\xff\xd8\xff text")
    version = an_upload("version.jpg", version_id=stored["VersionId"])
    deployed.put(*(a_verdict(Status.REVIEW, a_claim(upload)) for upload in (here, version)))
    connection = Connection()
    clock = Clock(now=lambda: NOON)
    bench = Bench.of(connection, Deployment.find(connection), Person("mo"), clock, tmp_path / "journals")

    found = bench.waiting.next("page", bench.selection({"age": "1d"}), 9)
    assert {verdict.upload for verdict in found} == {here, version}
    for verdict in found:
        bench.shown(verdict)
        with suppress(PictureNotShownError):
            bench.uploads.picture(verdict.upload)
        bench.verdict(verdict.upload.identity)
        bench.neighbors(verdict.upload.identity)
        bench.other_versions(verdict.upload.identity)
    bench.desk.decide("page", found, Status.APPROVED, Decision("context", None), "both")
    bench.stop()

    assert bench.desk.decided == len(found)
    known = {_TO_KNOW_WHAT_IS_MISSING, _TO_KNOW_WHICH_VERSION}
    assert used(deployed) | known == granted("review open")


#: What is typed behind a command of the front door, so that it makes every call that it ever makes.
_FRONT_DOOR: dict[str, list[tuple[str, ...]]] = {
    "verdict": [("here.jpg",), ("here.jpg", "--version", an_upload().version), ("nowhere.jpg",), ("waits.jpg",)],
    "list": [(), ("--status", "APPROVED")],
    "status": [()],
    "upload": [("cat.jpg",), ("cat.jpg", "--no-wait")],
    "logs": [()],
    "export": [()],
    "doctor": [()],
}


@pytest.mark.parametrize("command", list(_FRONT_DOOR))
def test_a_command_of_the_front_door_needs_what_the_page_lists(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, here: Path, command: str
) -> None:
    for module in (list_verdicts, status_command):
        monkeypatch.setattr(module, "CLOCK", Clock(now=lambda: NOON))
    Operated.of(deployed)
    answer_front_door(deployed, here)
    put_object(deployed, "waits.jpg")
    judged = [a_verdict(claim=a_claim(an_upload(key))) for key in ("here.jpg", "cat.jpg")]
    deployed.put(judged[0])
    monkeypatch.setattr(
        upload_command, "CLOCK", PatientClock(meanwhile=[lambda: deployed.put(replace_etag(judged[1], deployed))]).clock
    )

    for arguments in _FRONT_DOOR[command]:
        assert gatehouse(*command.split(), *arguments).exit_code in ((0, 1) if command == "upload" else (0,))

    known = {_TO_KNOW_WHAT_IS_MISSING} if command == "verdict" else set()
    assert used(deployed) | known == granted(command)


def replace_etag(verdict: Verdict, deployed: Deployed) -> Verdict:
    """The verdict, on what is stored under its key now."""
    etag = deployed.s3.head_object(Bucket=UPLOADS, Key=verdict.upload.key)["ETag"].strip('"')
    return replace(verdict, claim=a_claim(replace(verdict.upload, etag=etag)))


def answer_front_door(deployed: Deployed, here: Path) -> None:
    """What commands of the front door ask about beside uploads; and a folder with settings, a policy and a file."""
    settings = f'upload_bucket: {UPLOADS}\nlanes: {{default: {{adapter: "{ADAPTER}"}}}}\n'
    (here / "policies").mkdir()
    for name, text in (("gatehouse.yaml", settings), ("policies/standard.yaml", STANDARD), ("cat.jpg", "cat")):
        (here / name).write_text(text, "utf-8")
    alarm = {"AlarmName": "gatehouse X", "StateValue": "OK", "AlarmActions": [deployed.topic_arn]}
    quota = {"QuotaName": "DetectModerationLabels per second", "QuotaCode": "L-1", "Value": 50.0}
    version = {"ProjectVersionArn": ADAPTER, "Status": "TRAINING_COMPLETED"}
    answers: dict[str, dict[str, Any]] = {
        "FilterLogEvents": {"events": []},
        "GetMetricData": {"MetricDataResults": []},
        "DescribeAlarms": {"MetricAlarms": [alarm]},
        "ListEventSourceMappings": {"EventSourceMappings": [{"UUID": "m-1", "State": "Enabled"}]},
        "DescribeRule": {"State": "ENABLED"},
        "GetFunctionRecursionConfig": {"RecursiveLoop": "Allow"},
        "DetectModerationLabels": an_error("InvalidImageFormatException"),
        "ListMediaAnalysisJobs": {"MediaAnalysisJobs": []},
        "ListServiceQuotas": {"Quotas": [quota]},
        "GetAccountSettings": {"AccountLimit": {"UnreservedConcurrentExecutions": 1000, "ConcurrentExecutions": 1000}},
        "DescribeProjects": {"ProjectDescriptions": [{"ProjectArn": ADAPTER}]},
        "DescribeProjectVersions": {"ProjectVersionDescriptions": [version]},
        "GetBucketNotificationConfiguration": {"EventBridgeConfiguration": {}},
        "HeadBucket": {"BucketRegion": "us-east-1"},
        "GetBucketEncryption": encrypted_with(KEY),
        "DescribeKey": {"KeyMetadata": {"Arn": KEY, "KeyManager": "CUSTOMER", "KeyState": "Enabled", "KeyId": "k"}},
        "GetKeyPolicy": {"Policy": "{}"},
        "LookupEvents": {"Events": []},
    }
    deployed.sns.subscribe(TopicArn=deployed.topic_arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:1:queue")
    for operation, answer in answers.items():
        deployed.calls.answer_always(operation, lambda _, answer=answer: dict(answer))  # type: ignore[misc]


def test_an_operators_policy_has_what_the_commands_that_look_need_and_no_more() -> None:
    document = json.loads((DOCS / "contracts" / "operator-policy.json").read_text("utf-8"))
    allowed: set[str] = set()
    for statement in document["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
    looks = (
        *("verdict", "list", "status", "logs", "export", "doctor", "queue list", "batch list", "batch show"),
        *("reconcile", "review list", "review show", "review history", "review stats", "jobs list", "jobs show"),
        *("moderate status", "adapter list"),
    )

    needed = {action for command in looks for action in granted(command)}
    assert allowed == needed | look()
