"""The settings of a deployment, and what is told on a command line."""

import json
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

import yaml

from gatehouse.cli.errors import CommandError
from gatehouse.cli.since import parse_since
from gatehouse.configuration.policies import PolicyCatalog, PolicySource, compile_policy
from gatehouse.configuration.settings import load_settings
from gatehouse.configuration.settings_mistakes import find_settings_mistakes
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.configuration.upload_pattern import MAX_PATTERN_LENGTH, pattern_length
from gatehouse.configuration.yaml_source import Entry
from gatehouse.moderation.lane import Lane
from tests.fuzz.mutation import encoded, mutated_document, mutated_text, written
from tests.fuzz.parser import Case, Parser
from tests.fuzz.parsers.policies import bomb, file_with, mutated_yaml
from tests.unit.builders import NOON

_TEXT = """\
name: gatehouse
upload_bucket: photos-of-users
notify: [REVIEW, BLOCKED, FAILED]
log_retention_days: 90
verdict_retention_days: null
alarm_topic_arn: arn:aws:sns:us-east-1:111122223333:alarms
ticket_topic_arn: arn:aws:sns:us-east-1:111122223333:tickets
docs_url: https://example.com/docs
image_engine:
  calls_per_second: 20
  shares: {fast: 20, live: 60, backfill: 20}
lanes:
  default:
    prefixes: ["a/", "b/"]
    suffixes: [".jpg"]
    exclude_prefixes: ["a/tmp/"]
    min_size: 1
    max_size: 10000
    max_wait: 60
    min_confidence: 30
    policy_overrides: {"a/kids/": strict}
  imports: {prefixes: ["a/imports/"], priority: backfill, engine: bulk, batch_size: 100}
  chat: {prefixes: [""], priority: fast, max_wait: 0, policy: strict}
"""
_DOCUMENT: dict[str, Any] = yaml.safe_load(_TEXT)
_WORDS = (
    *_DOCUMENT,
    *(
        "default",
        "a/",
        "",
        "\ud800",
        "policy",
        "strict",
        "lenient",
        "fast",
        "live",
        "backfill",
        "bulk",
        "image",
        "auto",
    ),
    *(
        "adapter",
        "priority",
        "engine",
        "max_concurrency",
        "job_deadline_hours",
        "APPROVED",
        1,
        30,
        300,
        10_000,
        "a/kids/b/",
    ),
    "arn:aws:rekognition:us-east-1:111122223333:project/p/version/v.1/1",
)
_STANDARD = 'name: standard\nversion: "1"\ndefault: {review: 60}\nrules: {Explicit: {block: 60}}\n'
_STRICT = 'name: strict\nversion: "1"\ndefault: {review: 40}\n'


@cache
def _catalog() -> PolicyCatalog:
    sources = {}
    for name, text in (("standard", _STANDARD), ("strict", _STRICT)):
        path = file_with(text, f"{name}.yaml")
        sources[name] = PolicySource(path, Entry({}, 1), compile_policy(path))
    return PolicyCatalog(sources)


def _draw(random: Random) -> Case:
    chance = random.random()
    if chance < 0.01:
        return (_TEXT + bomb(random)).encode()
    if chance < 0.4:
        return mutated_yaml(random, _TEXT)
    return encoded(random, written(random, mutated_document(random, _DOCUMENT, _WORDS)))


def _check(case: Case) -> bool:
    path = file_with(case, "settings.yaml")
    try:
        settings = load_settings(path, _catalog())
    except SettingsError as error:
        assert str(error).startswith(f"{path}:{error.line}: ")
        assert len(str(error).splitlines()) == 1, "an error of more than one line"
        assert find_settings_mistakes(path, _catalog()), "a file that is refused has no mistakes"
        return False
    assert not find_settings_mistakes(path, _catalog()), "a file that is taken has mistakes"
    assert settings.main_lane in settings.lanes
    assert settings.priorities
    prefixes = [prefix for entry in settings.lanes for prefix in entry.lane.prefixes]
    assert len(prefixes) == len(set(prefixes)), "two lanes claim one prefix"
    for entry in settings.lanes:
        lane = entry.lane
        assert Lane.from_document(json.loads(json.dumps(lane.to_document()))) == lane
        assert json.dumps(lane.to_document(), ensure_ascii=False).encode(), "the template can't be written"
        assert pattern_length(lane) <= MAX_PATTERN_LENGTH
        assert lane.min_confidence <= min(_catalog().policies[name].lowest_threshold for name in lane.policies)
    for text in (
        settings.upload_bucket,
        settings.alarm_email,
        settings.alarm_topic_arn,
        settings.docs_url,
        settings.name,
    ):
        assert text is None or text.isascii()
    return True


_TIMES = (
    "12h",
    "30d",
    "2026-11-01",
    "2026-11-22T11:59:30+02:00",
    "0001-01-01",
    "9999-12-31T23:59:59-23:59",
    "20261101T00",
)


def _draw_since(random: Random) -> Case:
    return mutated_text(random, random.choice(_TIMES), 2)


def _check_since(case: Case) -> bool:
    assert isinstance(case, str)
    try:
        moment = parse_since(case, NOON)
    except CommandError:
        return False
    assert len(moment) == len("2026-11-22T11:59:30.000Z")
    datetime.fromisoformat(moment)
    return True


PARSERS = (
    Parser("settings.load_settings", _draw, _check, 2),
    Parser("gatehouse.cli.since.parse_since", _draw_since, _check_since, 5),
)
