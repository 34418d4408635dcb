"""The gate is filled, compared and repaired; commands ask, and Outcomes tags."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatehouse.aws.version_tags import VersionTags
from gatehouse.cli.clock import Clock
from gatehouse.cli.gate import check_command, gate_comparison
from gatehouse.contracts.gate_policy import gate_statements
from gatehouse.contracts.texts import gate_text
from gatehouse.moderation.gate import TAG, Gate, GateMode
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import GATE_ASKED_AT
from tests.cli.conftest import UPLOADS, WORK, Deployed, Run
from tests.cli.operated import DEFAULT, PICTURES, Operated
from tests.cli.test_permissions import granted, used
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_verdict, an_upload

DAY = timedelta(days=1)
GATE = Gate(mode=GateMode.TAG, open_prefixes=("public/",), reader_roles=("arn:aws:iam::123456789012:role/backup",))
STATEMENTS = gate_statements(
    GATE, name="gatehouse", bucket_arn=f"arn:aws:s3:::{UPLOADS}", partition="aws", account="123456789012"
)
TLS = {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
OPEN = f"{TAG}=APPROVED"


@pytest.fixture
def operated(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """A gate that closes; it is a day after every upload."""
    monkeypatch.setattr(check_command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    operated = Operated.of(deployed)
    gated(operated, GATE)
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    put_policy(operated, [TLS, *STATEMENTS])
    backed_up(operated)
    return operated


def backed_up(operated: Operated, role: str | None = None, *, resources: Sequence[str] = (), other: str = "") -> None:
    """AWS Backup has had a job for the bucket with this role, and has a plan for these resources with another one."""
    selection = {"IamRoleArn": other, "Resources": list(resources), "NotResources": []}
    for operation, answer in {
        "ListBackupJobs": {"BackupJobs": [{"IamRoleArn": role}] if role else []},
        "ListBackupPlans": {"BackupPlansList": [{"BackupPlanId": "daily"}]},
        "ListBackupSelections": {"BackupSelectionsList": [{"SelectionId": "all"}]},
        "GetBackupSelection": {"BackupSelection": selection},
    }.items():
        operated.deployed.calls.answer_always(operation, lambda _, answer=answer: dict(answer))  # type: ignore[misc]


def found_by(document: Mapping[str, Any], check: str) -> dict[str, Any]:
    finding: dict[str, Any]
    (finding,) = [each for each in document["findings"] if each["check"] == check]
    return finding


def gated(operated: Operated, gate: Gate) -> None:
    policies = {"policy": "standard", "policy_overrides": {}, "min_confidence": 30}
    operated.deployed.stacks(
        {lane.name: policies for lane in (DEFAULT, PICTURES)},
        Gate=gate_text(gate),
        GateStatements=json.dumps(STATEMENTS if gate.sets_tags else []),
    )


def put_policy(operated: Operated, statements: list[Any]) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    operated.deployed.calls.answer_always("GetBucketPolicy", lambda _: {"Policy": text})


def stored(operated: Operated, key: str, status: Status | None, tags: str = "") -> Verdict | None:
    """Store an object, with a verdict if it has a status."""
    answer = operated.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=key.encode(), Tagging=tags)
    if status is None:
        return None
    upload = an_upload(key, version_id=answer["VersionId"], etag=answer["ETag"].strip('"'))
    verdict = replace(a_verdict(claim=a_claim(upload)), status=status)
    operated.deployed.put(verdict)
    return verdict


def asked(operated: Operated) -> set[str]:
    """The keys whose tags were asked for."""
    items = operated.deployed.dynamodb.scan(TableName="verdicts")["Items"]
    return {item["key"]["S"] for item in items if GATE_ASKED_AT in item}


def compared(gatehouse: Run, *arguments: str, status: int = 0) -> dict[str, Any]:
    result = gatehouse("gate", "check", "--no-probe", *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def kinds(document: Mapping[str, Any]) -> dict[str, int]:
    return {name: count for name, count in document["standings"].items() if count}


def closed_by_invocation(operated: Operated) -> list[Any]:
    """What Outcomes is invoked with from now on."""
    payloads: list[Any] = []

    def invoke(request: Mapping[str, Any]) -> dict[str, Any]:
        payloads.append(json.loads(request["body"]))
        return {"StatusCode": 200, "Payload": _Body(json.dumps({"closed": len(payloads[-1]["close"])}).encode())}

    operated.deployed.calls.answer_always("Invoke", invoke)
    return payloads


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self) -> bytes:
        return self._content


def test_what_agrees_is_fine(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "lit.jpg", Status.APPROVED, OPEN)
    stored(operated, "closed.jpg", Status.BLOCKED)
    stored(operated, "public/any.jpg", None)

    found = compared(gatehouse)

    assert kinds(found) == {"lit": 1, "closed": 1, "open": 1}
    assert {finding["health"] for finding in found["findings"]} == {"ok"}


def test_each_way_to_differ_has_its_name(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "dark.jpg", Status.APPROVED)
    stored(operated, "exposed.jpg", Status.REVIEW, OPEN)
    stored(operated, "capitals.jpg", Status.BLOCKED, f"{TAG.upper()}=APPROVED")
    stored(operated, "forged.jpg", None, OPEN)
    stored(operated, "unmoderated.jpg", None)
    stored(operated, "tmp/outside.jpg", None)

    found = compared(gatehouse, status=3)

    assert kinds(found) == {"dark": 1, "exposed": 2, "forged": 1, "unmoderated": 1, "outside": 1}
    assert asked(operated) == set()


def test_an_older_version_without_a_verdict_is_only_counted(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "cat.jpg", None)
    stored(operated, "cat.jpg", Status.APPROVED, OPEN)

    assert kinds(compared(gatehouse)) == {"old": 1, "lit": 1}


def test_what_is_young_may_be_without_a_verdict(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "new.jpg", None)

    assert kinds(compared(gatehouse, "--min-age", str(2 * 24 * 60))) == {"young": 1}


def test_a_repair_asks_for_tags_and_has_forged_ones_removed(operated: Operated, gatehouse: Run) -> None:
    payloads = closed_by_invocation(operated)
    for name, status, tags in (
        *(("dark.jpg", Status.APPROVED, ""), ("exposed.jpg", Status.REVIEW, OPEN), ("forged.jpg", None, OPEN)),
        ("lit.jpg", Status.APPROVED, OPEN),
    ):
        stored(operated, name, status, tags)

    found = compared(gatehouse, "--repair", status=3)

    assert asked(operated) == {"dark.jpg", "exposed.jpg"}
    assert [each["key"] for payload in payloads for each in payload["close"]] == ["forged.jpg"]
    assert found["repaired"] == 3


def test_a_repair_that_outcomes_refuses_says_so(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.calls.answer_always(
        "Invoke", lambda _: {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": _Body(b"{}")}
    )
    stored(operated, "forged.jpg", None, OPEN)

    result = gatehouse("gate", "check", "--no-probe", "--repair")

    assert result.exit_code == 1
    assert "logs --function outcomes" in result.stderr


def test_an_interrupted_comparison_goes_on_where_it_was(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_comparison, "_AT_A_TIME", 2)
    for n in range(5):
        stored(operated, f"{n}.jpg", Status.APPROVED, OPEN)
    read = VersionTags.read

    def die_at_the_last(self: Any, bucket: str, key: str, version: str | None) -> Any:
        if key == "4.jpg":
            raise KeyboardInterrupt
        return read(self, bucket, key, version)

    monkeypatch.setattr(VersionTags, "read", die_at_the_last)
    assert gatehouse("gate", "check", "--no-probe").exit_code == 130
    looked_at: Counter[str] = Counter()

    def note(self: Any, bucket: str, key: str, version: str | None) -> Any:
        looked_at[key] += 1
        return read(self, bucket, key, version)

    monkeypatch.setattr(VersionTags, "read", note)
    found = compared(gatehouse)

    assert (kinds(found), set(looked_at)) == ({"lit": 5}, {"4.jpg"})
    assert operated.deployed.s3.list_objects_v2(Bucket=WORK, Prefix=gate_comparison.PLACE_KEY)["KeyCount"] == 0
    assert kinds(compared(gatehouse, "--restart")) == {"lit": 5}


def test_a_policy_that_was_changed_is_found_with_the_commands_that_mend_it(operated: Operated, gatehouse: Run) -> None:
    put_policy(operated, [TLS, *STATEMENTS[1:]])

    (finding,) = [each for each in compared(gatehouse, status=3)["findings"] if each["check"] == "gate-policy"]

    assert finding["health"] == "broken"
    assert "GatehouseGateClosed" in finding["text"]
    assert any("put-bucket-policy" in line for line in finding["fix"])


def test_a_bucket_without_versioning_is_found(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Suspended"})

    found = compared(gatehouse, status=3)

    assert "gate-versioning" in {each["check"] for each in found["findings"] if each["health"] == "broken"}


@pytest.mark.parametrize(("role", "health"), [("backup", "ok"), ("replicator", "broken")])
def test_a_role_that_replicates_has_to_be_a_reader(operated: Operated, gatehouse: Run, role: str, health: str) -> None:
    answer = {"ReplicationConfiguration": {"Role": f"arn:aws:iam::123456789012:role/{role}", "Rules": []}}
    operated.deployed.calls.answer_always("GetBucketReplication", lambda _: dict(answer))

    found = compared(gatehouse, status=0 if health == "ok" else 3)

    assert [each["health"] for each in found["findings"] if each["check"] == "gate-replication"] == [health]


@pytest.mark.parametrize(
    ("backup", "health"),
    [
        ({"role": "arn:aws:iam::123456789012:role/backup"}, "ok"),
        ({"role": "arn:aws:iam::123456789012:role/vault"}, "broken"),
        ({"resources": [f"arn:aws:s3:::{UPLOADS}"], "other": "arn:aws:iam::123456789012:role/vault"}, "broken"),
        ({"resources": ["arn:aws:s3:::other"], "other": "arn:aws:iam::123456789012:role/vault"}, "ok"),
    ],
)
def test_a_role_that_backs_up_has_to_be_a_reader(
    operated: Operated, gatehouse: Run, backup: dict[str, Any], health: str
) -> None:
    backed_up(operated, **backup)

    finding = found_by(compared(gatehouse, status=0 if health == "ok" else 3), "gate-backup")

    assert finding["health"] == health
    # What is a reader already stays one.
    assert all("role/backup, arn:aws:iam::123456789012:role/vault" in line for line in finding["fix"][:1])


def test_who_may_not_look_at_backups_is_told_so_and_no_more(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.calls.answer_always("ListBackupJobs", lambda _: an_error("AccessDeniedException", status=403))

    finding = found_by(compared(gatehouse), "gate-backup")

    assert (finding["health"], "AccessDeniedException" in finding["text"]) == ("unknown", True)


def test_an_upload_begun_before_the_policy_was_seen_is_to_be_aborted(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = operated.deployed.s3
    monkeypatch.setattr(check_command, "CLOCK", Clock(pause=lambda _: None))
    old = s3.create_multipart_upload(Bucket=UPLOADS, Key="old film.mov", Tagging=OPEN)["UploadId"]

    first = found_by(compared(gatehouse), "gate-uploads")
    monkeypatch.setattr(check_command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    begun = datetime.now(UTC) + timedelta(hours=1)
    operated.deployed.calls.answer_always(
        "ListMultipartUploads",
        lambda _: {"Uploads": [{"Key": "new.mov", "UploadId": "1", "Initiated": begun}], "IsTruncated": False},
    )
    second = found_by(compared(gatehouse), "gate-uploads")
    put_policy(operated, [TLS])
    third = found_by(compared(gatehouse, status=3), "gate-uploads")

    assert first["health"] == "warning"
    assert first["fix"] == [
        f"aws s3api abort-multipart-upload --bucket {UPLOADS} --key 'old film.mov' --upload-id {old}"
    ]
    assert second["health"] == "ok"
    assert third["health"] == "warning"


def test_after_a_deploy_uploads_are_looked_at_anew(operated: Operated, gatehouse: Run) -> None:
    s3 = operated.deployed.s3
    work: Any = {"Bucket": WORK, "Key": "gate/protection.json"}
    compared(gatehouse)
    written = json.loads(s3.get_object(**work)["Body"].read())
    s3.put_object(**work, Body=json.dumps({**written, "deployed": "2025-01-01T00:00:00+00:00"}))
    s3.create_multipart_upload(Bucket=UPLOADS, Key="film.mov")

    assert found_by(compared(gatehouse), "gate-uploads")["health"] == "warning"


def test_filling_asks_once_for_what_is_approved(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "a.jpg", Status.APPROVED)
    stored(operated, "b.jpg", Status.BLOCKED)

    dry = json.loads(gatehouse("gate", "fill", "--dry-run", "--output", "json").stdout)
    assert (dry["approved"], asked(operated)) == (1, set())
    first = json.loads(gatehouse("gate", "fill", "--yes", "--output", "json").stdout)
    second = json.loads(gatehouse("gate", "fill", "--yes", "--output", "json").stdout)
    again = json.loads(gatehouse("gate", "fill", "--yes", "--again", "--output", "json").stdout)

    assert asked(operated) == {"a.jpg"}
    assert [each["asked"] for each in (first, second, again)] == [1, 0, 1]


def test_filling_without_a_terminal_needs_a_yes(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "a.jpg", Status.APPROVED)

    result = gatehouse("gate", "fill")

    assert result.exit_code == 1
    assert "--yes" in result.stderr
    assert asked(operated) == set()


def test_the_policy_keeps_the_buckets_own_statements(operated: Operated, gatehouse: Run) -> None:
    put_policy(operated, [TLS])

    closed = json.loads(gatehouse("gate", "policy").stdout)
    opened = json.loads(gatehouse("gate", "policy", "--remove").stdout)

    assert closed["Statement"] == [TLS, *STATEMENTS]
    assert opened["Statement"] == [TLS]


def test_a_policy_too_long_for_s3_is_refused_before_s3_does(operated: Operated, gatehouse: Run) -> None:
    long = TLS | {"Resource": [f"arn:aws:s3:::{UPLOADS}/{n:0100}/*" for n in range(150)]}
    put_policy(operated, [long])

    refused = gatehouse("gate", "policy")

    assert refused.exit_code == 1
    assert "20,480" in refused.stderr
    assert "fewer or shorter roles" in " ".join(refused.stderr.split())
    assert gatehouse("gate", "policy", "--remove").exit_code == 0


def test_a_policy_that_fits_only_without_white_space_is_printed_so(operated: Operated, gatehouse: Run) -> None:
    own = len(json.dumps([TLS, *STATEMENTS], separators=(",", ":")))
    put_policy(operated, [TLS | {"Resource": "r" * (20_300 - own)}])

    printed = gatehouse("gate", "policy").stdout

    assert json.loads(printed)["Statement"][1:] == STATEMENTS
    assert len(printed.encode()) <= 20_480


@pytest.mark.parametrize("command", ["fill", "check"])
def test_without_a_gate_the_next_step_is_said(deployed: Deployed, gatehouse: Run, command: str) -> None:
    gated(Operated.of(deployed), Gate())

    result = gatehouse("gate", command)

    assert result.exit_code == 1
    assert "mode: prepare" in result.stderr


def test_upload_again_names_moderate(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "a.jpg", Status.FAILED)

    result = gatehouse("upload-again", "a.jpg", "--yes")

    assert result.exit_code == 1
    assert "moderate start" in result.stderr


@pytest.mark.parametrize("command", ["gate policy", "gate fill", "gate check"])
def test_a_command_of_the_gate_needs_what_the_page_lists(operated: Operated, gatehouse: Run, command: str) -> None:
    closed_by_invocation(operated)
    for name, status, tags in (("dark.jpg", Status.APPROVED, ""), ("forged.jpg", None, OPEN)):
        stored(operated, name, status, tags)
    operated.deployed.calls.made.clear()
    arguments = {"gate fill": ("--yes",), "gate check": ("--no-probe", "--repair"), "gate policy": ()}[command]

    assert gatehouse(*command.split(), *arguments).exit_code == (3 if command == "gate check" else 0)

    # S3 says only to who may list the work bucket that no comparison is under way.
    known = {"s3:ListBucket"} if command == "gate check" else set()
    assert used(operated.deployed) | known == granted(command)


def test_a_repair_does_not_go_on_behind_what_only_looked(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_comparison, "_AT_A_TIME", 1)
    stored(operated, "0.jpg", Status.APPROVED)
    stored(operated, "1.jpg", Status.APPROVED, OPEN)
    read = VersionTags.read

    def die(self: Any, bucket: str, key: str, version: str | None) -> Any:
        if key == "1.jpg":
            raise KeyboardInterrupt
        return read(self, bucket, key, version)

    with monkeypatch.context() as patch:
        patch.setattr(VersionTags, "read", die)
        gatehouse("gate", "check", "--no-probe")

    assert compared(gatehouse, "--repair", status=3)["repaired"] == 1
    assert asked(operated) == {"0.jpg"}


def test_what_no_lane_takes_is_shown_and_is_no_fault(operated: Operated, gatehouse: Run) -> None:
    stored(operated, "tmp/outside.jpg", None)

    assert kinds(compared(gatehouse)) == {"outside": 1}


def test_a_verdict_that_was_to_expire_is_kept_once_its_tag_is_asked_for(operated: Operated, gatehouse: Run) -> None:
    verdict = stored(operated, "a.jpg", Status.APPROVED)
    assert verdict is not None
    operated.deployed.dynamodb.update_item(
        TableName="verdicts",
        Key={"object": {"S": verdict.upload.object}, "version": {"S": verdict.upload.version}},
        UpdateExpression="SET expires_at = :soon",
        ExpressionAttributeValues={":soon": {"N": "1"}},
    )

    gatehouse("gate", "fill", "--yes")

    (item,) = operated.deployed.dynamodb.scan(TableName="verdicts")["Items"]
    assert "expires_at" not in item
