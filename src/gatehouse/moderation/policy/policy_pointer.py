"""Which version of a policy is active: a pointer by name and content hash, and where the documents it points to lie.

A pointer is a parameter's value, compact JSON. A deploy writes `{"name", "version", "hash"}` of what it ships with
the functions. A live change adds `"deployed": {"version", "hash"}`, what the deploy had put there, and points to a
document in the work bucket.
"""

import json
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.document import is_text
from gatehouse.moderation.policy.policy import Policy, PolicyError

POLICIES_PREFIX = "policies/"


class PolicyPointerError(ValueError):
    """A pointer, or the document it points to, that can't be trusted. Nothing may be judged by it."""


def policy_key(policy_hash: str) -> str:
    """Key of a policy's canonical document in the work bucket."""
    return f"{POLICIES_PREFIX}{policy_hash}.json"


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A version of a policy: what people call it, and the hash of its canonical document."""

    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class PolicyPointer:
    """The active version of a policy.

    Attributes:
        deployed: what the last deploy had made active, or None while that is active.
    """

    name: str
    version: str
    hash: str
    deployed: PolicyVersion | None = None

    @classmethod
    def to_shipped(cls, policy: Policy) -> "PolicyPointer":
        """What a deploy writes."""
        return cls(policy.name, policy.version, policy.hash)

    @classmethod
    def from_text(cls, text: str) -> "PolicyPointer":
        """Read a parameter's value.

        Raises:
            PolicyPointerError: it is not a pointer.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PolicyPointerError(f"the pointer is not JSON: {error}") from error
        deployed = document.get("deployed") if isinstance(document, dict) else None
        return cls(
            name=_text(document, "name"),
            version=_text(document, "version"),
            hash=_text(document, "hash"),
            deployed=None if deployed is None else PolicyVersion(_text(deployed, "version"), _text(deployed, "hash")),
        )

    def to_text(self) -> str:
        """The parameter's value."""
        document: dict[str, Any] = {"name": self.name, "version": self.version, "hash": self.hash}
        if self.deployed:
            document["deployed"] = {"version": self.deployed.version, "hash": self.deployed.hash}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @property
    def is_live(self) -> bool:
        """Whether somebody changed the policy since the last deploy."""
        return self.deployed is not None

    @property
    def shipped(self) -> PolicyVersion:
        """What the last deploy made active."""
        return self.deployed or PolicyVersion(self.version, self.hash)

    def moved_to(self, policy: Policy) -> "PolicyPointer":
        """The pointer that makes `policy` active: a live change, or none if it is what was deployed.

        Raises:
            PolicyPointerError: it is another policy.
        """
        if policy.name != self.name:
            raise PolicyPointerError(f"the pointer is of policy {self.name}, not of {policy.name}")
        deployed = None if policy.hash == self.shipped.hash else self.shipped
        return PolicyPointer(policy.name, policy.version, policy.hash, deployed)


def read_recorded_policy(text: str | bytes, expected_hash: str) -> Policy:
    """Read a policy's document from the work bucket.

    Raises:
        PolicyPointerError: it is not the document that the hash was taken of.
    """
    try:
        policy = Policy.from_document(json.loads(text))
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, PolicyError) else f"not JSON: {error}"
        raise PolicyPointerError(f"{policy_key(expected_hash)} is no policy: {reason}") from error
    if policy.hash != expected_hash:
        raise PolicyPointerError(f"{policy_key(expected_hash)} holds a policy of another hash, {policy.hash}")
    return policy


def _text(document: object, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    if not is_text(value) or not value:
        raise PolicyPointerError(f"the pointer has no {key}")
    return value
