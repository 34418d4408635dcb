"""Where an upload stands: its verdict, the claim of its batch, or why it has neither."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.ago import duration_words, seconds_since
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.failure_advice import about
from gatehouse.cli.policy.explanation_report import policy_words, reason_line
from gatehouse.cli.review.verdict_report import decision_lines
from gatehouse.cli.verdict.absence import Absence
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.confirmation import UNREPEATABLE
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.person import is_person
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS, claim_from_item, history_document, verdict_from_item


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an upload stands at a moment; one of `verdict`, `claim` and `absence` is there.

    Attributes:
        uri: `s3://bucket/key`.
        verdict: the final one.
        claim: of the batch that has it, while it is PENDING.
        absence: why there is no item.
        earlier: where an older upload of the object stands, if what the bucket has now has no item.
        note: what else is to be known, such as that the object is deleted.
    """

    uri: str
    verdict: Verdict | None = None
    claim: Claim | None = None
    absence: Absence | None = None
    earlier: "Standing | None" = None
    note: str | None = None

    @classmethod
    def of_item(cls, uri: str, item: Item) -> "Standing":
        """Where the upload of an item stands.

        Raises:
            CommandError: the item can't be read.
        """
        try:
            if item[STATUS] == Status.PENDING:
                return cls(uri, claim=claim_from_item(item))
            return cls(uri, verdict=verdict_from_item(item))
        except MISSHAPEN as error:
            raise CommandError(
                f"The verdict of {uri} was written by another version of Gatehouse or by hand ({error!r}). Use the "
                "version that wrote it."
            ) from error

    @property
    def upload(self) -> Upload | None:
        """The upload that it is about; None without an item."""
        held = self.verdict.claim if self.verdict else self.claim
        return held.upload if held else None

    @property
    def is_settled(self) -> bool:
        """Whether it is final, or nothing will come by itself."""
        return self.verdict is not None or (self.absence is not None and not self.absence.may_end)

    @property
    def status(self) -> Status | None:
        """The upload's status; None without an item."""
        if self.verdict is not None:
            return self.verdict.status
        return Status.PENDING if self.claim else None

    def why(self, now: datetime) -> str:
        """Why it stands so, in one line."""
        if self.verdict is not None:
            return why_line(self.verdict)
        if self.claim is not None:
            waited = duration_words(seconds_since(self.claim.claimed_at, now))
            return f"batch {self.claim.batch_id} of lane {self.claim.lane} has had it for {waited}"
        return "there is no verdict of it"

    @property
    def by(self) -> str | None:
        """Who gave the verdict: a policy with its version, or a person."""
        verdict = self.verdict
        if verdict is None:
            return None
        if is_person(verdict.decided_by):
            return verdict.decided_by_name or verdict.decided_by
        return policy_words(verdict.policy) if verdict.policy else None

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do next, in sentences."""
        if self.claim is not None:
            return (f"`{COMMAND} batch show {self.claim.batch_id}` says how far it is.",)
        if self.verdict is None:
            return ()
        return tuple(_advice(self.uri, self.verdict))

    def to_document(self, now: datetime, *, with_history: bool) -> dict[str, Any]:
        """All of it for scripts; `status` is null where there is no verdict, and `absence` says why."""
        verdict = self.verdict
        held = verdict.claim if verdict else self.claim
        document: dict[str, Any] = {
            "object": self.uri,
            "version": held and held.upload.version,
            "version_id": held and held.upload.version_id,
            "uploaded_at": held and held.upload.uploaded_at,
            "lane": held and held.lane,
            "batch_id": held and held.batch_id,
            "claimed_at": held and held.claimed_at,
            "status": self.status and self.status.value,
            "why": self.why(now),
            "decided_at": verdict and verdict.decided_at,
            "decided_by": verdict and verdict.decided_by,
            "decided_by_name": verdict and verdict.decided_by_name,
            "policy": verdict and verdict.policy and verdict.policy.to_document(),
            "absence": self.absence.to_document() if self.absence else [],
            "note": self.note,
            "earlier": self.earlier.brief(now) if self.earlier else None,
        }
        if with_history:
            document["history"] = history_document(verdict.history) if verdict else []
        return document

    def brief(self, now: datetime) -> dict[str, Any]:
        """What tells an older upload from others, and its status, for scripts."""
        return {
            "version": self.upload and self.upload.version,
            "version_id": self.upload and self.upload.version_id,
            "uploaded_at": self.upload and self.upload.uploaded_at,
            "status": self.status and self.status.value,
            "why": self.why(now),
        }


def _advice(uri: str, verdict: Verdict) -> Iterator[str]:
    """What to do next, by the status."""
    code = verdict.failure.code if verdict.failure else None
    match verdict.status:
        case Status.REVIEW:
            yield (
                f"It waits for a person: `{COMMAND} review list` names it as `review approve` takes it, or "
                f"`{COMMAND} review open`."
            )
        case Status.FAILED:
            if sentence := code and about(code):
                yield sentence
            if code and code not in UNREPEATABLE:
                yield (
                    f"`{COMMAND} retry --status FAILED --code {shlex.quote(code)}` has such uploads analyzed again, "
                    "once the cause is gone."
                )
        case Status.UNSUPPORTED:
            yield f"This format, size or file is not read by lane {verdict.claim.lane} (`formats`)."
            if sentence := code and about(code):
                yield sentence
        case _:
            yield f"`{COMMAND} policy explain {shlex.quote(uri)}` says what would have led elsewhere."


def why_line(verdict: Verdict) -> str:
    """Why a verdict is what it is, in one line: a person's words, the failure, or what fired first."""
    if said := next(decision_lines(verdict), None):
        return said
    if verdict.failure:
        return f"{verdict.failure.code}: {verdict.failure.message}"
    if not verdict.reasons:
        return "no label reached a threshold"
    more = len(verdict.reasons) - 1
    return f"{reason_line(verdict.reasons[0])}{f' (and {more} more)' if more else ''}"
