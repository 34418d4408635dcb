"""What the local Rekognition is set to: speed, quotas, adapters. Read once, when the local cloud starts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from localcloud.rekognition.operation import Operation
from localcloud.rekognition.refusal import BulkRefusal

PREFIX = "GATEHOUSE_REKOGNITION_"


def switches(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that are ours."""
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


class SettingsError(ValueError):
    """A setting that makes no sense. The message names the environment variable and what it accepts."""


class AdapterStatus(StrEnum):
    """A Custom Moderation adapter's state, as DescribeProjectVersions names it (Developer Guide, managing-adapters)."""

    TRAINING_IN_PROGRESS = "TRAINING_IN_PROGRESS"
    TRAINING_COMPLETED = "TRAINING_COMPLETED"
    TRAINING_FAILED = "TRAINING_FAILED"
    DEPRECATED = "DEPRECATED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class RekognitionSettings:
    """The defaults are a fast service with the quota of the large Regions (General Reference, rekognition endpoints).

    Attributes:
        job_seconds: a job takes at least this long, in seconds. AWS publishes no figure.
        images_per_second: a job's pace; None for as fast as this machine can.
        concurrent_jobs: open jobs an account may have in a Region: 20 in us-east-1, us-west-2, eu-west-1; else 5.
        detect_seconds: latency added to DetectModerationLabels, in seconds.
        requests_per_second: operation -> rate quota; an operation that is not named has none.
        adapters: project version ARN -> its status. Any other ARN does not exist.
        refuse_bulk: the account has no Bulk Analysis, and this is how it is told.
        line_number_key: the key of a line's number in a manifest summary. The Developer Guide spells it `line-numer`.
    """

    job_seconds: float = 0.5
    images_per_second: float | None = None
    concurrent_jobs: int = 20
    detect_seconds: float = 0.0
    requests_per_second: Mapping[str, float] = field(default_factory=dict)
    adapters: Mapping[str, AdapterStatus] = field(default_factory=dict)
    line_number_key: str = "line-numer"
    refuse_bulk: BulkRefusal | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RekognitionSettings":
        """Read `GATEHOUSE_REKOGNITION_*`; what is absent or empty keeps its default.

        `JOB_SECONDS`, `IMAGES_PER_SECOND`, `DETECT_SECONDS`: numbers. `CONCURRENT_JOBS`: a whole number.
        `REQUESTS_PER_SECOND`: `DetectModerationLabels=50,StartMediaAnalysisJob=5`.
        `ADAPTERS`: `<project version ARN>=<status>`, comma separated. `LINE_NUMBER_KEY`: `line-numer` or `line-number`.
        `REFUSE_BULK`: one of `BulkRefusal`.

        Raises:
            SettingsError: an unknown name with our prefix, or a value that can't be used.
        """
        given = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
        unknown = sorted(set(given) - set(_READERS))
        if unknown:
            known = ", ".join(PREFIX + name for name in _READERS)
            raise SettingsError(f"{PREFIX}{unknown[0]} is not a setting; use one of {known}")
        values = {}
        for name, (attribute, read) in _READERS.items():
            if given.get(name):
                try:
                    values[attribute] = read(given[name])
                except ValueError as error:
                    raise SettingsError(f"{PREFIX}{name}={given[name]!r} can't be used: {error}") from error
        return cls(**values)  # type: ignore[arg-type]  # each reader returns its attribute's type


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError("give a number of seconds, 0 or more")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError("give a number per second, above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("give a whole number, 0 or more")
    return value


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for entry in text.split(","):
        name, equals, value = entry.strip().partition("=")
        if not name or not equals:
            raise ValueError(f"{entry.strip()!r} is not of the form name=value")
        pairs.append((name, value))
    return pairs


def _rates(text: str) -> Mapping[str, float]:
    return {Operation(operation): _rate(rate) for operation, rate in _pairs(text)}


def _adapters(text: str) -> Mapping[str, AdapterStatus]:
    return {arn: AdapterStatus(status) for arn, status in _pairs(text)}


def _refusal(text: str) -> BulkRefusal:
    if text not in list(BulkRefusal):
        raise ValueError(f"give one of {', '.join(BulkRefusal)}")
    return BulkRefusal(text)


def _line_number_key(text: str) -> str:
    if text not in ("line-numer", "line-number"):
        raise ValueError("give line-numer or line-number")
    return text


_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "JOB_SECONDS": ("job_seconds", _seconds),
    "IMAGES_PER_SECOND": ("images_per_second", _rate),
    "CONCURRENT_JOBS": ("concurrent_jobs", _count),
    "DETECT_SECONDS": ("detect_seconds", _seconds),
    "REQUESTS_PER_SECOND": ("requests_per_second", _rates),
    "ADAPTERS": ("adapters", _adapters),
    "LINE_NUMBER_KEY": ("line_number_key", _line_number_key),
    "REFUSE_BULK": ("refuse_bulk", _refusal),
}
