"""An AWS in memory, with the buckets, table and topic of the storage stack."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

# The handlers' loggers and metrics read these when they are imported.
os.environ.update(
    POWERTOOLS_METRICS_NAMESPACE="Gatehouse",
    POWERTOOLS_SERVICE_NAME="unit",
    POWERTOOLS_LOG_LEVEL="INFO",
    POWERTOOLS_TRACE_DISABLED="true",
)

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import settings
from moto import mock_aws

from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import OBJECT, STATUS, VERSION, claim_from_item, verdict_from_item
from tests.contracts import check_items
from tests.unit.aws_calls import AwsCalls
from tests.unit.verdict_tables import create_verdict_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

settings.register_profile("gatehouse", deadline=None, max_examples=100, derandomize=True, database=None)
settings.load_profile("gatehouse")

TABLE = "verdicts"
WORK = "work"
UPLOADS = "uploads"


def no_pause(_seconds: float) -> None:
    """Retries follow each other at once."""


@dataclass(frozen=True)
class Storage:
    """The storage stack, and a look at what the code calls in it."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    ssm: "SSMClient"
    calls: AwsCalls

    @property
    def table(self) -> VerdictTable:
        return VerdictTable(self.dynamodb, TABLE, pause=no_pause)

    @property
    def work(self) -> WorkBucket:
        return WorkBucket(self.s3, WORK)

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every item of the verdict table, by object and version."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        found = [_python(item) for page in pages for item in page["Items"]]
        return {(item[OBJECT], item[VERSION]): item for item in found}

    def item(self, upload: Upload) -> dict[str, Any]:
        """An upload's item."""
        key = {OBJECT: {"S": upload.object}, VERSION: {"S": upload.version}}
        return _python(self.dynamodb.get_item(TableName=TABLE, Key=key)["Item"])


def is_ours(item: Mapping[str, Any]) -> bool:
    """Whether the code could have written an item; some tests write others on purpose."""
    try:
        claim_from_item(item)
        if item[STATUS] != Status.PENDING:
            verdict_from_item(item)
    except MISSHAPEN:
        return False
    return True


def _python(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials, so that a call which moto does not answer reaches no account."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Empty storage."""
    # One session for all tests: a fresh one would read the services' models from disk again.
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        dynamodb, s3, ssm = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("ssm")
        create_verdict_table(dynamodb, TABLE)
        s3.create_bucket(Bucket=WORK)
        s3.create_bucket(Bucket=UPLOADS)
        calls = AwsCalls()
        calls.watch(dynamodb, s3, ssm)
        stored = Storage(dynamodb, s3, ssm, calls)
        yield stored
        check_items(item for item in stored.items().values() if is_ours(item))
