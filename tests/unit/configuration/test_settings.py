"""Each mistake in gatehouse.yaml ends in one line that names the place, the key and the fix."""

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.configuration.policies import PolicyCatalog, compile_policies
from gatehouse.configuration.settings import (
    LOG_RETENTION_DAYS,
    EventSettings,
    ImageEngineSettings,
    LaneSettings,
    Settings,
    load_settings,
)
from gatehouse.configuration.settings_mistakes import find_settings_mistakes
from gatehouse.configuration.settings_section import SettingsError, shown
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.lane import Lane, Priority
from gatehouse.moderation.status import FINAL, Status

ROOT = Path(__file__).resolve().parents[3]

STANDARD = """\
name: standard
version: "1"
default: {review: 60}
rules:
  Explicit:
    block: 60
    when:
      - content_types: {Illustrated: 70}
        then: {review: 45}
"""
STRICT = """\
name: strict
version: "1"
default: {review: 60}
rules:
  Violence: {review: 40, block: 80}
"""
LENIENT = """\
name: lenient
version: "1"
default: allow
"""


def catalog() -> PolicyCatalog:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("standard", STANDARD), ("strict", STRICT), ("lenient", LENIENT)):
            Path(folder, f"{name}.yaml").write_text(text, encoding="utf-8")
        return compile_policies(Path(folder))


POLICIES = catalog()


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "gatehouse.yaml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, POLICIES)


def problem_with(file: Path) -> str | None:
    try:
        load_settings(file, POLICIES)
    except SettingsError as error:
        return str(error)
    return None


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path) + "/")


def lane(line: str) -> str:
    return f"lanes:\n  default:\n    {line}\n"


def test_the_shipped_file_says_what_the_defaults_are(tmp_path: Path) -> None:
    shipped = load_settings(ROOT / "gatehouse.yaml", POLICIES)

    assert shipped == load(tmp_path, "lanes: {default: {}}") == Settings(lanes=(LaneSettings(Lane(name="default")),))


def test_the_shipped_file_shows_every_key() -> None:
    shipped = yaml.safe_load((ROOT / "gatehouse.yaml").read_text("utf-8"))

    assert set(shipped) == set(Settings.__dataclass_fields__)
    assert set(shipped["events"]) == set(EventSettings.__dataclass_fields__)
    assert set(shipped["image_engine"]) == set(ImageEngineSettings.__dataclass_fields__)
    assert set(shipped["image_engine"]["shares"]) == set(Priority)
    assert set(shipped["lanes"]["default"]) == {
        *(set(Lane.__dataclass_fields__) - {"name", "other_lanes_prefixes", "job_deadline_seconds"}),
        *(set(LaneSettings.__dataclass_fields__) - {"lane"}),
        "job_deadline_hours",
    }


def test_every_key_is_read(tmp_path: Path) -> None:
    adapter = "arn:aws:rekognition:eu-west-1:111122223333:project/p/version/v/1700000000000"
    given_settings = load(
        tmp_path,
        f"""
name: images
upload_bucket: my.bucket-1
notify: [FAILED]
events: {{bus: arn:aws:events:eu-west-1:444455556666:event-bus/pictures, statuses: [BLOCKED]}}
log_retention_days: 14
work_retention_days: 31
verdict_retention_days: 400
alarm_topic_arn: arn:aws-cn:sns:cn-north-1:111122223333:alarms
ticket_topic_arn: arn:aws-cn:sns:cn-north-1:111122223333:tickets
docs_url: https://example.com/docs
encryption_key: arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab
image_engine:
  calls_per_second: 12.5
  shares: {{fast: 10, live: 80, backfill: 5}}
backfill_batches: 7
model_version: "8.1-beta"
animation_check: false
decision_reasons: [spam, off-topic-2, other]
lanes:
  profile-pictures:
    prefixes: [p/, "literal:ü "]
    suffixes: [.JPG]
    exclude_prefixes: [p/x]
    min_size: 1
    max_size: 100
    max_wait: 300
    batch_size: 500
    max_concurrency: 7
    min_confidence: 12.5
    policy: strict
    policy_overrides: {{p/a/: standard, p/a/b/: strict}}
    adapter: {adapter}
    samples: 0.25
    engine: bulk
    priority: backfill
    job_deadline_hours: 2
""",
    )

    assert given_settings == Settings(
        name="images",
        upload_bucket="my.bucket-1",
        notify=(Status.FAILED,),
        events=EventSettings("arn:aws:events:eu-west-1:444455556666:event-bus/pictures", (Status.BLOCKED,)),
        log_retention_days=14,
        work_retention_days=31,
        verdict_retention_days=400,
        alarm_topic_arn="arn:aws-cn:sns:cn-north-1:111122223333:alarms",
        ticket_topic_arn="arn:aws-cn:sns:cn-north-1:111122223333:tickets",
        docs_url="https://example.com/docs",
        encryption_key="arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        image_engine=ImageEngineSettings(12.5, {Priority.FAST: 10, Priority.LIVE: 80, Priority.BACKFILL: 5}),
        backfill_batches=7,
        model_version="8.1-beta",
        animation_check=False,
        decision_reasons=("spam", "off-topic-2", "other"),
        lanes=(
            LaneSettings(
                Lane(
                    name="profile-pictures",
                    prefixes=("p/", "ü "),
                    suffixes=(".JPG",),
                    exclude_prefixes=("p/x",),
                    min_size=1,
                    max_size=100,
                    min_confidence=12.5,
                    adapter=adapter,
                    samples=0.25,
                    policy="strict",
                    policy_overrides=(("p/a/", "standard"), ("p/a/b/", "strict")),
                    engine=Engine.BULK,
                    priority=Priority.BACKFILL,
                    job_deadline_seconds=7200,
                ),
                max_wait=300,
                batch_size=500,
                max_concurrency=7,
            ),
        ),
    )


def test_a_lane_knows_the_longer_prefixes_of_other_lanes(tmp_path: Path) -> None:
    lanes = load(
        tmp_path, "lanes: {all: {}, a: {prefixes: [a/]}, deep: {prefixes: [a/b/, c/]}, near: {prefixes: [a]}}"
    ).lanes

    assert {lane.lane.name: lane.lane.other_lanes_prefixes for lane in lanes} == {
        "all": ("a", "a/", "a/b/", "c/"),
        "a": ("a/b/",),
        "deep": (),
        "near": ("a/", "a/b/"),
    }


def test_batches_without_a_window_are_small_unless_told_otherwise(tmp_path: Path) -> None:
    assert load(tmp_path, lane("max_wait: 0")).lanes[0].batch_size == 10


def test_a_fast_lane_is_the_image_engines_and_waits_for_nothing_unless_told_otherwise(tmp_path: Path) -> None:
    (fast,) = load(tmp_path, lane("priority: fast")).lanes
    (told,) = load(tmp_path, lane("{priority: fast, engine: image, max_wait: 5}")).lanes

    assert (fast.lane.priority, fast.lane.engine) == (Priority.FAST, Engine.IMAGE)
    assert (fast.max_wait, fast.batch_size) == (0, 10)
    assert (told.max_wait, told.batch_size) == (5, 10)


@pytest.mark.parametrize("max_wait", range(6))
def test_a_fast_lanes_batches_are_small_whatever_it_waits(tmp_path: Path, max_wait: int) -> None:
    """A batch's verdicts come together: the first upload of many would wait for the last."""
    sizes = [
        load(tmp_path, lane(f"{{priority: fast, max_wait: {max_wait}{given}}}")).lanes[0].batch_size
        for given in ("", ", batch_size: 1", ", batch_size: 10")
    ]

    assert sizes == [10, 1, 10]
    with pytest.raises(SettingsError, match="are no batch for a fast lane"):
        load(tmp_path, lane(f"{{priority: fast, max_wait: {max_wait}, batch_size: 11}}"))


@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize("priority", [Priority.LIVE, Priority.BACKFILL])
def test_a_priority_knows_bulk_if_a_lane_of_it_may_use_it(tmp_path: Path, priority: Priority, engine: Engine) -> None:
    other = Priority.BACKFILL if priority is Priority.LIVE else Priority.LIVE
    lanes = (
        f"lanes: {{a: {{prefixes: [a/], priority: {priority}, engine: image}},"
        f" b: {{prefixes: [b/], priority: {priority}, engine: {engine}}},"
        f" c: {{prefixes: [c/], priority: {other}, engine: image}}, d: {{prefixes: [d/], priority: fast}}}}"
    )

    settings = load(tmp_path, lanes)

    assert settings.knows_bulk(priority) is (engine is not Engine.IMAGE)
    assert not settings.knows_bulk(other)
    assert not settings.knows_bulk(Priority.FAST)


@pytest.mark.parametrize("priority", [Priority.LIVE, Priority.BACKFILL])
@pytest.mark.parametrize("engine", Engine)
def test_other_lanes_may_have_any_engine(tmp_path: Path, priority: Priority, engine: Engine) -> None:
    (settings,) = load(tmp_path, lane(f"{{priority: {priority}, engine: {engine}}}")).lanes

    assert (settings.lane.priority, settings.lane.engine, settings.max_wait) == (priority, engine, 60)


def test_existing_objects_take_a_share_of_the_calls_and_the_engines_of_all_lanes(tmp_path: Path) -> None:
    lanes = "lanes: {default: , chat: {prefixes: [chat/], priority: fast}}"

    without, with_them = load(tmp_path, lanes), load(tmp_path, f"existing_objects: true\n{lanes}")

    assert (without.existing_objects, without.priorities) == (False, (Priority.FAST, Priority.LIVE))
    assert with_them.priorities == tuple(Priority)
    assert (without.knows_bulk(Priority.BACKFILL), with_them.knows_bulk(Priority.BACKFILL)) == (False, True)
    assert not with_them.knows_bulk(Priority.FAST)


def test_shares_that_are_not_given_are_those_of_the_shipped_file(tmp_path: Path) -> None:
    settings = load(tmp_path, "lanes: {default: }\nimage_engine: {shares: {live: 70}}")

    assert settings.image_engine.shares == {Priority.FAST: 20, Priority.LIVE: 70, Priority.BACKFILL: 20}
    assert settings.image_engine.calls_per_second is None


def test_the_priorities_in_use_are_those_of_the_lanes_the_most_urgent_first(tmp_path: Path) -> None:
    lanes = "lanes: {a: {prefixes: [a/], priority: backfill}, b: {prefixes: [b/]}, c: {prefixes: [c/], priority: fast}}"

    assert load(tmp_path, lanes).priorities == (Priority.FAST, Priority.LIVE, Priority.BACKFILL)
    assert load(tmp_path, lane("priority: backfill")).priorities == (Priority.BACKFILL,)


MISTAKES = {
    # the file
    "lane: {}": "gatehouse.yaml:1: lane: unknown key; did you mean lanes?",
    "lanes: {}": "gatehouse.yaml:1: lanes: no lanes; without one nothing is moderated; write default: {} under lanes",
    f"lanes: {{{', '.join(f'l{n}: {{prefixes: [p{n:02}]}}' for n in range(21))}}}": (
        "gatehouse.yaml:1: lanes: 21 lanes are more than a deployment can have; "
        "keep to 20, or make another deployment with another name"
    ),
    "- a": "gatehouse.yaml:1: a list is not a mapping; write its keys indented below it",
    "lanes: [a]": "gatehouse.yaml:1: lanes: a list is not a mapping; write its keys indented below it",
    "lanes: {default: 5}": "gatehouse.yaml:1: lanes.default: 5 is not a mapping; write its keys indented below it",
    "name: [\n": "gatehouse.yaml:2: not YAML: expected the node content, but found '<stream end>'",
    "a: 1\n---\nb: 2": "gatehouse.yaml:2: not YAML: but found another document",
    "true: 1": "gatehouse.yaml:1: the key True is not text; put it in quotes",
    "a: &x [*x]": "gatehouse.yaml:1: an alias contains itself; write the value instead",
    "name: a\n\nname: b": "gatehouse.yaml:3: name is a duplicate of line 1; keep one of them",
    # keys
    "lanes: {default: }\nnotfy: []": "gatehouse.yaml:2: notfy: unknown key; did you mean notify?",
    "lanes: {default: }\nxyz: 1": "gatehouse.yaml:2: xyz: unknown key; the keys are alarm_email, "
    "alarm_topic_arn, animation_check, backfill_batches, decision_reasons, docs_url, encryption_key, events, "
    "existing_objects, gate, image_engine, lanes, log_retention_days, model_version, name, notify, ticket_topic_arn, "
    "upload_bucket, verdict_retention_days, work_retention_days",
    lane("max_waits: 60"): "gatehouse.yaml:3: lanes.default.max_waits: unknown key; did you mean max_wait?",
    # names
    "lanes: {default: }\nname: My Stack": 'gatehouse.yaml:2: name: "My Stack" does not fit; write small letters, '
    "digits and single hyphens, at most 40",
    "lanes: {default: }\nname: 5": "gatehouse.yaml:2: name: 5 is not text; write small letters, digits and single "
    "hyphens, at most 40",
    "lanes: {Default: }": "gatehouse.yaml:1: lanes.Default: not a lane's name; use small letters, digits and single "
    "hyphens, at most 24",
    "lanes: {default: }\nupload_bucket: arn:aws:s3:::b": 'gatehouse.yaml:2: upload_bucket: "arn:aws:s3:::b" does not '
    "fit; write a bucket's name, not its ARN or address",
    "lanes: {default: }\nupload_bucket: 192.168.0.1": 'gatehouse.yaml:2: upload_bucket: "192.168.0.1" does not fit; '
    "write a bucket's name, not its ARN or address",
    "lanes: {default: }\nalarm_topic_arn: arn:aws:sns:eu-west-1:111122223333:a.fifo": "gatehouse.yaml:2: "
    'alarm_topic_arn: "arn:aws:sns:eu-west-1:111122223333:a.fifo" does not fit; write the ARN of a standard SNS topic',
    "lanes: {default: }\nalarm_email: Ann <ann@example.com>": "gatehouse.yaml:2: "
    'alarm_email: "Ann <ann@example.com>" does not fit; write one e-mail address',
    "lanes: {default: }\nalarm_topic_arn: arn:aws:sns:eu-west-1:111122223333:a\nalarm_email: a@example.com": (
        "gatehouse.yaml:3: alarm_email: alarms go to alarm_topic_arn, and only a topic that Gatehouse makes has this "
        "subscriber; subscribe it to your topic and write null, or drop the topic"
    ),
    "lanes: {default: }\ndocs_url: https://example.com/docs/": "gatehouse.yaml:2: "
    'docs_url: "https://example.com/docs/" does not fit; write the address of the docs folder, https://..., without a '
    "slash at its end",
    "lanes: {default: }\nencryption_key: alias/mine": 'gatehouse.yaml:2: encryption_key: "alias/mine" does not fit; '
    "write create, or a key's own ARN (arn:aws:kms:...:key/..., no alias)",
    "lanes: {default: }\nencryption_key: true": "gatehouse.yaml:2: encryption_key: true is not text; write create, or "
    "a key's own ARN (arn:aws:kms:...:key/..., no alias) (YAML reads yes, no, on and off as true and false)",
    "lanes: {default: }\nevents: pictures": 'gatehouse.yaml:2: events: "pictures" is not a mapping; write its keys '
    "indented below it",
    "lanes: {default: }\nevents: {bus: true}": "gatehouse.yaml:2: events.bus: true is not text; write default, a bus's "
    "name, or its ARN (arn:aws:events:...:event-bus/...) (YAML reads yes, no, on and off as true and false)",
    "lanes: {default: }\nevents: {bus: my bus}": 'gatehouse.yaml:2: events.bus: "my bus" does not fit; write default, '
    "a bus's name, or its ARN (arn:aws:events:...:event-bus/...)",
    "lanes: {default: }\nevents: {bus: aws.partner/example.com/x}": "gatehouse.yaml:2: events.bus: "
    '"aws.partner/example.com/x" does not fit; write default, a bus\'s name, or its ARN '
    "(arn:aws:events:...:event-bus/...)",
    "lanes: {default: }\nevents: {bus: 'arn:aws:sns:eu-west-1:444455556666:flags'}": "gatehouse.yaml:2: events.bus: "
    '"arn:aws:sns:eu-west-1:444455556666:flags" does not fit; write default, a bus\'s name, or its ARN '
    "(arn:aws:events:...:event-bus/...)",
    "lanes: {default: }\nevents: {statuses: [PENDING]}": 'gatehouse.yaml:2: events.statuses: "PENDING" is not a final '
    "status; choose from APPROVED, BLOCKED, FAILED, REVIEW, UNSUPPORTED",
    "lanes: {default: }\nevents: {buss: default}": "gatehouse.yaml:2: events.buss: unknown key; did you mean bus?",
    "lanes: {default: }\nanimation_check: 'yes'": 'gatehouse.yaml:2: animation_check: "yes" is neither true nor false; '
    "write one of them, without quotes",
    "lanes: {default: }\nanimation_check:": "gatehouse.yaml:2: animation_check: null is neither true nor false; write "
    "one of them, without quotes",
    # lists
    "lanes: {default: }\nnotify: REVIEW": 'gatehouse.yaml:2: notify: "REVIEW" is not a list; write ["REVIEW"]',
    "lanes: {default: }\nnotify: [PENDING]": 'gatehouse.yaml:2: notify: "PENDING" is not a final status; choose from '
    "APPROVED, BLOCKED, FAILED, REVIEW, UNSUPPORTED",
    "lanes: {default: }\nnotify: [REVIEW, REVIEW]": 'gatehouse.yaml:2: notify: "REVIEW" is in the list twice; keep one '
    "of them",
    lane("suffixes: [no]"): "gatehouse.yaml:3: lanes.default.suffixes: false is not text; put it in quotes if you "
    "mean text (YAML reads yes, no, on and off as true and false)",
    lane("suffixes:"): 'gatehouse.yaml:3: lanes.default.suffixes: null is not a list; write, for example, ["a", "b"]',
    "lanes: {default: }\ndecision_reasons: []": "gatehouse.yaml:2: decision_reasons: without a reason nobody can "
    "decide; write, for example, [other]",
    "lanes: {default: }\ndecision_reasons: [Spam!]": 'gatehouse.yaml:2: decision_reasons: "Spam!" is not a '
    "reason code; use small letters and digits with single hyphens between words, at most 40",
    "lanes: {default: }\ndecision_reasons: [other, Spam!]": 'gatehouse.yaml:2: decision_reasons: "Spam!" is not a '
    "reason code; use small letters and digits with single hyphens between words, at most 40",
    f"lanes: {{default: }}\ndecision_reasons: [other, {'x' * 41}]": "gatehouse.yaml:2: decision_reasons: "
    f"{shown('x' * 41)} is not a reason code; use small letters and digits with single hyphens between words, "
    "at most 40",
    "lanes: {default: }\ndecision_reasons: [spam, spam]": 'gatehouse.yaml:2: decision_reasons: "spam" is in the list '
    "twice; keep one of them",
    f"lanes: {{default: }}\ndecision_reasons: [{', '.join(f'r{n}' for n in range(21))}]": "gatehouse.yaml:2: "
    "decision_reasons: 21 codes are too many to choose from; keep to 20; a note says the rest",
    # retention
    "lanes: {default: }\nlog_retention_days: 100": "gatehouse.yaml:2: log_retention_days: CloudWatch Logs can't keep "
    "events for 100 days; write 90 or 120",
    "lanes: {default: }\nwork_retention_days: 29": "gatehouse.yaml:2: work_retention_days: 29 is not from 30 to 3650; "
    "write days within that range",
    # the gate
    "lanes: {default: }\ngate: {mode: closed}": 'gatehouse.yaml:2: gate.mode: "closed" is not a mode; choose from '
    "none, prepare, tag",
    "lanes: {default: }\ngate: {mode: tag}\nverdict_retention_days: 30": "gatehouse.yaml:3: verdict_retention_days: a "
    "verdict that expires would close the gate for its object; write null while there is a gate",
    "lanes: {default: }\ngate: {readers: {roles: [thumbnails]}}": 'gatehouse.yaml:2: gate.readers.roles: "thumbnails" '
    "is not a role's ARN; write a role's ARN, such as arn:aws:iam::123456789012:role/thumbnails",
    'lanes: {default: }\ngate: {readers: {roles: ["arn:aws:iam::123456789012:role/*"]}}': "gatehouse.yaml:2: "
    'gate.readers.roles: "arn:aws:iam::123456789012:role/*" is every role of the account; name the roles',
    "lanes: {default: }\ngate: {readers: {vpc_endpoints: [vpc-1]}}": "gatehouse.yaml:2: gate.readers.vpc_endpoints: "
    '"vpc-1" is not the id of a VPC endpoint; write one, such as vpce-0123456789abcdef0',
    'lanes: {default: }\ngate: {open_prefixes: [""]}': "gatehouse.yaml:2: gate.open_prefixes: an empty prefix opens "
    "every key; write mode: none instead",
    'lanes: {default: }\ngate: {open_prefixes: ["literal:a*"]}': 'gatehouse.yaml:2: gate.open_prefixes: "a*" has a '
    "character that means something else in a bucket's policy; use a shorter prefix without *, ? and $",
    "lanes: {default: }\ngate: {trusted_replicators: [x]}": 'gatehouse.yaml:2: gate.trusted_replicators: "x" is not a '
    "role's ARN; write a role's ARN, such as arn:aws:iam::123456789012:role/thumbnails",
    "lanes: {default: }\ngate: {readers: {people: []}}": "gatehouse.yaml:2: gate.readers.people: unknown key; the keys "
    "are roles, vpc_endpoints",
    "lanes: {default: }\nverdict_retention_days: 0": "gatehouse.yaml:2: verdict_retention_days: 0 is not from 1 to "
    "36500; write days within that range",
    # numbers
    lane(
        "max_wait: true"
    ): "gatehouse.yaml:3: lanes.default.max_wait: true is not a whole number; write seconds from 0 to 300",
    lane(
        'max_wait: "60"'
    ): 'gatehouse.yaml:3: lanes.default.max_wait: "60" is not a whole number; write seconds from 0 to 300',
    lane(
        "max_wait: 60.0"
    ): "gatehouse.yaml:3: lanes.default.max_wait: 60.0 is not a whole number; write seconds from 0 to 300",
    lane("max_wait: 301"): "gatehouse.yaml:3: lanes.default.max_wait: 301 is not from 0 to 300; write seconds within "
    "that range",
    lane(
        "batch_size: 10001"
    ): "gatehouse.yaml:3: lanes.default.batch_size: 10001 is not from 1 to 10000; write uploads within that range",
    lane("{max_wait: 0, batch_size: 11}"): "gatehouse.yaml:3: lanes.default.batch_size: 11 uploads can't be gathered "
    "with max_wait: 0; write batch_size: 10 or max_wait: 1",
    lane("max_concurrency: 1"): "gatehouse.yaml:3: lanes.default.max_concurrency: 1 is not from 2 to 1000; write "
    "batches at a time within that range",
    lane("min_confidence: 101"): "gatehouse.yaml:3: lanes.default.min_confidence: 101 is not from 0 to 100; write "
    "percent within that range",
    lane("min_confidence: .nan"): "gatehouse.yaml:3: lanes.default.min_confidence: NaN is not a number; write percent "
    "from 0 to 100",
    lane("job_deadline_hours: 25"): "gatehouse.yaml:3: lanes.default.job_deadline_hours: 25 is not from 1 to 24; write "
    "hours within that range",
    lane("{min_size: 2, max_size: 1}"): "gatehouse.yaml:3: lanes.default.min_size: 2 is above max_size 1; swap them or "
    "drop one",
    # engines and priorities
    lane(
        "engine: magic"
    ): 'gatehouse.yaml:3: lanes.default.engine: "magic" is no engine; write one of auto, bulk, image',
    lane(
        "engine: IMAGE"
    ): 'gatehouse.yaml:3: lanes.default.engine: "IMAGE" is no engine; write one of auto, bulk, image',
    lane("engine: 1"): "gatehouse.yaml:3: lanes.default.engine: 1 is not text; write text",
    lane("engine:"): "gatehouse.yaml:3: lanes.default.engine: null is not text; write text",
    lane("priority: urgent"): 'gatehouse.yaml:3: lanes.default.priority: "urgent" is no priority; write one of fast, '
    "live, backfill",
    lane("priority: [fast]"): "gatehouse.yaml:3: lanes.default.priority: a list is not text; write text",
    lane("prority: fast"): "gatehouse.yaml:3: lanes.default.prority: unknown key; did you mean priority?",
    lane("{priority: fast, engine: bulk}"): "gatehouse.yaml:3: lanes.default.engine: a fast lane is always analyzed "
    "image by image, not by bulk; leave engine out, or write priority: live",
    lane("{priority: fast, engine: auto}"): "gatehouse.yaml:3: lanes.default.engine: a fast lane is always analyzed "
    "image by image, not by auto; leave engine out, or write priority: live",
    lane("{priority: fast, max_wait: 6}"): "gatehouse.yaml:3: lanes.default.max_wait: a fast lane does not wait 6 "
    "seconds for company; write 0 (or 5 at most), or priority: live",
    lane("{priority: fast, batch_size: 11}"): "gatehouse.yaml:3: lanes.default.batch_size: 11 uploads are no batch for "
    "a fast lane; write at most 10, or priority: live",
    lane("{priority: fast, max_wait: 5, batch_size: 10000}"): "gatehouse.yaml:3: lanes.default.batch_size: 10000 "
    "uploads are no batch for a fast lane; write at most 10, or priority: live",
    # the account's calls
    "lanes: {default: }\nimage_engine: 50": "gatehouse.yaml:2: image_engine: 50 is not a mapping; write its keys "
    "indented below it",
    "lanes: {default: }\nimage_engine: {tps: 50}": "gatehouse.yaml:2: image_engine.tps: unknown key; the keys are "
    "calls_per_second, shares",
    "lanes: {default: }\nimage_engine: {calls_per_seconds: 50}": "gatehouse.yaml:2: image_engine.calls_per_seconds: "
    "unknown key; did you mean calls_per_second?",
    "lanes: {default: }\nimage_engine: {calls_per_second: 0}": "gatehouse.yaml:2: image_engine.calls_per_second: 0 is "
    "not from 1 to 250; write calls a second within that range",
    "lanes: {default: }\nimage_engine: {calls_per_second: 251}": "gatehouse.yaml:2: image_engine.calls_per_second: "
    "251 is not from 1 to 250; write calls a second within that range",
    'lanes: {default: }\nimage_engine: {calls_per_second: "5"}': "gatehouse.yaml:2: image_engine.calls_per_second: "
    '"5" is not a number; write calls a second from 1 to 250',
    "lanes: {default: }\nimage_engine: {shares: [20, 60, 20]}": "gatehouse.yaml:2: image_engine.shares: a list is not "
    "a mapping; write its keys indented below it",
    "lanes: {default: }\nimage_engine:\n  shares:\n    live: 4": "gatehouse.yaml:4: image_engine.shares.live: 4 is "
    "not from 5 to 100; write parts within that range",
    "lanes: {default: }\nimage_engine: {shares: {live: 101}}": "gatehouse.yaml:2: image_engine.shares.live: 101 is not "
    "from 5 to 100; write parts within that range",
    "lanes: {default: }\nimage_engine: {shares: {fast: 0.5}}": "gatehouse.yaml:2: image_engine.shares.fast: 0.5 is not "
    "a whole number; write parts from 5 to 100",
    "lanes: {default: }\nimage_engine: {shares: {lives: 50}}": "gatehouse.yaml:2: image_engine.shares.lives: unknown "
    "key; did you mean live?",
    "lanes: {default: }\nimage_engine: {shares: {default: 50}}": "gatehouse.yaml:2: image_engine.shares.default: "
    "unknown key; the keys are backfill, fast, live",
    "lanes: {default: , old: {prefixes: [old/], priority: backfill}}\nimage_engine: {shares: {backfill: 5}}": (
        "gatehouse.yaml:2: image_engine.shares: backfill lanes would have 0.38 of 5 calls a second; give them more "
        "parts, raise calls_per_second, or use fewer priorities"
    ),
    "lanes: {default: , now: {prefixes: [now/], priority: fast}}\nimage_engine: {calls_per_second: 2}": (
        "gatehouse.yaml:2: image_engine.shares: fast lanes would have 0.5 of 2 calls a second; give them more parts, "
        "raise calls_per_second, or use fewer priorities"
    ),
    "lanes: {default: }\nbackfill_batches: 0": "gatehouse.yaml:2: backfill_batches: 0 is not from 1 to 20; write "
    "batches within that range",
    "lanes: {default: }\nbackfill_batches: 21": "gatehouse.yaml:2: backfill_batches: 21 is not from 1 to 20; write "
    "batches within that range",
    "lanes: {default: }\nmodel_version: 7.0": "gatehouse.yaml:2: model_version: 7.0 is not text; write a version in "
    'quotes, such as "7.0"',
    'lanes: {default: }\nmodel_version: "7 or 8"': 'gatehouse.yaml:2: model_version: "7 or 8" does not fit; write a '
    'version in quotes, such as "7.0"',
    # what a lane refers to
    lane("policy: policies/strict.yaml"): 'gatehouse.yaml:3: lanes.default.policy: "policies/strict.yaml" is a file\'s '
    "path; write the policy's name, policy: strict",
    lane("policy: strickt"): "gatehouse.yaml:3: lanes.default.policy: there is no policies/strickt.yaml; write that "
    "file, or policy: strict",
    lane("adapter: my-adapter"): 'gatehouse.yaml:3: lanes.default.adapter: "my-adapter" does not fit; write the ARN of '
    "a project version, arn:aws:rekognition:...:project/.../version/.../...",
    lane("policy_overrides: [strict]"): "gatehouse.yaml:3: lanes.default.policy_overrides: a list is not a mapping; "
    "write its keys indented below it",
    lane("policy_overrides: {kids/: strickt}"): "gatehouse.yaml:3: lanes.default.policy_overrides.kids/: there is no "
    "policies/strickt.yaml; write that file, or kids/: strict",
    lane("policy_overrides: {kids/: 1}"): "gatehouse.yaml:3: lanes.default.policy_overrides.kids/: 1 is not text; "
    "write text",
    lane("{prefixes: [a/], policy_overrides: {b/: strict}}"): "gatehouse.yaml:3: lanes.default.policy_overrides.b/: "
    "not inside any prefix of the lane; begin it with one of them, or drop it",
    lane("{exclude_prefixes: [a/], policy_overrides: {a/b/: strict}}"): "gatehouse.yaml:3: "
    "lanes.default.policy_overrides.a/b/: excluded by exclude_prefixes, so nothing under it is judged; drop it",
    lane("{prefixes: [a/], policy_overrides: {a/: strict}}"): "gatehouse.yaml:3: lanes.default.policy_overrides.a/: "
    '"a/" is the lane\'s only prefix; write policy: strict for the lane instead',
    lane('policy_overrides: {"": strict}'): 'gatehouse.yaml:3: lanes.default.policy_overrides: "" is the lane\'s only '
    "prefix; write policy: strict for the lane instead",
    lane("policy_overrides: {kids/: standard}"): "gatehouse.yaml:3: lanes.default.policy_overrides.kids/: policy "
    "standard holds there anyway; name another one, or drop it",
    lane("policy_overrides: {a/: strict, a/b/: strict}"): "gatehouse.yaml:3: lanes.default.policy_overrides.a/b/: "
    "policy strict holds there anyway; name another one, or drop it",
    "lanes:\n  one:\n    policy_overrides:\n      a/b/: strict\n  two: {prefixes: [a/]}": "gatehouse.yaml:4: "
    "lanes.one.policy_overrides.a/b/: uploads under it belong to lane two; write it there, or drop it",
    # which uploads a lane takes
    lane("prefixes: []"): "gatehouse.yaml:3: lanes.default.prefixes: an empty list takes no upload; write "
    '[""] for every key, or drop the lane',
    lane("prefixes: [a, ab]"): 'gatehouse.yaml:3: lanes.default.prefixes: "ab" lies inside "a", which the lane takes '
    "whole; drop it, or give it a lane of its own",
    lane('prefixes: [a, ""]'): 'gatehouse.yaml:3: lanes.default.prefixes: "a" lies inside "", which the lane takes '
    "whole; drop it, or give it a lane of its own",
    lane("suffixes: ['']"): "gatehouse.yaml:3: lanes.default.suffixes: an empty suffix takes every key; write [] for "
    "any suffix",
    lane(
        "suffixes: [.\u017f]"
    ): 'gatehouse.yaml:3: lanes.default.suffixes: ".\\u017f" has letters whose upper and lower '
    "case EventBridge may not know; use plain ASCII, such as .jpg",
    lane("exclude_prefixes: ['']"): 'gatehouse.yaml:3: lanes.default.exclude_prefixes: "" takes away everything under '
    'the lane\'s prefix ""; exclude something longer, or drop that prefix',
    lane("{prefixes: [a/], exclude_prefixes: [b/]}"): 'gatehouse.yaml:3: lanes.default.exclude_prefixes: "b/" is not '
    "inside any prefix of the lane; begin it with one of the lane's prefixes, or drop it",
    "lanes:\n  one: {prefixes: [a/]}\n  two:\n    prefixes: [b/, a/]": 'gatehouse.yaml:4: lanes.two.prefixes: "a/" is '
    "claimed by lane one too; give it to one of them",
    "lanes:\n  one: {}\n  two: {}": 'gatehouse.yaml:3: lanes.two.prefixes: "" is claimed by lane one too; give it to '
    "one of them",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    assert message(tmp_path, text) == MISTAKES[text]
    assert mistakes(tmp_path / "gatehouse.yaml") == [MISTAKES[text]]


def mistakes(file: Path) -> list[str]:
    return [str(mistake).removeprefix(f"{file.parent}/") for mistake in find_settings_mistakes(file, POLICIES)]


SEVERAL = """\
nam: pictures
notify: [REVIEW, REVIEWED, BLOKED]
image_engine:
  calls_per_second: 0
  tps: 5
lanes:
  Default: {}
  one:
    prefixes:
      - one/
      - /uno/
      - eins/*
    exclude_prefixes: [one/tmp/*]
    max_wait: 301
    polcy: strict
    policy_overrides:
      one/kids/*: strict
      one/all/: strickt
  two: {prefixes: [two/], min_size: 2, max_size: 1, min_confidence: 80}
model_version: 7.0
"""


def test_one_mistake_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "gatehouse.yaml").write_text(SEVERAL, encoding="utf-8")

    told = [line.split(": ")[:2] for line in mistakes(tmp_path / "gatehouse.yaml")]

    assert told == [
        ["gatehouse.yaml:1", "nam"],
        ["gatehouse.yaml:2", "notify"],
        ["gatehouse.yaml:2", "notify"],
        ["gatehouse.yaml:4", "image_engine.calls_per_second"],
        ["gatehouse.yaml:5", "image_engine.tps"],
        ["gatehouse.yaml:7", "lanes.Default"],
        ["gatehouse.yaml:11", "lanes.one.prefixes"],
        ["gatehouse.yaml:12", "lanes.one.prefixes"],
        ["gatehouse.yaml:13", "lanes.one.exclude_prefixes"],
        ["gatehouse.yaml:14", "lanes.one.max_wait"],
        ["gatehouse.yaml:15", "lanes.one.polcy"],
        ["gatehouse.yaml:17", "lanes.one.policy_overrides.one/kids/*"],
        ["gatehouse.yaml:18", "lanes.one.policy_overrides.one/all/"],
        ["gatehouse.yaml:19", "lanes.two.min_size"],
        ["gatehouse.yaml:19", "lanes.two.min_confidence"],
        ["gatehouse.yaml:20", "model_version"],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (lane("{policy: strickt, policy_overrides: {kids/: standard}, min_confidence: 47}"), ["lanes.default.policy"]),
        (lane("{prefixes: [kids/*], policy_overrides: {kids/a/: strict}}"), ["lanes.default.prefixes"]),
        ("lanes:\n  one: {prefixes: [/one/]}\n  two: {}", ["lanes.one.prefixes"]),
        ("lanes:\n  one: {prefixes: 1}\n  two: {}", ["lanes.one.prefixes"]),
        ("lanes: {default: [1]}", ["lanes.default"]),
        ("lanes: [1]", ["lanes"]),
    ],
)
def test_what_only_follows_from_a_mistake_is_not_told(tmp_path: Path, text: str, told: list[str]) -> None:
    (tmp_path / "gatehouse.yaml").write_text(text, encoding="utf-8")

    assert [line.split(": ")[1] for line in mistakes(tmp_path / "gatehouse.yaml")] == told


def test_a_default_policy_that_is_missing_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "gatehouse.yaml").write_text(lane("max_wait: 1"), encoding="utf-8")

    (mistake,) = find_settings_mistakes(tmp_path / "gatehouse.yaml", PolicyCatalog({}))

    assert "there is no policies/standard.yaml" in str(mistake)


@pytest.mark.parametrize("text", ["", "# all as it is", "lanes:", "name: gatehouse"])
def test_without_lanes_there_is_the_default_one(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == load(tmp_path, "lanes: {default: {}}")


#: What people write, and what the error tells them to write for it where keys begin with it, and where they end.
MISREAD = {
    "kids/*": ("kids/", "what keys end with"),
    "kids/**": ("kids/", "what keys end with"),
    "kids/**/*": ("kids/", "what keys end with"),
    "kids/**/*.jpg": ("what keys begin with", "what keys end with"),
    "photos/*/private/": ("what keys begin with", "what keys end with"),
    "photos/{a,b}/": ("what keys begin with", "what keys end with"),
    "{a,b}": ("what keys begin with", "what keys end with"),
    "*.{jpg,png}": ("what keys begin with", "what keys end with"),
    ".{jpg,png}": ("what keys begin with", "what keys end with"),
    "**/*.jpg": ("what keys begin with", ".jpg"),
    "./kids/": ("kids/", "kids/"),
    "^kids/": ("kids/", "kids/"),
    ".jpg$": (".jpg", ".jpg"),
    "*.jpg": ("what keys begin with", ".jpg"),
    "photo?.png": ("what keys begin with", "what keys end with"),
    "img[0-9].png": ("what keys begin with", "what keys end with"),
    "/kids/": ("kids/", "kids/"),
    " kids/": ("kids/", "kids/"),
    "kids/\t": ("kids/", "kids/"),
    "\u00a0kids/": ("kids/", "kids/"),
    "s3://bucket/kids/": ("kids/", "kids/"),
    "s3://bucket/kids/*": ("kids/", "what keys end with"),
    "s3://bucket": ("what keys begin with", "what keys end with"),
    "https://bucket.s3.amazonaws.com/kids/": ("kids/", "kids/"),
    "arn:aws:s3:::bucket/kids/": ("kids/", "kids/"),
    "/s3://bucket/": ("what keys begin with", "what keys end with"),
    "/kids of all ages/*": ('"kids of all ages/"', "what keys end with"),
    "/1/": ('"1/"', '"1/"'),
}


def misread(tmp_path: Path, key: str, written: str) -> str:
    lanes = {"default": {key: {written: "strict"} if key == "policy_overrides" else [written]}}
    return message(tmp_path, yaml.safe_dump({"lanes": lanes}, allow_unicode=True))


@pytest.mark.parametrize("written", MISREAD)
@pytest.mark.parametrize("key", ["prefixes", "suffixes", "exclude_prefixes", "policy_overrides"])
def test_a_glob_or_an_address_is_refused_with_what_to_write(tmp_path: Path, key: str, written: str) -> None:
    """Taken literally, `kids/*: strict` would leave kids/a.jpg to the milder policy."""
    told = misread(tmp_path, key, written)

    assert f"lanes.default.{key}" in told
    assert f"; write {MISREAD[written][key == 'suffixes']}" in told
    assert told.endswith("if keys contain exactly that")


def test_how_to_write_every_key_is_told_where_a_glob_takes_all(tmp_path: Path) -> None:
    assert message(tmp_path, lane('prefixes: ["*"]')) == (
        'gatehouse.yaml:3: lanes.default.prefixes: "*" is compared literally; *, ?, [...] and {...} are '
        'not wildcards here; write what keys begin with ("" takes every key), or "literal:*" if keys contain exactly '
        "that"
    )


MEDIA_TYPES = {
    "image/jpeg": ".jpg and .jpeg",
    "image/jpg": ".jpg and .jpeg",
    "IMAGE/JPEG": ".jpg and .jpeg",
    " image/png ": ".png",
    "image/tiff": ".tif and .tiff",
    "image/svg+xml": ".svg",
    "*/image/webp": ".webp",
}


@pytest.mark.parametrize("written", MEDIA_TYPES)
def test_a_media_type_is_refused_as_a_suffix_with_what_to_write(tmp_path: Path, written: str) -> None:
    """Taken as it stands no key ends with it, and nothing would be moderated."""
    told = misread(tmp_path, "suffixes", written)

    assert told.startswith("gatehouse.yaml:")
    assert told.endswith(f'; write {MEDIA_TYPES[written]}, or "literal:{written}" if keys contain exactly that')


def test_a_media_type_is_called_what_it_is(tmp_path: Path) -> None:
    assert message(tmp_path, lane("suffixes: [image/jpeg]")) == (
        'gatehouse.yaml:3: lanes.default.suffixes: "image/jpeg" is a media type, but keys end with a file suffix; '
        'write .jpg and .jpeg, or "literal:image/jpeg" if keys contain exactly that'
    )


@pytest.mark.parametrize("written", ["jpg", "literal:image/jpeg", "image/original", "my-image/jpeg", "image/jpeg.jpg"])
def test_a_suffix_that_may_end_a_key_is_taken(tmp_path: Path, written: str) -> None:
    (settings,) = load(tmp_path, lane(f"suffixes: [{written!r}]")).lanes

    assert settings.lane.suffixes == (written.removeprefix("literal:"),)


def test_keys_may_begin_like_a_media_type(tmp_path: Path) -> None:
    (settings,) = load(tmp_path, lane("prefixes: [image/png]")).lanes

    assert settings.lane.prefixes == ("image/png",)


@pytest.mark.parametrize("written", [*MISREAD, "literal:kids/"])
def test_text_that_is_meant_literally_is_taken_as_it_stands(tmp_path: Path, written: str) -> None:
    insisting = f"literal:{written}"
    lanes = {
        "one": {"prefixes": [insisting], "suffixes": [insisting]} if written.isascii() else {"prefixes": [insisting]},
        "two": {"prefixes": ["a"], "exclude_prefixes": [f"literal:a{written}"]},
        "three": {"prefixes": ["b"], "policy_overrides": {f"literal:b{written}": "strict"}},
    }

    one, two, three = load(tmp_path, yaml.safe_dump({"lanes": lanes}, allow_unicode=True, sort_keys=False)).lanes

    assert one.lane.matches(f"{written}x{written}", 1)
    assert not two.lane.matches(f"a{written}x", 1)
    assert three.lane.policy_for(f"b{written}x") == "strict"


@pytest.mark.parametrize("written", ["kids[1/", "a b/", "kids-(1)/", "{a}/", "literal", "a:b"])
def test_text_that_may_be_in_a_key_is_taken_without_insisting(tmp_path: Path, written: str) -> None:
    (settings,) = load(tmp_path, lane(f"prefixes: [{written!r}]")).lanes

    assert settings.lane.prefixes == (written,)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('suffixes: [".jpg", "literal:.jpg"]', 'suffixes: ".jpg" stands in it twice'),
        ('policy_overrides: {a/: strict, "literal:a/": lenient}', 'policy_overrides.a/: "a/" stands in it twice'),
    ],
)
def test_insisting_does_not_hide_what_is_there_twice(tmp_path: Path, line: str, told: str) -> None:
    assert message(tmp_path, lane(line)) == f"gatehouse.yaml:3: lanes.default.{told}; keep one of them"


def test_an_override_that_insists_is_held_against_other_lanes_too(tmp_path: Path) -> None:
    text = 'lanes:\n  one:\n    policy_overrides:\n      "literal:a/*": strict\n  two: {prefixes: [a/]}'

    assert message(tmp_path, text) == (
        "gatehouse.yaml:4: lanes.one.policy_overrides.literal:a/*: uploads under it belong to lane two; "
        "write it there, or drop it"
    )


def test_a_key_part_no_object_can_have_is_refused(tmp_path: Path) -> None:
    assert "is longer than an object's key; keep to 1024 bytes" in message(tmp_path, lane(f"prefixes: [{'ü' * 513}]"))


def test_a_pattern_that_eventbridge_would_refuse_is_refused(tmp_path: Path) -> None:
    prefixes = [f"folder-{number:03}/" for number in range(120)]

    assert "EventBridge takes 2048; use fewer" in message(tmp_path, lane(f"prefixes: {prefixes}"))


def test_prefixes_of_other_lanes_count_toward_the_pattern(tmp_path: Path) -> None:
    others = "".join(f"  lane{number}: {{prefixes: [{'x' * 100}{number}/]}}\n" for number in range(19))

    assert "EventBridge takes 2048; use fewer" in message(tmp_path, f"lanes:\n  default: {{}}\n{others}")


def test_a_lane_its_function_could_not_be_told_is_refused(tmp_path: Path) -> None:
    exclusions = [f"a/{number:03}-{'x' * 40}/" for number in range(80)]

    assert "bytes of its function's environment" in message(
        tmp_path, lane(f"{{prefixes: [a/], exclude_prefixes: {exclusions}}}")
    )


def test_a_lane_of_many_short_overrides_is_measured_as_lambda_does(tmp_path: Path) -> None:
    """Each of their quotes takes two bytes."""
    overrides = {f"u{number:02}/": "strict" for number in range(170)}

    assert "bytes of its function's environment, Lambda has 4096" in message(
        tmp_path, lane(f"policy_overrides: {overrides}")
    )


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read: No such file or directory; name a settings file in"):
        load_settings(tmp_path / "nothing.yaml", POLICIES)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "gatehouse.yaml").write_bytes(b"name: \xff")

    with pytest.raises(SettingsError, match=r"gatehouse.yaml:1: not YAML: 'utf-8' codec can't decode"):
        load_settings(tmp_path / "gatehouse.yaml", POLICIES)


@pytest.mark.parametrize("days", LOG_RETENTION_DAYS)
def test_every_retention_that_cloudwatch_has_is_accepted(tmp_path: Path, days: int) -> None:
    assert load(tmp_path, f"lanes: {{default: }}\nlog_retention_days: {days}").log_retention_days == days


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_scalars, inner, max_size=3)
)
_keys = st.sampled_from([*Settings.__dataclass_fields__, "nonsense"])
_lane_keys = st.sampled_from(
    [
        *("prefixes", "suffixes", "exclude_prefixes", "min_size", "max_size", "max_wait", "batch_size"),
        *("max_concurrency", "min_confidence", "policy", "policy_overrides", "adapter", "job_deadline_hours"),
        *("engine", "priority", "samples", "nonsense"),
    ]
)
_documents = st.dictionaries(_keys, _values, max_size=4) | st.builds(
    lambda lanes: {"lanes": lanes},
    st.dictionaries(st.text(max_size=4), st.dictionaries(_lane_keys, _values, max_size=4), min_size=1, max_size=3),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=_documents)
def test_whatever_the_file_holds_is_settings_or_one_line(tmp_path: Path, document: object) -> None:
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")

    problem, mistakes = problem_with(file), find_settings_mistakes(file, POLICIES)

    assert problem is None or (problem.startswith(f"{file}:") and len(problem.splitlines()) == 1)
    assert bool(mistakes) == (problem is not None)
    assert [mistake.line for mistake in mistakes] == sorted(mistake.line for mistake in mistakes)
    assert all(len(str(mistake).splitlines()) == 1 for mistake in mistakes)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
def test_whatever_text_is_in_the_file_ends_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gatehouse.yaml"
    file.write_text(text, encoding="utf-8", newline="")

    problem = problem_with(file)

    assert problem is None or len(problem.splitlines()) == 1


def test_an_override_may_lead_back_to_the_lanes_own_policy(tmp_path: Path) -> None:
    (settings,) = load(tmp_path, lane("policy_overrides: {a/: strict, a/b/: standard}")).lanes

    assert settings.lane.policy_for("a/b/c.jpg") == "standard"
    assert settings.lane.policies == ("standard", "strict")


def test_the_policies_in_use_are_those_of_all_lanes(tmp_path: Path) -> None:
    used = load(tmp_path, "lanes: {a: {prefixes: [a/], policy: strict}, b: {policy_overrides: {b/: lenient}}}")

    assert used.policies == ("lenient", "standard", "strict")
    assert used.main_lane.lane.name == "a"


MOST = {
    "{policy: strict, min_confidence: %s}": (40, "what policies/strict.yaml:5 (Violence: review at 40) judges"),
    "{policy_overrides: {kids/: strict}, min_confidence: %s}": (
        40,
        "what policies/strict.yaml:5 (Violence: review at 40) judges",
    ),
    "{min_confidence: %s}": (45, "what policies/standard.yaml:9 (Explicit: review at 45) judges"),
    "{policy: lenient, min_confidence: %s}": (50, "labels the taxonomy does not have, which are reviewed from 50"),
}


@pytest.mark.parametrize("line", MOST)
def test_rekognition_is_asked_for_all_that_the_policies_judge(tmp_path: Path, line: str) -> None:
    """A label that Rekognition never mentions would be approved."""
    most, hidden = MOST[line]

    assert load(tmp_path, lane(line % most)).lanes[0].lane.min_confidence == most
    assert message(tmp_path, lane(line % (most + 1))) == (
        f"gatehouse.yaml:3: lanes.default.min_confidence: {most + 1} hides {hidden}; write at most {most}"
    )


@pytest.mark.parametrize(
    ("rule", "told"),
    [("default: {review: 20}", "default: review at 20"), ("default: {block: 20}", "default: block at 20")],
)
def test_a_default_that_rekognition_would_hide_is_told_with_its_line(tmp_path: Path, rule: str, told: str) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "standard.yaml").write_text(f'name: standard\nversion: "1"\n{rule}\n', encoding="utf-8")
    file = tmp_path / "gatehouse.yaml"
    file.write_text("lanes: {default: {}}", encoding="utf-8")

    with pytest.raises(
        SettingsError, match=rf"30 hides what policies/standard.yaml:3 \({told}\) judges; write at most 20"
    ):
        load_settings(file, compile_policies(folder))


def test_many_policies_count_toward_what_a_function_can_be_told(tmp_path: Path) -> None:
    overrides = {f"folder-{number:03}/": ("strict", "lenient")[number % 2] for number in range(120)}

    assert "bytes of its function's environment" in message(tmp_path, lane(f"policy_overrides: {overrides}"))


@pytest.mark.parametrize(
    "text",
    [
        "name: !!int ''",
        "name: !!bool x",
        "name: !!timestamp x",
        "name: 0x" + "f" * 4000,
        "name: " + "[" * 2000,
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        'lanes: {default: {prefixes: ["\\ud800"]}}',
    ],
    ids=["integer", "boolean", "timestamp", "digits", "nested", "aliases", "half a character"],
)
def test_a_file_that_only_an_enemy_would_write_ends_in_one_line_too(text: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)

    with pytest.raises(SettingsError, match=r"settings\.yaml:\d+: "):
        load_settings(path, PolicyCatalog({}))


@pytest.mark.parametrize("bus", ["default", "pictures", "Team.A-pictures_2"])
def test_a_bus_goes_by_its_name(tmp_path: Path, bus: str) -> None:
    assert load(tmp_path, f"{{lanes: {{default: {{}}}}, events: {{bus: {bus}}}}}").events.bus == bus


@pytest.mark.parametrize(
    "bus",
    [
        "arn:aws:events:us-east-1:444455556666:event-bus/default",
        "arn:aws-cn:events:cn-north-1:444455556666:event-bus/pictures",
        "arn:aws-us-gov:events:us-gov-west-1:444455556666:event-bus/a.b-c_d",
    ],
)
def test_a_bus_of_another_account_or_region_goes_by_its_arn(tmp_path: Path, bus: str) -> None:
    assert load(tmp_path, f"{{lanes: {{default: {{}}}}, events: {{bus: {bus}}}}}").events == EventSettings(bus)


def test_without_a_bus_there_are_no_events_and_with_one_there_is_one_for_every_final_status(tmp_path: Path) -> None:
    assert load(tmp_path, "{lanes: {default: {}}}").events.bus is None
    assert set(load(tmp_path, "{lanes: {default: {}}, events: {bus: default}}").events.statuses) == FINAL


def test_a_gate_is_read_whole(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Backup_*"
    text = f"""
gate:
  mode: tag
  readers: {{roles: ["{role}"], vpc_endpoints: [vpce-0123456789abcdef0]}}
  open_prefixes: [public/]
  trusted_replicators: [arn:aws:iam::123456789012:role/copier]
  mark_blocked: true
lanes: {{default: {{}}}}
"""

    assert load(tmp_path, text).gate == Gate(
        GateMode.TAG,
        (role,),
        ("vpce-0123456789abcdef0",),
        ("public/",),
        ("arn:aws:iam::123456789012:role/copier",),
        mark_blocked=True,
    )


def test_a_gate_that_a_buckets_policy_has_no_room_for_is_refused(tmp_path: Path) -> None:
    roles = ", ".join(f"arn:aws:iam::123456789012:role/readers/{n:0200}" for n in range(80))

    gate = f"gate: {{mode: tag, readers: {{roles: [{roles}]}}}}"

    assert "S3 takes 20480 in all" in message(tmp_path, f"lanes: {{default: }}\n{gate}")
