"""Decides which FAILED uploads are retried, and why others are not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.cli.batch.failed_uploads import FailedUpload
from gatehouse.cli.batch.resubmission import Resubmission
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.moderation.confirmation import UNREPEATABLE


@dataclass(slots=True)
class RetryPlan:
    """FAILED uploads, sorted by whether and why they are retried.

    Attributes:
        codes: only those with one of these error codes; empty for any code that a retry may help.
        going: those that are retried, and those that no longer match any lane.
        by_people: those that a person decided; they are left alone.
        unrepeatable: those that a retry can't help, by code.
        other_codes: those with codes that were not selected.
    """

    codes: frozenset[str]
    going: Resubmission[FailedUpload]
    by_people: list[FailedUpload] = field(default_factory=list)
    unrepeatable: Counter[str] = field(default_factory=Counter)
    other_codes: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, uploads: Iterable[FailedUpload], codes: Iterable[str], lanes: DeployedLanes) -> "RetryPlan":
        """Sort uploads."""
        plan = cls(frozenset(codes), Resubmission(lanes))
        for failed in uploads:
            plan._add(failed)
        return plan

    def _add(self, failed: FailedUpload) -> None:
        if self.codes and failed.code not in self.codes:
            self.other_codes[failed.code] += 1
        elif failed.decided_by is not None:
            self.by_people.append(failed)
        elif not self.codes and failed.code in UNREPEATABLE:
            self.unrepeatable[failed.code] += 1
        else:
            self.going.add(failed)

    def to_document(self, *, dry_run: bool) -> dict[str, Any]:
        """The uploads that were or would be put back, and those left alone; for scripts."""
        back = counted(self.going.by_lane if dry_run else self.going.sent)
        return {
            "put_back": [{"code": code, "lane": lane, "count": count} for (code, lane), count in sorted(back.items())],
            "refused": self.going.refused,
            "decided_by_people": [
                {"object": failed.upload.object, "version": failed.upload.version, "decided_by": failed.decided_by}
                for failed in self.by_people
            ],
            "outside_every_lane": [
                {"object": failed.upload.object, "version": failed.upload.version, "code": failed.code}
                for failed in self.going.unowned
            ],
            "not_worth_a_try": dict(self.unrepeatable.most_common()),
            "other_codes": dict(self.other_codes.most_common()),
        }


def counted(by_lane: Mapping[str, Iterable[FailedUpload]]) -> Counter[tuple[str, str]]:
    """The number of uploads by code and lane."""
    return Counter((failed.code, lane) for lane, uploads in by_lane.items() for failed in uploads)
