"""Decisions that are not written to the table yet, in a file: what could not be sent is listed at the next start.

Each app has a file of its own, which it keeps locked. A file that nobody locks belongs to an app that is gone: its
decisions are taken over, and the file is deleted.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from gatehouse.aws.verdict_table import Identity
from gatehouse.moderation.decision import Decision
from gatehouse.moderation.document import MISSHAPEN, optional_text, text
from gatehouse.moderation.status import Status

_ENDING = ".jsonl"
#: The file of what was skipped, of all apps.
SKIPS = "skips.log"


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision that was made on the page.

    Attributes:
        id: of the entry.
        status: APPROVED or BLOCKED.
        by: `person:<id>`.
        at: when it was made; ISO 8601, UTC.
        why: why it was not sent, as a sentence without a period; None if nobody knows.
    """

    id: str
    identity: Identity
    status: Status
    decision: Decision
    by: str
    at: str
    why: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The entry as a line of the file has it, and the page."""
        uri, version = self.identity
        return {
            "id": self.id,
            "object": uri,
            "version": version,
            "status": self.status.value,
            "reason": self.decision.reason,
            "note": self.decision.note,
            "by": self.by,
            "at": self.at,
            "why": self.why,
        }

    @classmethod
    def from_document(cls, document: Any) -> "Entry":
        """Read an entry of the file.

        Raises:
            one of `MISSHAPEN`: it is malformed.
        """
        return cls(
            id=text(document["id"]),
            identity=(text(document["object"]), text(document["version"])),
            status=Status(document["status"]),
            decision=Decision(text(document["reason"]), optional_text(document["note"])),
            by=text(document["by"]),
            at=text(document["at"]),
            why=optional_text(document["why"]),
        )


class Journal:
    """The file of this app.

    Args:
        folder: of one deployment's journals; it is created, for this user only.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{uuid.uuid4().hex}{_ENDING}"
        self._skips = folder / SKIPS
        self._file = _locked(self._path, create=True)
        #: What apps that are gone could not send.
        self.unsent: list[Entry] = []
        for path in sorted(folder.glob(f"*{_ENDING}")):
            if path != self._path:
                self._take_over(path)

    def write(self, entry: Entry) -> None:
        """Note a decision, or why it was not sent. It is on the disk when this returns.

        Raises:
            OSError: the disk does not take it; the file is as it was.
        """
        self._append({"decided": entry.to_document()})

    def settle(self, entry_id: str, how: str) -> None:
        """Note that a decision needs nothing more: `sent`, `undone`, `lost`, or `dismissed`.

        What a full disk does not take is listed once more at the next start.
        """
        with suppress(OSError):
            self._append({"settled": entry_id, "how": how})

    def skipped(self, identity: Identity, by: str, at: str) -> None:
        """Note that a reviewer passed an upload on. This file is kept; nothing reads it but people.

        Raises:
            OSError: the disk does not take it.
        """
        uri, version = identity
        line = json.dumps({"at": at, "by": by, "object": uri, "version": version})
        with os.fdopen(os.open(self._skips, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{line}\n")

    def close(self, *, is_empty: bool) -> None:
        """Give the file up; delete it if nothing in it waits to be sent."""
        if is_empty:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def _append(self, document: dict[str, Any]) -> None:
        line, descriptor = f"{json.dumps(document)}\n".encode(), self._file.fileno()
        size = os.fstat(descriptor).st_size
        try:
            while line:
                line = line[os.write(descriptor, line) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):  # half a line would spoil the next one
                os.ftruncate(descriptor, size)
            raise

    def _take_over(self, path: Path) -> None:
        try:
            file = _locked(path)
        except OSError:  # another app has it, or has just deleted it
            return
        with file:
            for entry in _unsettled(file.read().decode(errors="replace")):
                taken = entry if entry.why else replace(entry, why="the page was stopped before it was sent")
                self.write(taken)
                self.unsent.append(taken)
            path.unlink(missing_ok=True)


def _locked(path: Path, *, create: bool = False) -> IO[bytes]:
    """The file, open and locked.

    Raises:
        OSError: another process has locked it, or it is not there.
    """
    flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0)
    file = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _unsettled(written: str) -> Iterator[Entry]:
    """The decisions that were noted and not settled; a line that was cut by a crash counts as not written."""
    found: dict[str, Entry] = {}
    for line in written.splitlines():
        try:
            document = json.loads(line)
            if "decided" in document:
                entry = Entry.from_document(document["decided"])
                found[entry.id] = entry
            elif "settled" in document:
                found.pop(document["settled"], None)
        except MISSHAPEN:
            continue
    yield from found.values()
