"""The ledger: what was uploaded, and which final statuses are right for it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gatehouse.moderation.engine import Engine
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import Verdict
from tests.e2e.images import ANIMATED, BLOCKED, CLEAN, RENDERED, RENDERED_BLOCKED, REVIEW, image


class Kind(StrEnum):
    """A kind of bytes, with one right status."""

    CLEAN = "clean"
    BLOCKED = "blocked"
    REVIEW = "review"
    ARMED = "armed"
    SMOKING = "smoking"
    ANIMATED = "animated"
    RENDERED = "rendered"
    RENDERED_BLOCKED = "rendered and blocked"
    TEXT = "text"
    EMPTY = "empty"

    @property
    def body(self) -> bytes:
        """The bytes that are uploaded."""
        return _BODIES[self]

    @property
    def status(self) -> Status:
        """What an upload of these bytes has to become, unless a fault keeps it from being analyzed at all."""
        return _STATUSES[self]

    @property
    def is_paid(self) -> bool:
        """Whether an analysis of it gives an answer, which is what Rekognition charges for."""
        return self not in (Kind.TEXT, Kind.EMPTY)


_BODIES: Mapping[Kind, bytes] = {
    Kind.CLEAN: CLEAN,
    Kind.BLOCKED: BLOCKED,
    Kind.REVIEW: REVIEW,
    Kind.ARMED: image("Weapons", 85.0),
    Kind.SMOKING: image("Smoking", 96.0),
    Kind.ANIMATED: ANIMATED,
    Kind.RENDERED: RENDERED,
    Kind.RENDERED_BLOCKED: RENDERED_BLOCKED,
    Kind.TEXT: b"no image",
    Kind.EMPTY: b"",
}
_STATUSES: Mapping[Kind, Status] = {
    Kind.CLEAN: Status.APPROVED,
    Kind.BLOCKED: Status.BLOCKED,
    Kind.REVIEW: Status.REVIEW,
    Kind.ARMED: Status.APPROVED,
    Kind.SMOKING: Status.REVIEW,
    Kind.ANIMATED: Status.UNSUPPORTED,
    Kind.RENDERED: Status.APPROVED,
    Kind.RENDERED_BLOCKED: Status.BLOCKED,
    Kind.TEXT: Status.UNSUPPORTED,
    Kind.EMPTY: Status.UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An upload.

    Attributes:
        is_gone: its version was deleted before it could be analyzed.
    """

    key: str
    version_id: str
    kind: Kind
    is_gone: bool = False


@dataclass(slots=True)
class Ledger:
    """The uploads of a run; those of one key in the order in which they were made.

    Attributes:
        legitimate_failures: codes of errors with which an upload may end FAILED, because that is what was injected.
        failing: key -> the same for the uploads of this one only, as where its image was poisoned.
        paid_again: analyses beyond one for each upload that the injected faults justify, in all.
        dead_letters: messages that belong in a dead-letter queue.
        changes: what people's acts made of verdicts, one after the other of each upload.
        undone: what acts that were refused would have made of them.
        given_up: how many of the changes Outcomes cannot announce.
    """

    legitimate_failures: frozenset[str] = frozenset()
    paid_again: int = 0
    dead_letters: int = 0
    failing: dict[str, frozenset[str]] = field(default_factory=dict)
    changes: list[Verdict] = field(default_factory=list)
    undone: list[Verdict] = field(default_factory=list)
    given_up: int = 0
    _entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    _versions: dict[str, list[str]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Write down an upload; one that is written down already is replaced, as where its version was deleted."""
        if self.find(entry.key, entry.version_id) is None:
            self._versions.setdefault(entry.key, []).append(entry.version_id)
        self._entries[entry.key, entry.version_id] = entry

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, key: str, version_id: str | None) -> Entry | None:
        """The upload of a version, or None if nobody made it."""
        return self._entries.get((key, version_id or ""))

    @property
    def newest(self) -> Mapping[str, str]:
        """Key -> version id of its newest upload."""
        return {key: versions[-1] for key, versions in self._versions.items()}

    def paid_uploads(self) -> Counter[str]:
        """Key -> how many of its uploads an analysis is paid for.

        Also for one that holds no picture, if one was stored over it: a job reads what is current.
        """
        return Counter(entry.key for entry in self if self._is_paid(entry))

    def _is_paid(self, entry: Entry) -> bool:
        overwritten = entry.kind is not Kind.EMPTY and any(newer.kind.is_paid for newer in self.newer(entry))
        return entry.kind.is_paid or overwritten

    def right_statuses(self, entry: Entry, engine: str | None, error_code: str | None) -> frozenset[Status]:
        """The final statuses an upload may have, where its verdict was reached by this engine or with this error.

        A job reads what is current. Only approvals are confirmed against what is stored, so what a job says of a newer
        upload's bytes may stand for an older one, unless it is an approval.
        """
        if entry.is_gone:
            return FINAL - {Status.APPROVED}
        right = {entry.kind.status}
        if entry.kind is not Kind.EMPTY and error_code in self._failures(entry):
            right.add(Status.FAILED)
        if engine == Engine.BULK and entry.kind is not Kind.EMPTY:
            right |= {newer.kind.status for newer in self.newer(entry)} - {Status.APPROVED}
        return frozenset(right)

    def _failures(self, entry: Entry) -> frozenset[str]:
        """The codes of errors with which this upload may end FAILED."""
        return self.legitimate_failures | self.failing.get(entry.key, frozenset())

    def newer(self, entry: Entry) -> Iterator[Entry]:
        """The uploads of the same key that were made later."""
        versions = self._versions[entry.key]
        for version_id in versions[versions.index(entry.version_id) + 1 :]:
            yield self._entries[entry.key, version_id]


def to_be_rendered(prefix: str, count: int) -> Iterator[tuple[str, Kind]]:
    """Keys under `prefix` of pictures that Rekognition does not read, every third one flagged, and a text."""
    for number in range(count - 1):
        yield f"{prefix}{number:03}.webp", Kind.RENDERED if number % 3 else Kind.RENDERED_BLOCKED
    yield f"{prefix}{count - 1:03}.webp", Kind.TEXT


def mixed(prefix: str, count: int) -> Iterator[tuple[str, Kind]]:
    """Keys under `prefix` with kinds of every sort: half of them flagged, so that 24 need two PublishBatch calls."""
    pattern = (Kind.CLEAN, Kind.BLOCKED, Kind.CLEAN, Kind.REVIEW, Kind.CLEAN, Kind.BLOCKED)
    for number in range(count):
        last = {count - 1: Kind.TEXT, count - 2: Kind.EMPTY, count - 4: Kind.ANIMATED}
        kind = last.get(number, pattern[number % len(pattern)])
        yield f"{prefix}{number:03}.jpg", kind
