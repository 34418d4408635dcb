"""The schema that editors read accepts what the settings reader accepts, and refuses what is plainly wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import LOG_RETENTION_DAYS, load_settings
from gatehouse.configuration.settings_schema import schema_text, settings_schema
from gatehouse.configuration.settings_section import SettingsError

FILE, SCHEMA_FILE = ROOT / "gatehouse.yaml", ROOT / "gatehouse.schema.json"
TEXT = FILE.read_text("utf-8")
VALIDATOR = Draft202012Validator(settings_schema(TEXT))
POLICIES = compile_policies(ROOT / "policies")

_STATUSES = st.lists(st.sampled_from(["APPROVED", "REVIEW", "BLOCKED", "FAILED", "PENDING", "review"]), max_size=3)
_NUMBERS = st.sampled_from([-1, 0, 1, 2, 5, 10, 30, 60, 90, 300, 1000, 3653, 10_000, 0.5, True, None, "1"])
_PREFIXES = st.lists(st.sampled_from(["", "kids/", "kids/new/", "literal:*", "kids/*", "ä/"]), max_size=2)
_LANES = st.fixed_dictionaries(
    {},
    optional={
        "prefixes": _PREFIXES,
        "suffixes": st.lists(st.sampled_from([".jpg", "", "image/png", ".ä"]), max_size=2),
        "exclude_prefixes": _PREFIXES,
        "min_size": _NUMBERS,
        "max_size": _NUMBERS,
        "priority": st.sampled_from(["fast", "live", "backfill", "urgent"]),
        "engine": st.sampled_from(["auto", "bulk", "image", "gpu", None]),
        "max_wait": _NUMBERS,
        "batch_size": _NUMBERS,
        "max_concurrency": _NUMBERS,
        "min_confidence": _NUMBERS,
        "policy": st.sampled_from(["standard", "strict", "lenient"]),
        "policy_overrides": st.none() | st.dictionaries(st.just("kids/"), st.just("strict"), max_size=1),
        "adapter": st.none() | st.just("arn"),
        "job_deadline_hours": _NUMBERS,
        "formats": st.lists(st.sampled_from(["png", "gif", "heic", "PNG", "svg"]), max_size=3),
        "max_frames": _NUMBERS,
    },
)
_DOCUMENTS: st.SearchStrategy[Any] = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["gatehouse", "a-1", "A", "-a", "a" * 41]),
        "upload_bucket": st.sampled_from([None, "pictures", "1.2.3.4", "s3://pictures"]),
        "notify": _STATUSES,
        "events": st.none() | st.fixed_dictionaries({}, optional={"bus": st.just("default"), "statuses": _STATUSES}),
        "log_retention_days": _NUMBERS | st.sampled_from(LOG_RETENTION_DAYS),
        "work_retention_days": _NUMBERS,
        "verdict_retention_days": _NUMBERS,
        "image_engine": st.none() | st.fixed_dictionaries({}, optional={"calls_per_second": _NUMBERS}),
        "backfill_batches": _NUMBERS,
        "existing_objects": st.booleans() | st.just("on"),
        "model_version": st.sampled_from(["7.0", 7.0, ""]),
        "animation_check": st.sampled_from([True, False, "on"]),
        "decision_reasons": st.lists(st.sampled_from(["spam", "other", "No"]), max_size=2),
        "lanes": st.none() | st.dictionaries(st.sampled_from(["default", "kids", "A"]), st.none() | _LANES, max_size=2),
        "nonsense": st.just(1),
    },
)


def is_read(path: Path) -> bool:
    try:
        load_settings(path, POLICIES)
    except SettingsError:
        return False
    return True


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=_DOCUMENTS)
def test_what_the_reader_accepts_the_schema_accepts(tmp_path: Path, document: Any) -> None:
    file = tmp_path / "gatehouse.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")

    assert VALIDATOR.is_valid(document) or not is_read(file)


@pytest.mark.parametrize(
    "text",
    [
        "name: Gatehouse",
        "nonsense: 1",
        "upload_bucket: s3://pictures",
        "notify: [PENDING]",
        "notify: REVIEW",
        "events: {bus: aws.partner/x}",
        "log_retention_days: 2",
        "work_retention_days: 29",
        "verdict_retention_days: never",
        "alarm_email: nobody",
        "alarm_topic_arn: alarms",
        "ticket_topic_arn: tickets",
        "docs_url: docs",
        "encryption_key: alias/mine",
        "image_engine: {shares: {fast: 4}}",
        "model_version: 7.0",
        "animation_check: 1",
        "decision_reasons: [No Reason]",
        "decision_reasons: []",
        "lanes: {}",
        "lanes: {Default: {}}",
        "lanes: {default: {prefixes: []}}",
        "lanes: {default: {engine: gpu}}",
        "lanes: {default: {max_wait: 301}}",
        "lanes: {default: {min_confidence: 101}}",
        "lanes: {default: {adapter: arn}}",
        "lanes: {default: {unknown: 1}}",
    ],
)
def test_what_is_plainly_wrong_is_refused_by_both(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gatehouse.yaml"
    file.write_text(text, "utf-8")

    assert not VALIDATOR.is_valid(yaml.safe_load(text))
    assert not is_read(file)


def test_the_published_schema_is_current_and_one() -> None:
    renew = "run: .venv/bin/python -m gatehouse.configuration.settings_schema gatehouse.yaml > gatehouse.schema.json"
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(TEXT), renew
    Draft202012Validator.check_schema(json.loads(schema_text(TEXT)))


def test_the_shipped_file_is_checked_by_it_and_each_key_is_described() -> None:
    assert f"# yaml-language-server: $schema={SCHEMA_FILE.name}\n" in TEXT
    assert VALIDATOR.is_valid(yaml.safe_load(TEXT))

    def undescribed(schema: Any) -> list[str]:
        found = []
        for name, part in schema.get("properties", {}).items():
            found += [name] if "description" not in part else []
            found += undescribed(part)
        lane = schema.get("additionalProperties")
        return found + (undescribed(lane) if isinstance(lane, dict) else [])

    without_a_comment_of_their_own = {"max_size", "fast", "live", "backfill"}
    assert set(undescribed(settings_schema(TEXT))) == without_a_comment_of_their_own
