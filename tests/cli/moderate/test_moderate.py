"""`gatehouse moderate`: counts before it asks, sends each object once however it is killed, and says what is left."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.moderate import going_on, moderation, send_run
from gatehouse.cli.moderate.moderation_files import ModerationFiles
from gatehouse.cli.moderate.paid_calls import least_calls, most_calls
from gatehouse.moderation.image_format import DEFAULT_FORMATS, ImageFormat
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import FIRST
from gatehouse.moderation.upload_event import parse_event
from tests.cli.conftest import UPLOADS, WORK, Deployed, Run, queue_url
from tests.cli.test_permissions import granted, used
from tests.unit.aws_calls import Killed
from tests.unit.builders import a_claim, a_lane, a_verdict, an_upload

#: Objects of a part in these tests.
PART = 5


@dataclass
class Pipeline:
    """Judges what is sent to the backfill queues, as the batcher and Results do.

    Attributes:
        sent: how often each key was sent.
        judges: whether a key gets a verdict.
    """

    deployed: Deployed
    sent: Counter[str] = field(default_factory=Counter)
    judges: Callable[[str], bool] = lambda key: True
    queues: set[str] = field(default_factory=set)

    def take(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a SendMessageBatch."""
        body = json.loads(request["body"])
        self.queues.add(body["QueueUrl"])
        for entry in body["Entries"]:
            listed = parse_event(entry["MessageBody"])
            assert isinstance(listed, ListedVersion)
            self.sent[listed.key] += 1
            if self.judges(listed.key):
                self.deployed.put(a_verdict(Status.APPROVED, a_claim(listed.after(FIRST))))
        return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in body["Entries"]]}


@pytest.fixture(params=["scan", "query"])
def pipeline(request: pytest.FixtureRequest, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """The table is so small, or so large, that one of the ways to look up objects is the cheaper."""
    found = Pipeline(deployed)
    deployed.table_measures(items=1, size=1 if request.param == "scan" else 10**12)
    deployed.stacks(
        BackfillCallsPerSecond="0.5",
        BackfillQueueUrl=queue_url("Backfill"),
        BackfillDeadLetterQueueUrl=queue_url("BackfillDead"),
    )
    deployed.calls.answer_always("SendMessageBatch", found.take)
    counts = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
    deployed.calls.answer_always("GetQueueAttributes", lambda _: {"Attributes": counts})
    lane = a_lane(exclude_prefixes=("internal/",), max_size=10_000)
    deployed.calls.answer_always(
        "ListStackResources",
        lambda _: {
            "StackResourceSummaries": [
                {"ResourceType": "AWS::Lambda::Function", "LogicalResourceId": "B", "PhysicalResourceId": "batcher"}
            ]
        },
    )
    variables = {"LANE": json.dumps(lane.to_document())}
    deployed.calls.answer_always("GetFunctionConfiguration", lambda _: {"Environment": {"Variables": variables}})
    monkeypatch.setattr("gatehouse.cli.moderate.count_run.PART_SIZE", PART)
    monkeypatch.setattr(send_run, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(send_run, "DROPPED_AFTER", -1.0)
    monkeypatch.setattr("gatehouse.cli.moderate.start_command.CLOCK", Later())
    return found


class Later:
    """Two days from now: whatever a test put into the bucket is from before."""

    def now(self) -> Any:
        from datetime import UTC, datetime, timedelta

        return datetime.now(UTC) + timedelta(days=2)


def put(deployed: Deployed, *keys: str, size: int = 3) -> None:
    for key in keys:
        deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"x" * size)


def start(gatehouse: Run, *options: str) -> Result:
    return gatehouse("moderate", "start", "--yes", "--output", "json", *options)


def document(result: Result) -> Any:
    return json.loads(result.stdout)


KEYS = [f"{n:02}.jpg" for n in range(12)]


def test_every_object_is_sent_once_and_watched_to_its_end(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    put(deployed, *KEYS)

    result = start(gatehouse)

    assert result.exit_code == 0
    assert pipeline.sent == Counter(KEYS)
    assert pipeline.queues == {queue_url("Backfill")}
    found = document(result)
    assert (found["phase"], found["listed"], found["done"], found["statuses"]) == ("finished", 12, 12, {"APPROVED": 12})
    left = [entry["Key"] for entry in deployed.s3.list_objects_v2(Bucket=WORK, Prefix="moderation/")["Contents"]]
    assert left == [moderation.STATE_KEY]


def test_what_has_an_item_is_not_sent(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)
    start(gatehouse)

    again = start(gatehouse)

    assert (again.exit_code, pipeline.sent.total()) == (0, 12)
    assert document(again)["skipped"]["known"] == 12


def test_count_price_and_time_come_before_the_question(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)
    put(deployed, "empty.jpg", size=0)

    refused = gatehouse("moderate", "start", input="n\n")

    assert refused.exit_code == 1
    assert "13 objects to be moderated, for 0.01 USD at list price, in about 1 min" in " ".join(refused.stderr.split())
    assert not pipeline.sent
    assert gatehouse("moderate", "resume", "--yes").exit_code == 0
    assert pipeline.sent.total() == 13


def test_a_dry_run_writes_nothing(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)

    result = start(gatehouse, "--dry-run")

    assert document(result)["objects"] == 12
    assert deployed.s3.list_objects_v2(Bucket=WORK, Prefix="moderation/")["KeyCount"] == 0
    assert not pipeline.sent


def test_nothing_is_sent_that_costs_too_much(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)

    result = start(gatehouse, "--max-cost", "0.011")

    assert result.exit_code == 1
    assert "--max-cost" in result.stderr
    assert not pipeline.sent
    assert gatehouse("moderate", "cancel").exit_code == 0
    assert start(gatehouse, "--max-cost", "0.012").exit_code == 0


def test_without_a_terminal_it_asks_for_yes_before_it_does_anything(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    result = gatehouse("moderate", "start")

    assert (result.exit_code, deployed.calls.made["ListObjectVersions"]) == (1, 0)
    assert "--yes" in result.stderr


def test_without_the_setting_it_says_what_to_write(gatehouse: Run, deployed: Deployed) -> None:
    result = start(gatehouse)

    assert result.exit_code == 1
    assert "existing_objects: true" in result.stderr


def test_objects_are_selected(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, "in/a.jpg", "in/b.PNG", "in/c.gif", "out/d.jpg")
    put(deployed, "in/large.jpg", size=100)
    put(deployed, "in/small.jpg", size=1)

    start(gatehouse, "--prefix", "in/", "--suffix", ".jpg", "--suffix", ".png", "--larger", "1", "--smaller", "100")

    assert set(pipeline.sent) == {"in/a.jpg", "in/b.PNG"}


def test_keys_that_no_lane_takes_are_counted_and_named(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, "a.jpg", *(f"internal/{n:02}.jpg" for n in range(25)))

    result = start(gatehouse)

    found = document(result)
    assert (found["skipped"]["no-lane"], len(found["no_lane_keys"])) == (25, 20)
    assert found["no_lane_keys"][0] == "internal/00.jpg"
    assert set(pipeline.sent) == {"a.jpg"}


def test_young_objects_are_left_to_their_events(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(deployed, *KEYS)

    assert document(start(gatehouse, "--min-age", "49"))["skipped"]["too-young"] == 12
    assert not pipeline.sent


def test_what_got_no_item_is_named(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)
    pipeline.judges = lambda key: key != "07.jpg"

    result = start(gatehouse)

    found = document(result)
    assert result.exit_code == going_on.NOT_ALL
    assert (found["without_verdict"], found["without_verdict_keys"]) == (1, ["07.jpg"])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "nth"),
    [
        ("PutObject", 1),
        ("PutObject", 4),
        ("PutObject", 8),
        ("PutObject", 9),
        ("SendMessageBatch", 2),
        ("Query", 8),
        ("Scan", 1),
    ],
)
def test_a_killed_command_is_gone_on_with(
    gatehouse: Run,
    deployed: Deployed,
    pipeline: Pipeline,
    request: pytest.FixtureRequest,
    operation: str,
    nth: int,
    when: Any,
) -> None:
    put(deployed, *KEYS)
    if operation == "Scan" and request.node.callspec.params["pipeline"] == "query":
        pytest.skip("there is none")
    deployed.calls.kill(operation, when, nth)
    with pytest.raises(Killed):
        start(gatehouse)

    result = gatehouse("moderate", "resume", "--yes", "--output", "json")
    if result.exit_code == 1:  # it had not begun
        assert "moderate start" in result.stderr
        result = start(gatehouse)

    assert result.exit_code == 0
    found = document(result)
    assert (found["phase"], found["objects"], found["done"]) == ("finished", 12, 12)
    assert set(pipeline.sent) == set(KEYS)
    assert sum(count - 1 for count in pipeline.sent.values()) <= PART, "more than a part was sent twice"


def test_a_pause_from_elsewhere_stops_a_run(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(deployed, *KEYS)
    monkeypatch.setattr(send_run, "LEAD", 1)
    files = ModerationFiles(deployed.s3, WORK)

    def pause() -> None:
        def change(state: moderation.Moderation) -> None:
            state.phase = moderation.Phase.PAUSED

        files.change(change)

    deployed.calls.interrupt("SendMessageBatch", pause, nth=2)

    stopped = start(gatehouse)

    assert stopped.exit_code == going_on.NOT_ALL
    assert document(stopped)["phase"] == "paused"
    assert pipeline.sent.total() == 2 * PART
    assert document(gatehouse("moderate", "resume", "--output", "json"))["done"] == 12
    assert set(pipeline.sent) == set(KEYS)


def test_another_moderation_waits_for_the_first(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)
    start(gatehouse, "--max-cost", "0")

    refused = start(gatehouse)

    assert refused.exit_code == 1
    assert re.search("moderate resume.*moderate cancel", " ".join(refused.stderr.split()))


def test_status_pause_and_cancel_say_where_nothing_is_under_way(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    assert "Nothing" in gatehouse("moderate", "status").stdout
    for verb in ("pause", "cancel", "resume"):
        result = gatehouse("moderate", verb)
        assert (result.exit_code, "moderate start" in result.stderr) == (1, True)
    put(deployed, *KEYS)
    start(gatehouse)
    shown = gatehouse("moderate", "status")
    assert "APPROVED" in shown.stdout
    assert json.loads(gatehouse("moderate", "status", "--output", "json").stdout)["done"] == 12


def an_inventory(folder: Path, *keys: str, taken_at: str = "1") -> str:
    """An inventory of the uploads bucket with these objects; returns the path of its manifest."""
    folder.mkdir(exist_ok=True)
    rows = [f'"uploads","{key}","3","2020-01-01T00:00:00.000Z","0800fc577294c34e0b28ad2839435945"\n' for key in keys]
    (folder / "data.csv.gz").write_bytes(gzip.compress("".join(rows).encode()))
    manifest = folder / "manifest.json"
    document = {
        "sourceBucket": UPLOADS,
        "creationTimestamp": taken_at,
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag",
        "files": [{"key": "x/data/data.csv.gz"}],
    }
    manifest.write_text(json.dumps(document))
    return str(manifest)


def test_an_inventory_is_read_instead_of_listing(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, tmp_path: Path
) -> None:
    put(deployed, "a b.jpg")

    result = start(gatehouse, "--inventory", an_inventory(tmp_path, "a+b.jpg"))

    assert result.exit_code == 0
    assert (set(pipeline.sent), deployed.calls.made["ListObjectVersions"]) == ({"a b.jpg"}, 0)


def test_the_place_in_an_inventory_is_no_place_in_another(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, tmp_path: Path
) -> None:
    put(deployed, *KEYS)
    first = an_inventory(tmp_path / "first", *KEYS)
    deployed.calls.kill("PutObject", "after", 3)
    with pytest.raises(Killed):
        start(gatehouse, "--inventory", first)
    second = an_inventory(tmp_path / "second", *reversed(KEYS), taken_at="2")

    refused = gatehouse("moderate", "resume", "--yes", "--inventory", second)
    done = gatehouse("moderate", "resume", "--yes", "--inventory", first)

    assert refused.exit_code == 1
    assert "is another inventory than" in refused.stderr
    assert (done.exit_code, set(pipeline.sent)) == (0, set(KEYS))


def test_an_inventory_of_another_bucket_leaves_no_moderation_behind(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, tmp_path: Path
) -> None:
    manifest = Path(an_inventory(tmp_path, "a.jpg"))
    manifest.write_text(manifest.read_text().replace(UPLOADS, "other"))

    assert start(gatehouse, "--inventory", str(manifest)).exit_code == 1
    assert "moderate start" in gatehouse("moderate", "resume").stderr


def test_an_item_that_nobody_can_read_is_skipped_and_counted(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    put(deployed, *KEYS)
    deployed.put_item({"object": f"s3://{UPLOADS}/03.jpg", "version": "1", "status": "BLOCKED"})

    result = start(gatehouse)

    assert result.exit_code == 0
    assert document(result)["skipped"]["unreadable"] == 1
    assert set(pipeline.sent) == {*KEYS} - {"03.jpg"}


@pytest.mark.parametrize(
    ("key", "size", "formats", "least", "most"),
    [
        ("a.jpg", 3, DEFAULT_FORMATS, 1, 1),
        ("a.JPEG", 3, DEFAULT_FORMATS, 1, 1),
        ("a.gif", 3, DEFAULT_FORMATS, 1, 4),
        ("a.png", 3, DEFAULT_FORMATS, 1, 4),
        ("folder.x/a", 3, DEFAULT_FORMATS, 1, 4),
        ("a.gif", 3, (ImageFormat.WEBP,), 1, 1),
        ("a", 3, (), 1, 1),
        ("a.jpg", 20_000_000, DEFAULT_FORMATS, 1, 1),
        ("a.jpg", 20_000_000, (), 0, 0),
        ("a.gif", 60_000_000, DEFAULT_FORMATS, 0, 0),
        ("a.gif", 0, DEFAULT_FORMATS, 0, 0),
    ],
)
def test_what_an_object_costs_at_most(
    key: str, size: int, formats: tuple[ImageFormat, ...], least: int, most: int
) -> None:
    lane = a_lane(formats=formats, max_frames=4)
    listed = ListedObject(key, None, "e", size, "t")

    assert (least_calls(lane, listed), most_calls(lane, listed)) == (least, most)


def test_animations_count_against_the_ceiling_with_all_their_frames(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    put(deployed, *(f"{n:02}.gif" for n in range(10)))

    refused = start(gatehouse, "--max-cost", "0.079")
    found = document(gatehouse("moderate", "status", "--output", "json"))

    assert (refused.exit_code, pipeline.sent.total()) == (1, 0)
    assert "for 0.01 to 0.08 USD at list price" in " ".join(refused.stderr.split())
    assert (found["usd"], found["usd_at_most"], found["most_calls"]) == (0.01, 0.08, 80)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\x03", 130)])
def test_after_a_no_the_ways_on_are_named(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    put(deployed, *KEYS)
    if code == 130:
        monkeypatch.setattr("typer.confirm", interrupted)

    result = gatehouse("moderate", "start", input=answer)

    assert result.exit_code == code
    assert re.search("moderate resume.*moderate cancel", " ".join(result.stderr.split()))
    paused = gatehouse("moderate", "pause")
    assert (paused.exit_code, "It is counted" in paused.stderr) == (1, True)


def interrupted(*_: object, **__: object) -> bool:
    raise typer.Abort


def test_status_says_how_far_it_is_and_what_is_left(gatehouse: Run, deployed: Deployed, pipeline: Pipeline) -> None:
    put(deployed, *KEYS)
    start(gatehouse, "--max-cost", "0")

    def run_a_while(state: moderation.Moderation) -> None:
        state.phase, state.running_seconds = moderation.Phase.PAUSED, 60.0
        state.statuses["APPROVED"] = 6

    ModerationFiles(deployed.s3, WORK).change(run_a_while)

    shown = " ".join(gatehouse("moderate", "status").stdout.split())
    assert "Moderated 6 of 12, 0.1 a second while a command ran, so about 1 min left." in shown


def test_calls_for_a_thousand_objects_are_bounded(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatehouse.cli.moderate.count_run.PART_SIZE", 100)
    put(deployed, *(f"{n:03}.jpg" for n in range(300)))
    deployed.calls.made.clear()

    start(gatehouse)

    made = deployed.calls.made
    assert made["SendMessageBatch"] == 30
    looks = 1 if made["Scan"] else 2
    assert made["Query"] <= looks * 300 + 3, "a look to count, one at the end, and one a part to see whether it ended"
    assert made["PutObject"] <= 4 * 3 + 4
    assert made["GetObject"] <= 2 * 3 + 4


def test_the_page_has_the_permissions_that_it_needs(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline, tmp_path: Path
) -> None:
    put(deployed, *KEYS)
    pipeline.judges = lambda key: key != "07.jpg"
    start(gatehouse)
    gatehouse("moderate", "status")
    assert start(gatehouse, "--max-cost", "0").exit_code == 1
    assert gatehouse("moderate", "cancel").exit_code == 0

    # S3 says only to who may list the work bucket that there is no state yet.
    known = {"s3:ListBucket", "s3:GetBucketVersioning", "dynamodb:Scan"}
    assert used(deployed) | known == granted("moderate")


def test_the_page_has_the_permissions_that_a_look_at_it_needs(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    put(deployed, *KEYS)
    start(gatehouse)
    deployed.calls.made.clear()

    assert gatehouse("moderate", "status").exit_code == 0

    assert used(deployed) | {"s3:ListBucket"} == granted("moderate status")


def test_the_backfills_queues_are_listed_where_there_are_some(
    gatehouse: Run, deployed: Deployed, pipeline: Pipeline
) -> None:
    listed = json.loads(gatehouse("queue", "list", "--output", "json").stdout)
    kinds = {entry["queue"] for entry in listed}
    deployed.stacks()

    assert {"backfill", "backfill dead-letter"} <= kinds
    assert "existing_objects" in gatehouse("queue", "show", "--queue", "backfill").stderr


def test_upload_again_names_the_better_way(gatehouse: Run) -> None:
    assert "moderate" in gatehouse("upload-again", "-h").stdout


def test_the_state_is_read_as_it_was_written() -> None:
    from gatehouse.cli.moderate.object_selection import ObjectSelection

    state = moderation.Moderation.new(ObjectSelection("a/", suffixes=(".jpg",), larger=3), "2026-11-22", "manifest")
    state.add(a_lane(), ListedObject("a", None, "e", 3, "t"))
    state.skip(moderation.Skipped.NO_LANE, "b")
    state.statuses["APPROVED"] += 2

    assert moderation.Moderation.parse(json.dumps(state.to_document()).encode()) == state
    for broken in (b"", b"[]", b"{}", json.dumps(state.to_document() | {"phase": "x"}).encode()):
        with pytest.raises(ValueError, match="state"):
            moderation.Moderation.parse(broken)
    assert an_upload().is_listed is False
