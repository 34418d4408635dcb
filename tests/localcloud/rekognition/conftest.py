"""A Rekognition with objects in memory, and a boto3 client that talks to it over HTTP."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from localcloud.rekognition import service
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.settings import AdapterStatus, RekognitionSettings
from tests.localcloud.rekognition.bridge import serving
from tests.localcloud.rekognition.memory_storage import MemoryStorage

ROLE = "arn:aws:iam::111122223333:role/machine"
ADAPTER = "arn:aws:rekognition:us-east-1:111122223333:project/own/version/1/1690556751958"
OLD_ADAPTER = "arn:aws:rekognition:us-east-1:111122223333:project/own/version/0/1590556751958"
NEW_ADAPTER = "arn:aws:rekognition:us-east-1:111122223333:project/own/version/2/1790556751958"
ADAPTERS = {
    ADAPTER: AdapterStatus.TRAINING_COMPLETED,
    OLD_ADAPTER: AdapterStatus.EXPIRED,
    NEW_ADAPTER: AdapterStatus.TRAINING_IN_PROGRESS,
}


def caller_of(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> Caller:
    return Caller(access_key=None, role_arn=ROLE, account="111122223333", region="us-east-1")


@dataclass
class Rekognition:
    """The client, the storage behind the service, and shorthands for what most tests do."""

    client: Any
    storage: MemoryStorage

    def put_manifest(self, keys: Sequence[str], key: str = "manifest.jsonl") -> None:
        lines = (json.dumps({"source-ref": f"s3://uploads/{name}"}) for name in keys)
        self.storage.put("work", key, "".join(f"{line}\n" for line in lines).encode())

    def start(self, **changes: Any) -> str:
        """Start a job over `manifest.jsonl`; its id."""
        request: dict[str, Any] = {
            "OperationsConfig": {"DetectModerationLabels": {"MinConfidence": 30}},
            "Input": {"S3Object": {"Bucket": "work", "Name": "manifest.jsonl"}},
            "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "out"},
        }
        job_id: str = self.client.start_media_analysis_job(**{**request, **changes})["JobId"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        description: dict[str, Any] = self.client.get_media_analysis_job(JobId=job_id)
        return description

    def finished(self, job_id: str) -> dict[str, Any]:
        return self.job_when(job_id, lambda job: job["Status"] in ("SUCCEEDED", "FAILED"))

    def job_when(self, job_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while not condition(job := self.job(job_id)):
            assert time.monotonic() < deadline, job
            time.sleep(0.01)
        return job

    def run(self, **changes: Any) -> dict[str, Any]:
        return self.finished(self.start(**changes))

    def results(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        place = job["Results"]["S3Object"]
        return [json.loads(line) for line in self.storage.body(place["Bucket"], place["Name"]).splitlines()]

    def summary(self, job: Mapping[str, Any]) -> dict[str, Any]:
        place = job["ManifestSummary"]["S3Object"]
        document: dict[str, Any] = json.loads(self.storage.body(place["Bucket"], place["Name"]))
        return document

    def configure(self, **settings: Any) -> None:
        """Start over with other settings and the same objects."""
        configured = RekognitionSettings(**{"job_seconds": 0.0, "adapters": ADAPTERS, **settings})
        service.configure(self.storage, caller_of, configured)

    def switch(self, **switches: Any) -> dict[str, Any]:
        status, _, body = service.handle_admin("POST", json.dumps(switches).encode())
        answer: dict[str, Any] = json.loads(body)
        assert status == 200, answer
        return answer

    def counters(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(service.handle_admin("GET", b"")[2])
        return answer


@pytest.fixture(scope="package")
def endpoint() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture(scope="package")
def client(endpoint: str) -> Any:
    return boto3.client(
        "rekognition",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, proxies={}),
    )


@pytest.fixture
def rekognition(client: Any) -> Iterator[Rekognition]:
    made = Rekognition(client, MemoryStorage())
    made.configure()
    yield made
    service.reset()
