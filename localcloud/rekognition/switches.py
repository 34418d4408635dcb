"""Telling the local Rekognition to misbehave, while it runs."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatehouse.moderation.document import shown
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.job import FailureCode, JobFailure
from localcloud.rekognition.operation import Operation
from localcloud.rekognition.refusal import BulkRefusal
from localcloud.rekognition.settings import AdapterStatus


class SwitchError(ValueError):
    """A switch that does not exist or can't be set so. The message says what to send instead."""


class Switches:
    """What is to go wrong. Thread safe.

    hold_jobs: jobs stay QUEUED while this is true.
    fail_next_jobs: the next jobs started end FAILED with these, one each: `[{"code": ..., "message": ...}]`.
    concurrent_jobs: the quota of open jobs, null for the one of the settings.
    job_seconds: the least duration of a job, null for the one of the settings.
    drop_result_lines: this many result lines, the next ones written, are left out of their file.
    duplicate_result_lines: this many result lines, the next ones written, are written twice.
    garble_result_lines: this many result lines, the next ones written, are not JSON.
    shuffle_results: this many result files, the next ones with lines to tell apart, have them in another order.
    truncate_results: this many result files, the next ones with a line, end in the middle of their middle line.
    omit_results: this many jobs, the next ones, SUCCEED without the result file they name.
    omit_summary: this many jobs, the next ones, write no manifest summary and name none.
    refuse_bulk: the three media analysis operations are refused, read as one of `BulkRefusal` says; true is
        `permission`, false is not at all, null as the settings say.
    throttle_calls: this many calls, the next ones, answer ThrottlingException.
    fail_next_calls: the next calls of an operation answer with an error:
        `[{"operation": "DetectModerationLabels", "error": "InternalServerError", "times": 3, "message": ...}]`; one
        time if it is not said.
    fail_images: keys of objects that DetectModerationLabels always answers InternalServerError for.
    requests_per_second: operation -> rate quota in place of the settings', `{"DetectModerationLabels": 50}`; null for
        those of the settings.
    detect_seconds: latency of DetectModerationLabels, null for the one of the settings.
    adapters: project version ARN -> status, in place of the settings'; null for those of the settings.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._values: dict[str, Any] = _defaults()

    def set(self, document: Mapping[str, Any]) -> None:
        """Set the switches that `document` names, all or none of them.

        Raises:
            SwitchError: an unknown switch, or a value it can't have.
        """
        read: dict[str, Any] = {}
        for name, value in document.items():
            if name not in _READERS:
                raise SwitchError(f"{name!r} is no switch; use one of {', '.join(_READERS)}")
            try:
                read[name] = _READERS[name](value)
            except ValueError as error:
                raise SwitchError(f"{name} can't be {shown(value)}: {error}") from error
        with self._condition:
            self._values.update(read)
            self._condition.notify_all()

    def clear(self) -> None:
        """Behave again."""
        with self._condition:
            self._values = _defaults()
            self._condition.notify_all()

    def document(self) -> dict[str, Any]:
        """All switches as they are now; what is used up counts down."""
        with self._condition:
            failures = [{"code": one.code, "message": one.message} for one in self._values["fail_next_jobs"]]
            calls = [dict(one) for one in self._values["fail_next_calls"]]
            return {**self._values, "fail_next_jobs": failures, "fail_next_calls": calls}

    def refuse_bulk(self, otherwise: BulkRefusal | None) -> BulkRefusal | None:
        """How media analysis is refused; None if it is not."""
        with self._condition:
            value = self._values["refuse_bulk"]
            return otherwise if value is None else value or None

    def requests_per_second(self, otherwise: Mapping[str, float]) -> Mapping[str, float]:
        """The rate quotas."""
        with self._condition:
            value: Mapping[str, float] | None = self._values["requests_per_second"]
            return otherwise if value is None else value

    def detect_seconds(self, otherwise: float) -> float:
        """The latency of DetectModerationLabels, in seconds."""
        with self._condition:
            value = self._values["detect_seconds"]
            return otherwise if value is None else float(value)

    def adapters(self, otherwise: Mapping[str, AdapterStatus]) -> Mapping[str, AdapterStatus]:
        """The adapters there are."""
        with self._condition:
            value: Mapping[str, AdapterStatus] | None = self._values["adapters"]
            return otherwise if value is None else value

    def concurrent_jobs(self, otherwise: int) -> int:
        """The quota of open jobs."""
        with self._condition:
            value = self._values["concurrent_jobs"]
            return otherwise if value is None else int(value)

    def job_seconds(self, otherwise: float) -> float:
        """The least duration of a job, in seconds."""
        with self._condition:
            value = self._values["job_seconds"]
            return otherwise if value is None else float(value)

    def wait_while_held(self) -> None:
        """Return when jobs may run."""
        with self._condition:
            self._condition.wait_for(lambda: not self._values["hold_jobs"])

    def take_failure(self) -> JobFailure | None:
        """How the job that is being started shall fail, if it shall."""
        with self._condition:
            failures: tuple[JobFailure, ...] = self._values["fail_next_jobs"]
            self._values["fail_next_jobs"] = failures[1:]
            return failures[0] if failures else None

    def take_throttled_call(self) -> bool:
        """Whether the call that is being made is throttled."""
        return self._take("throttle_calls", 1) == 1

    def take_failing_call(self, operation: str) -> ServiceError | None:
        """How the call that is being made fails, if it was told to."""
        with self._condition:
            for entry in self._values["fail_next_calls"]:
                if entry["operation"] == operation and entry["times"]:
                    entry["times"] -= 1
                    self._values["fail_next_calls"] = [one for one in self._values["fail_next_calls"] if one["times"]]
                    return ServiceError(ErrorName(entry["error"]), entry["message"])
            return None

    def fails(self, key: str) -> bool:
        """Whether there is never an answer for the image of this key."""
        with self._condition:
            return key in self._values["fail_images"]

    def take_dropped_lines(self, most: int) -> int:
        """How many of `most` result lines to leave out."""
        return self._take("drop_result_lines", most)

    def take_duplicated_lines(self, most: int) -> int:
        """How many of `most` result lines to write twice."""
        return self._take("duplicate_result_lines", most)

    def take_garbled_lines(self, most: int) -> int:
        """How many of `most` result lines to make no JSON."""
        return self._take("garble_result_lines", most)

    def take_shuffled_file(self) -> bool:
        """Whether the result file that is being written has its lines in another order."""
        return self._take("shuffle_results", 1) == 1

    def take_truncated_file(self) -> bool:
        """Whether the result file that is being written ends in the middle of a line."""
        return self._take("truncate_results", 1) == 1

    def take_omitted_results(self) -> bool:
        """Whether the job that ends writes no result file."""
        return self._take("omit_results", 1) == 1

    def take_omitted_summary(self) -> bool:
        """Whether the job that ends has no manifest summary."""
        return self._take("omit_summary", 1) == 1

    def _take(self, name: str, most: int) -> int:
        with self._condition:
            taken: int = min(self._values[name], most)
            self._values[name] -= taken
            return taken


def _defaults() -> dict[str, Any]:
    return {
        "hold_jobs": False,
        "fail_next_jobs": (),
        "concurrent_jobs": None,
        "job_seconds": None,
        "drop_result_lines": 0,
        "duplicate_result_lines": 0,
        "garble_result_lines": 0,
        "shuffle_results": 0,
        "truncate_results": 0,
        "omit_results": 0,
        "omit_summary": 0,
        "refuse_bulk": None,
        "throttle_calls": 0,
        "fail_next_calls": [],
        "fail_images": [],
        "requests_per_second": None,
        "detect_seconds": None,
        "adapters": None,
    }


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("use true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("use a whole number, 0 or more")
    return value


def _count_or_none(value: object) -> int | None:
    return None if value is None else _count(value)


def _seconds_or_none(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= threading.TIMEOUT_MAX:
        raise ValueError("use a number of seconds, 0 or more")
    return float(value)


def _failures(value: object) -> tuple[JobFailure, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError("use a list of objects with code and message")
    return tuple(_failure(entry) for entry in value)


def _failure(entry: object) -> JobFailure:
    if not isinstance(entry, dict) or not {"code"} <= set(entry) <= {"code", "message"}:
        raise ValueError("use objects with code and message")
    if entry["code"] not in list(FailureCode):
        raise ValueError(f"a code is one of {', '.join(FailureCode)}")
    return JobFailure(FailureCode(entry["code"]), str(entry.get("message", "Told to fail.")))


def _failing_calls(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("use a list of objects with operation and error")
    return [_failing_call(entry) for entry in value]


def _failing_call(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict) or not {"operation", "error"} <= set(entry) <= {
        "operation",
        "error",
        "times",
        "message",
    }:
        raise ValueError("use objects with operation, error and, if you like, times and message")
    if entry["operation"] not in list(Operation):
        raise ValueError(f"an operation is one of {', '.join(Operation)}")
    if entry["error"] not in list(ErrorName):
        raise ValueError(f"an error is one of {', '.join(ErrorName)}")
    return {**entry, "times": _count(entry.get("times", 1)), "message": str(entry.get("message", "Told to fail."))}


def _keys(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise ValueError("use a list of keys")
    return value


def _refusal(value: object) -> BulkRefusal | bool | None:
    if value is None or value is False:
        return value
    if value is True:
        return BulkRefusal.PERMISSION
    if value not in list(BulkRefusal):
        raise ValueError(f"use true, false, null or one of {', '.join(BulkRefusal)}")
    return BulkRefusal(str(value))


def _rates_or_none(value: object) -> dict[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= set(Operation):
        raise ValueError(f"use an object with rates of {', '.join(Operation)}")
    for rate in value.values():
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
            raise ValueError("a rate is a number per second, above 0")
    return {operation: float(rate) for operation, rate in value.items()}


def _adapters_or_none(value: object) -> dict[str, AdapterStatus] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or any(status not in list(AdapterStatus) for status in value.values()):
        raise ValueError(f"use an object of ARNs, each with one of {', '.join(AdapterStatus)}")
    return {arn: AdapterStatus(status) for arn, status in value.items()}


_READERS: Mapping[str, Callable[[object], object]] = {
    "hold_jobs": _boolean,
    "fail_next_jobs": _failures,
    "concurrent_jobs": _count_or_none,
    "job_seconds": _seconds_or_none,
    "drop_result_lines": _count,
    "duplicate_result_lines": _count,
    "garble_result_lines": _count,
    "shuffle_results": _count,
    "truncate_results": _count,
    "omit_results": _count,
    "omit_summary": _count,
    "refuse_bulk": _refusal,
    "throttle_calls": _count,
    "fail_next_calls": _failing_calls,
    "fail_images": _keys,
    "requests_per_second": _rates_or_none,
    "detect_seconds": _seconds_or_none,
    "adapters": _adapters_or_none,
}
