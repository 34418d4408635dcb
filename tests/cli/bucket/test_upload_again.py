"""Objects whose events are lost are told of once more, as they are, and never in place of newer ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import UPLOADS, Deployed, Run
from tests.unit.aws_calls import an_error

AWKWARD = "a b+%41\u00fc?versionId=x#.jpg"


def store(deployed: Deployed, key: str, **fields: Any) -> None:
    deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"bytes", **fields)


def head(deployed: Deployed, key: str) -> dict[str, Any]:
    found: Any = deployed.s3.head_object(Bucket=UPLOADS, Key=key)
    return {name: value for name, value in found.items() if name not in ("ResponseMetadata", "LastModified")}


def versions(deployed: Deployed) -> list[str]:
    """The keys of all versions."""
    return [version["Key"] for version in deployed.s3.list_object_versions(Bucket=UPLOADS).get("Versions", [])]


@pytest.fixture
def versioned(deployed: Deployed) -> Deployed:
    """With versioning, each copy can be counted."""
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    return deployed


def copied(gatehouse: Run, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The report of `upload-again`."""
    result = gatehouse("upload-again", *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def reported(path: Path, deployed: Deployed, **standings: str) -> str:
    """A report as `reconcile` writes it; keys without their suffix."""
    lines = []
    for name, standing in standings.items():
        modified = deployed.s3.head_object(Bucket=UPLOADS, Key=f"{name}.jpg")["LastModified"]
        lines.append(json.dumps({"key": f"{name}.jpg", "modified_at": modified.isoformat(), "standing": standing}))
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def test_an_object_stays_what_it_is(deployed: Deployed, gatehouse: Run) -> None:
    fields = {"ContentType": "image/jpeg", "CacheControl": "no-store", "Metadata": {"owner": "7"}}
    store(deployed, AWKWARD, **fields, Tagging="team=blue", StorageClass="STANDARD_IA")
    before = head(deployed, AWKWARD)

    assert copied(gatehouse, AWKWARD, "--yes")["copied"] == 1

    assert head(deployed, AWKWARD) == before
    tags = deployed.s3.get_object_tagging(Bucket=UPLOADS, Key=AWKWARD)["TagSet"]
    assert tags == [{"Key": "team", "Value": "blue"}]
    assert deployed.calls.made["CopyObject"] == 1


def test_a_versioned_object_gets_another_version(versioned: Deployed, gatehouse: Run) -> None:
    store(versioned, "a.jpg")

    copied(gatehouse, "a.jpg", "--yes")

    assert versions(versioned) == ["a.jpg", "a.jpg"]


def test_a_newer_object_is_not_written_over(versioned: Deployed, gatehouse: Run) -> None:
    store(versioned, "a.jpg")
    versioned.calls.answer_next("CopyObject", an_error("PreconditionFailed", status=412))

    report = copied(gatehouse, "a.jpg", "--yes", status=1)

    assert (report["copied"], report["changed"], report["failed_keys"]) == (0, 1, ["a.jpg"])


def test_a_key_that_is_not_there_is_told(versioned: Deployed, gatehouse: Run) -> None:
    store(versioned, "a.jpg")

    report = copied(gatehouse, "b.jpg", "a.jpg", "--yes", status=1)

    assert (report["copied"], report["failed_keys"]) == (1, ["b.jpg"])


def test_an_object_may_be_named_as_verdicts_name_it(versioned: Deployed, gatehouse: Run) -> None:
    store(versioned, "a.jpg")

    assert copied(gatehouse, f"s3://{UPLOADS}/a.jpg", "--yes")["copied"] == 1


def test_a_copy_is_made_on_the_condition_that_nothing_has_changed(deployed: Deployed, gatehouse: Run) -> None:
    store(deployed, "a.jpg")
    asked: list[dict[str, Any]] = []
    deployed.calls.answer_always("CopyObject", lambda request: asked.append(request["headers"]))

    copied(gatehouse, "a.jpg", "--yes")

    etag = head(deployed, "a.jpg")["ETag"]
    (headers,) = asked
    assert (headers["If-Match"], headers["x-amz-copy-source-if-match"]) == (etag, etag)


def test_a_report_is_followed_and_what_is_done_is_not_done_again(
    versioned: Deployed, gatehouse: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lost", "over", "pending", "old"):
        store(versioned, f"{name}.jpg")
    path = reported(
        here / "found.jsonl", versioned, lost="unknown", over="other-version", pending="pending", old="expired"
    )

    assert copied(gatehouse, "--report", path, "--yes")["copied"] == 2
    assert sorted(versions(versioned)) == ["lost.jpg", "lost.jpg", "old.jpg", "over.jpg", "over.jpg", "pending.jpg"]


@pytest.mark.parametrize("change", ["written", "deleted"])
def test_what_changed_since_the_report_is_left_alone(
    versioned: Deployed, gatehouse: Run, here: Path, change: str
) -> None:
    store(versioned, "a.jpg")
    path = here / "found.jsonl"
    line = {"key": "a.jpg", "modified_at": "2026-01-01T00:00:00.000Z", "standing": "unknown"}
    path.write_text(json.dumps(line), "utf-8")
    if change == "deleted":
        versioned.s3.delete_object(Bucket=UPLOADS, Key="a.jpg")

    assert copied(gatehouse, "--report", str(path), "--yes")["changed"] == 1
    assert versions(versioned) == ["a.jpg"]


def test_expired_ones_are_copied_if_someone_says_so(versioned: Deployed, gatehouse: Run, here: Path) -> None:
    store(versioned, "old.jpg")
    path = reported(here / "found.jsonl", versioned, old="expired")

    assert copied(gatehouse, "--report", path, "--yes")["copied"] == 0
    assert copied(gatehouse, "--report", path, "--expired", "--yes")["copied"] == 1


@pytest.mark.parametrize("arguments", [("--dry-run",), ()])
def test_nothing_is_copied_in_a_dry_run_or_without_a_yes(
    versioned: Deployed, gatehouse: Run, arguments: tuple[str, ...]
) -> None:
    store(versioned, "a.jpg")

    result = gatehouse("upload-again", "a.jpg", *arguments, input="n\n")

    assert "and analyzed at a cost: 1." in (result.stdout if arguments else result.stderr)
    assert ("Nothing was changed." in result.stderr) != bool(arguments)
    assert versions(versioned) == ["a.jpg"]


def test_a_dry_run_says_what_a_run_would_do(versioned: Deployed, gatehouse: Run, here: Path) -> None:
    for key, storage in {"a.jpg": "STANDARD", "archived.jpg": "GLACIER", "deep.jpg": "DEEP_ARCHIVE"}.items():
        store(versioned, key, StorageClass=storage)
    changed = {"key": "a.jpg", "modified_at": "2026-01-01T00:00:00.000Z", "standing": "unknown"}
    (here / "found.jsonl").write_text(json.dumps(changed), "utf-8")
    arguments = ("gone.jpg", "a.jpg", "archived.jpg", "deep.jpg", "--report", "found.jsonl")

    tried = copied(gatehouse, *arguments, "--dry-run", status=1)
    assert (versioned.calls.made["CopyObject"], tried["copied"], tried["impossible"]) == (0, 1, 2)
    assert tried["failed_keys"] == ["gone.jpg", "archived.jpg", "deep.jpg"]
    done = copied(gatehouse, *arguments, "--yes", status=1)

    assert {**tried, "dry_run": False} == done
    assert "Would not be copied:" in gatehouse("upload-again", "gone.jpg", "--dry-run").stderr


def test_an_archived_object_that_was_restored_is_copied(versioned: Deployed, gatehouse: Run) -> None:
    store(versioned, "a.jpg", StorageClass="GLACIER")
    versioned.s3.restore_object(Bucket=UPLOADS, Key="a.jpg", RestoreRequest={"Days": 1})

    assert copied(gatehouse, "a.jpg", "--dry-run")["copied"] == 1


def test_what_s3_cannot_copy_is_named_and_the_rest_is_copied(versioned: Deployed, gatehouse: Run) -> None:
    for key in ("a.jpg", "\x1b.jpg"):
        store(versioned, key)
    versioned.calls.answer_next("CopyObject", an_error("InvalidObjectState", status=403))

    result = gatehouse("upload-again", "\x1b.jpg", "--yes")
    assert result.exit_code == 1
    assert "\\x1b.jpg" in result.stderr
    assert copied(gatehouse, "a.jpg", "\x1b.jpg", "--yes")["copied"] == 2


def test_what_was_copied_is_told_when_an_error_ends_it(versioned: Deployed, gatehouse: Run) -> None:
    keys = [f"{n}.jpg" for n in range(21)]
    for key in keys:
        store(versioned, key)
    versioned.calls.interrupt(
        "CopyObject", lambda: versioned.calls.answer_next("CopyObject", an_error("AccessDenied", status=403)), nth=21
    )

    result = gatehouse("upload-again", *keys, "--yes", "--output", "json")

    assert (result.exit_code, json.loads(result.stdout)["copied"]) == (1, 20)
    assert "CopyObject was refused" in result.stderr


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("text", ["not json", "[]", '{"key": "a"}', '{"key": "a", "modified_at": "", "standing": "x"}'])
def test_a_file_that_is_no_report_is_told(gatehouse: Run, here: Path, text: str) -> None:
    (here / "found.jsonl").write_text(text, "utf-8")

    result = gatehouse("upload-again", "--report", "found.jsonl")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "was not written by" in result.stderr


def test_a_command_without_objects_says_how_to_name_them(gatehouse: Run) -> None:
    result = gatehouse("upload-again")

    assert result.exit_code == 1
    assert "write keys, or --report" in result.stderr


def test_nothing_is_copied_during_a_deploy(versioned: Deployed, gatehouse: Run) -> None:
    """The lane it is for may not be there yet."""
    store(versioned, "a.jpg")
    versioned.stack_changes["gatehouse-pipeline"] = {"StackStatus": "UPDATE_IN_PROGRESS"}

    assert gatehouse("upload-again", "a.jpg", "--yes").exit_code == 1
    assert versions(versioned) == ["a.jpg"]
