"""Amazon Rekognition on the wire: the JSON 1.1 protocol, as a service module of the local cloud.

No network, no KMS: images are looked at by a `ModerationModel`, by default the one that reads planted labels.
Objects are read and written through an `ObjectStorage` with the caller's permissions.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.rekognition.caller import Caller
from localcloud.rekognition.counters import Counters
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.inspection import Inspector
from localcloud.rekognition.job_runner import JobRunner
from localcloud.rekognition.jobs import Jobs
from localcloud.rekognition.moderation_model import ModerationModel, PlantedLabels
from localcloud.rekognition.operations import Operations
from localcloud.rekognition.projects import Projects
from localcloud.rekognition.settings import RekognitionSettings
from localcloud.rekognition.storage import ObjectStorage
from localcloud.rekognition.switches import SwitchError, Switches

CallerOf = Callable[[Mapping[str, str], Mapping[str, list[str]]], Caller]
Response = tuple[int, dict[str, str], bytes]

_CONTENT_TYPE = "application/x-amz-json-1.1"
_TARGET_PREFIX = "RekognitionService."
_LOGGER = logging.getLogger(__name__)


class _Service:
    """One Rekognition with everything it remembers; a reset replaces it by a new one."""

    def __init__(
        self, storage: ObjectStorage, caller_of: CallerOf, settings: RekognitionSettings, model: ModerationModel
    ) -> None:
        self.storage = storage
        self.caller_of = caller_of
        self.settings = settings
        self.model = model
        self.counters = Counters()
        self.switches = Switches()
        self.jobs = Jobs()
        inspector = Inspector(storage, model, self.counters)
        self.projects = Projects(storage, inspector, settings)
        inspector.learn_from(self.projects.left_out)
        self.runner = JobRunner(self.jobs, storage, inspector, self.switches, settings, self.projects)
        self.operations = Operations(
            *(storage, inspector, self.jobs, self.runner, self.switches, self.counters, settings, self.projects)
        )

    def close(self) -> None:
        self.runner.close()
        self.projects.close()

    def renewed(self) -> "_Service":
        return _Service(self.storage, self.caller_of, self.settings, self.model)


_service: _Service | None = None


def configure(
    storage: ObjectStorage,
    caller_of: CallerOf,
    settings: RekognitionSettings,
    model: ModerationModel | None = None,
) -> None:
    """Set the service up, before the first request; a service that was there before is abandoned.

    Args:
        caller_of: who makes a request, from its headers (lower case) and query parameters.
        model: looks at the images; by default at the labels planted in them.
    """
    global _service
    if _service is not None:
        _service.close()
    _service = _Service(storage, caller_of, settings, model or PlantedLabels())


async def handle_request(
    method: str,  # noqa: ARG001 - the local cloud passes it; JSON 1.1 knows POST only
    path: str,  # noqa: ARG001 - the same for all operations
    headers: Mapping[str, str],
    body: bytes | str,
    query_params: Mapping[str, list[str]],
) -> Response:
    """Answer a request: status, headers, body. Whatever goes wrong is an answer too, never an exception."""
    service = _configured()
    operation = headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)
    try:
        caller = service.caller_of(headers, query_params)
        payload = _payload(body)
        service.operations.admit(operation, caller)
        latency = service.operations.latency(operation)
        if latency:
            await asyncio.sleep(latency)
        response = await asyncio.to_thread(service.operations.call, operation, caller, payload)
    except ServiceError as error:
        service.counters.count_call(operation, error.name)
        return _error_answer(error)
    except Exception as error:
        _LOGGER.exception("Rekognition broke")
        service.counters.count_call(operation, ErrorName.INTERNAL_SERVER)
        return _error_answer(ServiceError(ErrorName.INTERNAL_SERVER, f"{type(error).__name__}: {error}"))
    service.counters.count_call(operation, "OK")
    return _answer(200, response, _CONTENT_TYPE)


def handle_admin(method: str, body: bytes | str) -> Response:
    """Look at the service and set its switches, which `Switches` describes.

    GET answers `{"jobs_started": n, "images_analyzed": {"s3://bucket/key": n}, "calls": {operation: {answer: n}},
    "switches": {...}}`, where an answer is `OK` or an error's name; POST sets the switches its JSON object names;
    DELETE sets them all back. POST and DELETE answer as GET does.
    """
    service = _configured()
    try:
        if method == "POST":
            document = json.loads(body)
            if not isinstance(document, dict):
                raise SwitchError('send a JSON object of switches, such as {"hold_jobs": true}')
            service.switches.set(document)
        elif method == "DELETE":
            service.switches.clear()
        elif method != "GET":
            return _answer(405, {"error": "use GET, POST or DELETE"}, "application/json")
    except (ValueError, RecursionError) as error:
        return _answer(400, {"error": str(error)}, "application/json")
    state = {**service.counters.document(), "switches": service.switches.document()}
    return _answer(200, state, "application/json")


def reset() -> None:
    """Forget all jobs, projects, counters and switches. Running jobs are abandoned and write nothing any more."""
    global _service
    if _service is not None:
        _service.close()
        _service = _service.renewed()


def get_state() -> dict[str, object]:
    """What survives a restart of the local cloud: the jobs."""
    return {"jobs": _configured().jobs.document()}


def load_persisted_state(data: Mapping[str, Any] | None) -> None:
    """Take over what `get_state` gave before a restart; jobs that were open then are FAILED now."""
    if data:
        _configured().jobs.restore(data["jobs"])


def _configured() -> _Service:
    if _service is None:
        raise RuntimeError("the local Rekognition is not set up: call configure() before serving")
    return _service


def _payload(body: bytes | str) -> object:
    try:
        return json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ServiceError(ErrorName.SERIALIZATION, f"The request is not JSON: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def _answer(status: int, document: Mapping[str, Any], content_type: str) -> Response:
    headers = {"Content-Type": content_type, "x-amzn-RequestId": str(uuid.uuid4())}
    return status, headers, json.dumps(document, ensure_ascii=False).encode("utf-8", errors="replace")


def _error_answer(error: ServiceError) -> Response:
    """The error as in the Developer Guide's example of a low-level response (error-handling.html)."""
    document = {
        "__type": error.name,
        "Code": error.name,
        "Logref": str(uuid.uuid4()),
        "Message": error.message,
    }
    return _answer(error.status, document, _CONTENT_TYPE)
