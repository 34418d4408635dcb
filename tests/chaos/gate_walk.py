"""A bucket from before is closed and opened again by what docs/gate.md says, and by nothing else.

The commands are those of the page's table, in its order. What a reader with broad rights can read is compared with the
verdicts at each step: nothing is dark that should be lit, and nothing lit that should be dark.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.synthesis import ROOT
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.cloud import LocalCloud
from localcloud.process_environment import REGION
from tests.chaos.cloud import synthesized
from tests.chaos.moderate_run import CONSTANTS
from tests.e2e.assumed_role import assume
from tests.e2e.images import BLOCKED, CLEAN, REVIEW
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

BUCKET: Final = "pictures-of-years"
_SETTINGS: Final = """
upload_bucket: pictures-of-years
existing_objects: true
image_engine: {{calls_per_second: 250, shares: {{fast: 10, live: 40, backfill: 50}}}}
gate: {gate}
lanes: {{default: {{prefixes: [pictures/]}}}}
"""
_NONE, _PREPARE = "{mode: none}", "{mode: prepare}"
#: What no lane takes would be dark; the check says so, and the page what to write.
_TAG: Final = "{mode: tag, open_prefixes: [notes/]}"
_OWN: Final = {
    "Sid": "OwnersStatement",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/never/*",
}
_ADMIN: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_BROAD: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
_POLL: Final = {"gatehouse.cli.gate.gate_probes._POLL_SECONDS": 0.5}
_CONNECTIONS: Final = 8
_NOTES: Final = 5
_DEADLINE_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 2.0


class GateWalk:
    """The bucket, and who walks.

    Args:
        folder: where the operator types.
    """

    def __init__(self, cloud: LocalCloud, folder: Path, objects: int) -> None:
        self._cloud, self._folder = cloud, folder
        self._s3 = cloud.client("s3")
        self._page = (ROOT / "docs" / "gate.md").read_text("utf-8")
        bodies = (CLEAN, CLEAN, CLEAN, BLOCKED, REVIEW)
        self._objects = {f"pictures/{n:05}.jpg": bodies[n % len(bodies)] for n in range(objects)}
        self._objects |= {f"notes/{n}.txt": b"text" for n in range(_NOTES)}

    def walk(self) -> Iterator[str]:
        """Go through the steps. Yields what is not as the page says."""
        self._fill_bucket()
        pipeline = self._deploy(_NONE)
        reader = self._reader(pipeline)
        operator = Terminal(pipeline, self._folder, assume(pipeline, "Operator", "olga", json.dumps(_ADMIN)), _POLL)
        yield from self._read(reader, set(self._objects), "before")
        self._deploy(_PREPARE)
        self._set_policy(operator)
        yield from self._read(reader, set(self._objects), "while it is prepared")
        self._moderate(pipeline, operator)
        self._step(operator, "gate fill", "--yes")
        checked = self._check_until_clean(operator)
        if checked["standings"]["outside"] != _NOTES:
            yield f"the check counts {checked['standings']} and {_NOTES} notes are outside of every lane"
        self._deploy(_TAG)
        self._set_policy(operator)
        self._check_until_clean(operator)
        approved = {item["key"] for item in pipeline.verdicts() if item[STATUS] == Status.APPROVED}
        expected = {key for key, body in self._objects.items() if body == CLEAN}
        if approved != expected:
            yield f"{len(approved)} objects are approved, and not {len(expected)}"
        notes = {key for key in self._objects if key.startswith("notes/")}
        yield from self._read(reader, approved | notes, "closed")
        self._set_policy(operator, "--remove")
        self._deploy(_NONE)
        yield from self._read(reader, set(self._objects), "open again")
        policy = json.loads(self._s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
        if policy["Statement"] != [_OWN]:
            yield f"the owner's policy has become {policy}"

    def _fill_bucket(self) -> None:
        self._s3.create_bucket(Bucket=BUCKET)
        self._s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        own = json.dumps({"Version": "2012-10-17", "Statement": [_OWN]})
        self._s3.put_bucket_policy(Bucket=BUCKET, Policy=own)
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            list(
                threads.map(
                    lambda each: self._s3.put_object(Bucket=BUCKET, Key=each[0], Body=each[1]), self._objects.items()
                )
            )
        self._s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )

    def _deploy(self, gate: str) -> Pipeline:
        folder = self._folder / re.sub(r"\W+", "-", f"{gate}{time.monotonic()}")
        folder.mkdir()
        return Pipeline(self._cloud, self._cloud.deploy(synthesized(folder, _SETTINGS.format(gate=gate))))

    def _step(self, terminal: Terminal, command: str, *more: str, status: int | None = 0) -> Any:
        """A command of the page. AssertionError if the page does not have it, or it ends with another status."""
        assert f"`./gatehouse {command}" in self._page, f"docs/gate.md does not say {command}"
        done = terminal.run(*command.split(), *more)
        assert status in (None, done.returncode), f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def _set_policy(self, operator: Terminal, *remove: str) -> None:
        """Step 2, or opening: print the policy, and put it."""
        assert "`aws s3api put-bucket-policy --bucket NAME --policy file://policy.json`" in self._page
        policy = self._step(operator, " ".join(("gate policy", *remove)))
        self._s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    def _moderate(self, pipeline: Pipeline, operator: Terminal) -> None:
        """Step 3, at a terminal whose real waits are shorter."""
        quick = Terminal(pipeline, self._folder, constants=CONSTANTS)
        self._step(quick, "moderate start", "--yes")
        self._step(operator, "moderate status")

    def _check_until_clean(self, operator: Terminal) -> Mapping[str, Any]:
        """Step 5: repair, and check again until nothing is wrong."""
        self._step(operator, "gate check --repair", "--no-probe", status=None)
        end = time.monotonic() + _DEADLINE_SECONDS
        while True:
            checked = operator.run("gate", "check", "--no-bulk")
            found = json.loads(checked.stdout)
            wrong = [each for each in found["findings"] if each["health"] != "ok"]
            if not checked.returncode and not wrong:
                return dict(found)
            assert time.monotonic() < end, f"the check does not become clean: {found['standings']}, {wrong}"
            time.sleep(_PAUSE_SECONDS)

    def _reader(self, pipeline: Pipeline) -> Any:
        credentials = assume(pipeline, "Outsider", "eve", json.dumps(_BROAD))
        return boto3.client(
            "s3",
            endpoint_url=self._cloud.endpoint,
            region_name=REGION,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials["AWS_SESSION_TOKEN"],
            config=Config(max_pool_connections=_CONNECTIONS, retries={"total_max_attempts": 1}),
        )

    def _read(self, reader: Any, wanted: set[str], when: str) -> Iterator[str]:
        """Read every object. Yields those that can be read and should not be, and the other way round."""

        def is_readable(key: str) -> bool:
            try:
                reader.get_object(Bucket=BUCKET, Key=key)["Body"].close()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.FORBIDDEN:
                    raise
                return False
            return True

        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            readable = dict(zip(self._objects, threads.map(is_readable, self._objects), strict=True))
        for key, is_lit in readable.items():
            if is_lit != (key in wanted):
                yield f"{when}: {key} is {'readable' if is_lit else 'dark'}, and should not be"
