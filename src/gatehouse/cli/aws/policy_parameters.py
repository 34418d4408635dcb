"""The parameters of a deployment's policies for operators: reads their versions and times, and moves the pointers."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gatehouse.aws.policy_parameters import PolicyParameters, pointer_to
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError

#: Seconds after which every function follows a moved pointer.
FOLLOWED_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class StoredPointer:
    """A pointer as it was read.

    Attributes:
        parameter: name of the SSM parameter.
        version: the parameter's version, incremented by each write.
        modified: when it was last written, by a deploy or by hand.
        now: when it was read, by AWS's clock.
    """

    parameter: str
    pointer: PolicyPointer
    version: int
    modified: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class UnreadablePointer:
    """A parameter that does not exist, or does not contain its policy's pointer. Uploads of that policy wait."""

    policy: str
    parameter: str
    problem: str


class OperatorsPolicyParameters(PolicyParameters):
    """Reads pointers, even if some are unreadable, and moves them."""

    def look(self) -> tuple[dict[str, StoredPointer], tuple[UnreadablePointer, ...]]:
        """The pointers by policy name, and the parameters without a readable one."""
        found: dict[str, StoredPointer] = {}
        unreadable: list[UnreadablePointer] = []
        for some, metadata in self._answers():
            now = _date(metadata)
            for policy, parameter in some.items():
                stored = _stored(policy, self._names[policy], parameter, now)
                if isinstance(stored, UnreadablePointer):
                    unreadable.append(stored)
                else:
                    found[policy] = stored
        return found, tuple(unreadable)

    def history(self, stored: StoredPointer) -> Iterator[PolicyPointer]:
        """Every pointer in the parameter's history; Systems Manager keeps the last 100 versions."""
        for page in self._client.get_paginator("get_parameter_history").paginate(Name=stored.parameter):
            for parameter in page["Parameters"]:
                with suppress(PolicyPointerError):
                    yield PolicyPointer.from_text(parameter["Value"])

    def move(self, stored: StoredPointer, pointer: PolicyPointer) -> int:
        """Replace `stored` by `pointer`. Returns the parameter's new version, which may take a moment to be visible."""
        answer = self._client.put_parameter(Name=stored.parameter, Value=pointer.to_text(), Overwrite=True)
        return answer["Version"]


def _stored(policy: str, name: str, parameter: Any, now: datetime) -> StoredPointer | UnreadablePointer:
    if parameter is None:
        return UnreadablePointer(policy, name, "there is no such parameter")
    try:
        pointer = pointer_to(policy, parameter["Value"])
    except PolicyPointerError as error:
        return UnreadablePointer(policy, name, str(error))
    return StoredPointer(name, pointer, parameter["Version"], parameter["LastModifiedDate"].astimezone(UTC), now)


def _date(metadata: Any) -> datetime:
    """The response's time by the server's clock; by ours if it has none."""
    try:
        return parsedate_to_datetime(metadata["HTTPHeaders"]["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)
