"""Every current object has a verdict on its own bytes, or is reported; and nothing but reads is called for it."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.cli.bucket import lookup
from gatehouse.cli.bucket import reconcile_command as command
from gatehouse.cli.bucket.listed_objects import Inventory, outermost
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import version_named
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.conftest import TABLE, UPLOADS, Deployed, Run
from tests.cli.operated import DEFAULT, PICTURES, Operated
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_verdict, an_upload, item_of

DAY = timedelta(days=1)
FIELDS = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"


@pytest.fixture(params=["scan", "query"])
def operated(request: pytest.FixtureRequest, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """It is a day after every upload; and the table is so small, or so large, that one of the ways is the cheaper."""
    deployed.table_measures(items=1, size=1 if request.param == "scan" else 10**12)
    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    return Operated.of(deployed)


def store(operated: Operated, key: str, body: bytes = b"bytes") -> dict[str, Any]:
    """Store an object; gives what tells its bytes."""
    answer = operated.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
    told = {"etag": answer["ETag"].strip('"'), "version_id": version_named(answer.get("VersionId"))}
    return {**told, "uploaded_at": iso(datetime.now(UTC))}


def version(operated: Operated) -> None:
    operated.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})


def operated_lanes() -> dict[str, Any]:
    """The lanes of the deployment, as its outputs have them."""
    policies = {"policy": "standard", "policy_overrides": {}, "min_confidence": 30}
    return {lane.name: policies for lane in (DEFAULT, PICTURES)}


def report(gatehouse: Run, *arguments: str, status: int = 3) -> dict[str, Any]:
    """What `reconcile` finds."""
    result = gatehouse("reconcile", *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def standings(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(entry["lane"], entry["standing"]): entry["count"] for entry in found["standings"]}


def test_what_the_table_has_for_each_object_is_counted_by_lane(operated: Operated, gatehouse: Run) -> None:
    stored = {key: store(operated, key) for key in ("ok.jpg", "failed.jpg", "pending.jpg", "profile/new.jpg")}
    store(operated, "over.jpg", b"new bytes")
    store(operated, "tmp/no.jpg")
    store(operated, "profile/no.txt")
    operated.deployed.put(
        a_verdict(Status.APPROVED, a_claim(an_upload("ok.jpg", **stored["ok.jpg"]))),
        a_verdict(Status.FAILED, a_claim(an_upload("failed.jpg", **stored["failed.jpg"]))),
        a_claim(an_upload("pending.jpg", **stored["pending.jpg"]), batch_id="b1"),
        a_verdict(Status.APPROVED, a_claim(an_upload("over.jpg", etag="0" * 32))),
    )

    found = report(gatehouse)

    assert standings(found) == {
        ("default", "decided"): 2,
        ("default", "pending"): 1,
        ("default", "other-version"): 1,
        ("profile-pictures", "unknown"): 1,
    }
    assert (found["listed"], found["outside_every_lane"], found["without_verdict"]) == (7, 2, 3)
    assert found["pending_since"] == "2026-11-22T12:00:00.000Z"
    assert {(entry["key"], entry["standing"], entry["batch_id"]) for entry in found["examples"]} == {
        ("pending.jpg", "pending", "b1"),
        ("over.jpg", "other-version", None),
        ("profile/new.jpg", "unknown", None),
    }


@pytest.mark.parametrize("odd", [{"sequencer": "zz"}, {"uploaded_at": "today"}, {"bucket": None}], ids=str)
def test_an_item_that_is_not_ours_speaks_of_no_object(
    operated: Operated, gatehouse: Run, odd: dict[str, str | None]
) -> None:
    stored = store(operated, "odd.jpg")
    item = verdict_item(a_verdict(Status.APPROVED, a_claim(an_upload("odd.jpg", **stored))))
    operated.deployed.put_item({**item, **odd})

    assert standings(report(gatehouse)) == {("default", "other-version"): 1}


def test_people_are_told_what_to_do_about_each_kind(operated: Operated, gatehouse: Run) -> None:
    stored = store(operated, "pending.jpg")
    store(operated, "new\n.jpg")
    operated.deployed.put(a_claim(an_upload("pending.jpg", **stored)))

    text = gatehouse("reconcile", "--examples", "1").stdout

    assert "new\\n.jpg" in text
    assert "... and 1 more" in text
    assert "- 1 pending (since 2026-11-22T12:00:00.000Z): " in text
    assert "- 1 unknown: " in text
    assert "about five minutes" in " ".join(text.split())


def test_uploads_under_analysis_are_no_reason_to_worry(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(a_claim(an_upload("pending.jpg", **store(operated, "pending.jpg"))))

    found = report(gatehouse, status=0)

    assert (found["without_verdict"], found["unjudged"]) == (1, 0)


@pytest.mark.parametrize("key", ["never.jpg", "over.jpg"])
def test_an_object_whose_verdict_has_expired_is_not_taken_for_lost(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    store(operated, key)
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("over.jpg", etag="0" * 32))))
    operated.deployed.stacks(operated_lanes(), VerdictRetentionDays="2")
    assert report(gatehouse, "--prefix", key)["unjudged"] == 1

    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + 3 * DAY, pause=lambda _: None))

    found = report(gatehouse, "--prefix", key, status=0)
    assert standings(found) == {("default", "expired"): 1}
    assert (found["without_verdict"], found["unjudged"]) == (0, 0)
    assert "verdict_retention_days" in gatehouse("reconcile").stdout


def test_an_old_object_with_its_verdict_has_one(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **store(operated, "a.jpg")))))
    operated.deployed.stacks(operated_lanes(), VerdictRetentionDays="2")
    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + 3 * DAY, pause=lambda _: None))

    assert standings(report(gatehouse, status=0)) == {("default", "decided"): 1}


def test_a_file_gets_every_finding_however_few_are_shown(operated: Operated, gatehouse: Run, here: Path) -> None:
    for n in range(30):
        store(operated, f"\u202e{n}.jpg")
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("ok.jpg", **store(operated, "ok.jpg")))))

    found = report(gatehouse, "--examples", "1", "--report", "found.jsonl")

    findings = [json.loads(line) for line in (here / "found.jsonl").read_text("ascii").splitlines()]
    assert len(found["examples"]) == 1
    assert {finding["key"] for finding in findings} == {f"\u202e{n}.jpg" for n in range(30)}
    assert {finding["standing"] for finding in findings} == {"unknown"}


@pytest.mark.usefixtures("operated")
def test_no_file_is_written_over(gatehouse: Run, here: Path) -> None:
    (here / "found.jsonl").write_text("mine", "utf-8")

    result = gatehouse("reconcile", "--report", "found.jsonl")

    assert (result.exit_code, (here / "found.jsonl").read_text("utf-8")) == (1, "mine")
    assert "name a file that does not exist" in result.stderr


def test_a_bucket_whose_objects_all_have_verdicts_is_in_order(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(a_verdict(Status.BLOCKED, a_claim(an_upload("a.jpg", **store(operated, "a.jpg")))))

    result = gatehouse("reconcile")

    assert result.exit_code == 0
    assert result.stdout.endswith("\n1 listed.\nAll have their verdict.\n")
    store(operated, "tmp/no.jpg")
    assert gatehouse("reconcile").stdout.endswith("not looked up.\nAll others have their verdict.\n")


@pytest.mark.usefixtures("operated")
def test_of_an_empty_bucket_nothing_is_said_to_have_a_verdict(gatehouse: Run) -> None:
    assert gatehouse("reconcile").stdout == "0 listed.\n"


def test_a_verdict_on_another_version_with_the_same_bytes_does_not_count(operated: Operated, gatehouse: Run) -> None:
    version(operated)
    first = store(operated, "a.jpg")
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **first))))
    report(gatehouse, status=0)

    assert store(operated, "a.jpg")["etag"] == first["etag"]

    assert standings(report(gatehouse)) == {("default", "other-version"): 1}


def test_old_versions_and_deleted_objects_are_not_asked_about(operated: Operated, gatehouse: Run) -> None:
    version(operated)
    store(operated, "a.jpg")
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **store(operated, "a.jpg", b"2")))))
    store(operated, "deleted.jpg")
    operated.deployed.s3.delete_object(Bucket=UPLOADS, Key="deleted.jpg")

    found = report(gatehouse, status=0)

    assert (found["listed"], standings(found)) == (1, {("default", "decided"): 1})


def test_an_older_item_counts_where_its_version_is_current_again(operated: Operated, gatehouse: Run) -> None:
    """As when somebody has deleted the newer version."""
    version(operated)
    first, second = store(operated, "a.jpg"), store(operated, "a.jpg", b"2")
    operated.deployed.put(
        a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", "01", **first))),
        a_verdict(Status.BLOCKED, a_claim(an_upload("a.jpg", "02", **second))),
    )
    operated.deployed.s3.delete_object(Bucket=UPLOADS, Key="a.jpg", VersionId=second["version_id"])

    assert standings(report(gatehouse, status=0)) == {("default", "decided"): 1}


def test_an_object_that_was_stored_again_after_its_verdicts_upload_has_none(operated: Operated, gatehouse: Run) -> None:
    """Bytes of the same ETag need not be the same bytes, and no reader shows them on the older upload's verdict."""
    stored = store(operated, "a.jpg") | {"uploaded_at": "2001-01-01T00:00:00.000Z"}
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **stored))))

    assert standings(report(gatehouse)) == {("default", "other-version"): 1}


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
@pytest.mark.parametrize("told", [None, "null"])
def test_an_object_from_before_versioning_has_its_verdict(
    operated: Operated, gatehouse: Run, status: Any, told: str | None
) -> None:
    stored = store(operated, "a.jpg")
    operated.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": status})
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **stored | {"version_id": told}))))

    assert standings(report(gatehouse, status=0)) == {("default", "decided"): 1}


def test_a_version_of_the_same_bytes_does_not_speak_for_an_object_without_a_version(
    operated: Operated, gatehouse: Run
) -> None:
    stored = store(operated, "a.jpg")
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **stored | {"version_id": "v1"}))))

    assert standings(report(gatehouse)) == {("default", "other-version"): 1}


def test_objects_that_may_be_on_their_way_are_left_out(operated: Operated, gatehouse: Run) -> None:
    store(operated, "a.jpg")

    found = report(gatehouse, "--min-age", str(25 * 60), status=0)

    assert (found["too_young"], found["without_verdict"]) == (1, 0)
    assert report(gatehouse, "--min-age", str(23 * 60))["without_verdict"] == 1


def test_objects_before_the_time_asked_for_are_left_out(operated: Operated, gatehouse: Run) -> None:
    store(operated, "a.jpg")

    found = report(gatehouse, "--since", "12h", status=0)

    assert (found["too_old"], found["without_verdict"]) == (1, 0)
    assert report(gatehouse, "--since", "36h")["without_verdict"] == 1


@pytest.mark.parametrize(
    ("prefixes", "within", "expected"),
    [
        ([""], "", [""]),
        (["", "a/"], "", [""]),
        (["b/", "a/", "a/b/"], "", ["a/", "b/"]),
        (["a/", "ab/"], "a", ["a/", "ab/"]),
        ([""], "a/", ["a/"]),
        (["a/", "b/"], "a/x", ["a/x"]),
        (["a/"], "b", []),
    ],
)
def test_each_key_is_listed_once(prefixes: list[str], within: str, expected: list[str]) -> None:
    assert outermost(prefixes, within) == expected


def test_only_keys_under_the_prefix_are_listed(operated: Operated, gatehouse: Run) -> None:
    for key in ("a/1.jpg", "a/2.jpg", "b.jpg"):
        store(operated, key)

    assert report(gatehouse, "--prefix", "a/")["listed"] == 2


def test_keys_that_are_like_a_glob_are_listed_where_the_prefix_insists(operated: Operated, gatehouse: Run) -> None:
    for key in ("a/*.jpg", "a/1.jpg"):
        store(operated, key)

    found = report(gatehouse, "--prefix", "literal:a/*")

    assert (found["prefix"], found["listed"]) == ("a/*", 1)


@pytest.mark.usefixtures("waits")
def test_a_table_that_throttles_is_asked_again(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **store(operated, "a.jpg")))))
    operated.deployed.calls.throttle("Query", times=9)

    report(gatehouse, status=0)


def test_nothing_but_reads_is_called(operated: Operated, gatehouse: Run) -> None:
    for n in range(30):
        store(operated, f"{n}.jpg")

    report(gatehouse)

    assert set(operated.deployed.calls.made) == {
        "DescribeStacks",
        "ListStackResources",
        "GetFunctionConfiguration",
        "ListObjectVersions",
        "DescribeTable",
        "Query",
    } | ({"Scan"} if operated.deployed.calls.made["Scan"] else set())


@pytest.mark.parametrize(
    ("size", "way", "queries"),
    [(39 * 8192, "scan", 0), (39 * 8192 + 1, "query", 40), (10**12, "query", 40)],
)
def test_the_table_is_read_once_where_that_costs_less_than_a_query_for_each_object(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, gatehouse: Run, size: int, way: str, queries: int
) -> None:
    operated = Operated.of(deployed)
    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    deployed.table_measures(items=40, size=size)
    store(operated, "tmp/nobody-asks-about-it.jpg")
    judged = [an_upload(f"{n:02}.jpg", **store(operated, f"{n:02}.jpg")) for n in range(40)]
    deployed.put(*(a_verdict(Status.APPROVED, a_claim(upload)) for upload in judged))
    deployed.calls.made.clear()

    found = report(gatehouse, status=0)

    assert found["lookup"] == {"way": way, "read_units": 39 if way == "scan" else 40}
    assert (deployed.calls.made["Query"], deployed.calls.made["Scan"]) == (queries, lookup.SEGMENTS * (not queries))
    assert standings(found) == {("default", "decided"): 40}


def test_whoever_may_not_ask_how_large_the_table_is_has_every_object_looked_up(
    operated: Operated, gatehouse: Run
) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", **store(operated, "a.jpg")))))
    operated.deployed.calls.answer_always("DescribeTable", lambda _: an_error("AccessDeniedException"))

    result = gatehouse("reconcile")

    assert (result.exit_code, operated.deployed.calls.made["Scan"]) == (0, 0)
    assert "dynamodb:DescribeTable" in result.stderr


def test_what_was_judged_since_the_scan_began_is_not_reported(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, gatehouse: Run
) -> None:
    operated = Operated.of(deployed)
    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    uploads = [an_upload(key, **store(operated, key)) for key in ("new.jpg", "pending.jpg", "lost.jpg")]
    deployed.put(a_claim(uploads[1]))

    def judge() -> None:
        deployed.put(*(a_verdict(Status.APPROVED, a_claim(upload)) for upload in uploads[:2]))

    deployed.calls.interrupt("Query", judge, nth=1)

    assert standings(report(gatehouse)) == {("default", "decided"): 2, ("default", "unknown"): 1}
    assert deployed.calls.made["Scan"]


_STATUSES = st.sampled_from([None, "claim", Status.APPROVED, Status.FAILED])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_STATUSES, _STATUSES, st.booleans()), max_size=12), st.sampled_from(["", "0", "1"]))
def test_both_ways_find_the_same(
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    gatehouse: Run,
    objects: list[tuple[Status | str | None, Status | str | None, bool]],
    prefix: str,
) -> None:
    """Of each object: what the table has of an earlier upload, of the current one, and whether that is misshapen."""
    operated = Operated.of(deployed)
    monkeypatch.setattr(command, "CLOCK", Clock(now=lambda: datetime.now(UTC) + DAY, pause=lambda _: None))
    for identity in deployed.items():
        deployed.dynamodb.delete_item(
            TableName=TABLE, Key={"object": {"S": identity[0]}, "version": {"S": identity[1]}}
        )
    for entry in deployed.s3.list_objects_v2(Bucket=UPLOADS).get("Contents", []):
        deployed.s3.delete_object(Bucket=UPLOADS, Key=entry["Key"])
    for n, (earlier, current, is_misshapen) in enumerate(objects):
        key = f"{n:02}.jpg"
        stored = store(operated, key)
        for status, upload in (
            (earlier, an_upload(key, etag="0" * 32, sequencer="1")),
            (current, an_upload(key, sequencer="2", **stored)),
        ):
            if status is not None:
                held = a_claim(upload) if isinstance(status, str) and status == "claim" else None
                item = item_of(held or a_verdict(Status(status), a_claim(upload)))
                deployed.put_item({**item, "bucket": None} if is_misshapen and status is current else item)

    found = []
    for size in (1, 10**12):
        deployed.table_measures(items=1, size=size)
        result = gatehouse("reconcile", "--prefix", prefix, "--output", "json")
        document = json.loads(result.stdout)
        found.append((result.exit_code, {name: value for name, value in document.items() if name != "lookup"}))

    assert found[0] == found[1]


def inventory(folder: Path, rows: Iterable[Iterable[str]], fields: str = FIELDS, **changed: Any) -> str:
    """An inventory as S3 leaves it in a bucket; returns the path of its manifest."""
    data, dated = folder / "config" / "data", folder / "config" / "2026-11-25T01-00Z"
    data.mkdir(parents=True)
    dated.mkdir()
    lines = "".join(",".join(f'"{value}"' for value in row) + "\n" for row in rows)
    (data / "d8d9.csv.gz").write_bytes(gzip.compress(lines.encode()))
    manifest = {
        "sourceBucket": UPLOADS,
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": fields,
        "files": [{"key": "some/prefix/uploads/config/data/d8d9.csv.gz", "size": 1, "MD5checksum": "0"}],
    }
    (dated / "manifest.json").write_text(json.dumps(manifest | changed), "utf-8")
    return str(dated / "manifest.json")


def row(key: str, version_id: str = "", latest: str = "true", marker: str = "false", etag: str = "e") -> list[str]:
    return [UPLOADS, quote_plus(key), version_id, latest, marker, "5", "2026-01-01T00:00:00.000Z", etag, "STANDARD"]


def test_an_inventory_takes_the_place_of_listing(operated: Operated, gatehouse: Run, here: Path) -> None:
    keys = ["a b+%41ü.jpg", "profile/x.jpg"]
    operated.deployed.put(
        a_verdict(Status.APPROVED, a_claim(an_upload(keys[0], version_id="v2", etag="e"))),
        a_verdict(Status.APPROVED, a_claim(an_upload(keys[1], version_id="v1", etag="e"))),
    )
    rows = [row(keys[0], "v2"), row(keys[0], "v1", "false"), row("gone.jpg", "v3", "true", "true"), row(keys[1], "v9")]

    found = report(gatehouse, "--inventory", inventory(here, rows))

    assert standings(found) == {("default", "decided"): 1, ("profile-pictures", "other-version"): 1}
    assert operated.deployed.calls.made["ListObjectVersions"] == 0


@pytest.mark.usefixtures("operated")
def test_objects_give_no_orders_to_the_terminal(gatehouse: Run, here: Path) -> None:
    text = gatehouse("reconcile", "--inventory", inventory(here, [row("\x1b[2J\u202egpj\x9b.jpg", "v1")])).stdout

    assert "\\x1b[2J\\u202egpj\\x9b.jpg" in text
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)


def test_an_inventory_of_current_versions_is_compared_by_etag(operated: Operated, gatehouse: Run, here: Path) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", version_id="v1", etag="e1"))))
    rows = [[UPLOADS, "a.jpg", "5", "2026-01-01T00:00:00.000Z", "e1"], [UPLOADS, "b.jpg", "5", "2026-01-01", "e2"]]
    manifest = inventory(here, rows, "Bucket, Key, Size, LastModifiedDate, ETag")

    assert standings(report(gatehouse, "--inventory", manifest)) == {
        ("default", "decided"): 1,
        ("default", "unknown"): 1,
    }
    assert report(gatehouse, "--inventory", manifest, "--prefix", "a", status=0)["listed"] == 1


@pytest.mark.parametrize("told", ["", "null"])
def test_an_inventory_names_no_version_in_more_than_one_way(
    operated: Operated, gatehouse: Run, here: Path, told: str
) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg", etag="e"))))

    found = report(gatehouse, "--inventory", inventory(here, [row("a.jpg", told)]), status=0)

    assert standings(found) == {("default", "decided"): 1}


def test_an_inventory_of_another_bucket_is_not_compared(operated: Operated, gatehouse: Run, here: Path) -> None:
    result = gatehouse("reconcile", "--inventory", inventory(here, [row("a.jpg")], sourceBucket="other"))

    assert (result.exit_code, result.stdout) == (1, "")
    assert "is an inventory of other, but gatehouse watches uploads" in result.stderr
    assert operated.deployed.calls.made["Query"] == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fileFormat": "Parquet"}, "The inventory is in Parquet; configure one in CSV"),
        ({"fileSchema": "Bucket, Key"}, "The inventory lacks Size, LastModifiedDate, ETag; configure one in CSV"),
        ({"files": [{"key": "x/lost.csv.gz"}]}, r"lost.csv.gz of the inventory is neither beside"),
        ({"files": None}, "is not the manifest of an S3 Inventory"),
        ({"fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag"}, r"d8d9.csv.gz does not match"),
    ],
)
def test_an_inventory_that_cannot_be_used_is_told(here: Path, changed: dict[str, Any], message: str) -> None:
    manifest = Path(inventory(here, [row("a.jpg")], **changed))

    with pytest.raises(CommandError, match=message):
        list(Inventory(manifest).objects([""]))


DAMAGES = {
    "no gzip": b"not gzip",
    "fewer columns": gzip.compress(b'"a","b"\n'),
    "cut off": gzip.compress(b"x" * 999)[:-9],
    "overwritten": gzip.compress(b"x" * 999)[:10] + b"\xff" * 20,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)  # what is compressed has the time in it
def test_a_damaged_inventory_is_told(here: Path, damage: bytes) -> None:
    manifest = Path(inventory(here, [row("a.jpg")]))
    (here / "config" / "data" / "d8d9.csv.gz").write_bytes(damage)

    with pytest.raises(CommandError, match="download both again"):
        list(Inventory(manifest).objects([""]))
