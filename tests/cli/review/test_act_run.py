"""Thousands of uploads in one run, against a table in memory."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from gatehouse.aws.verdict_table import Identity, Item
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.review.act_run import ActReport, ActRun, Outcome
from gatehouse.cli.review.named_upload import named_uploads
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.review.conftest import KIM, MO, acts, approved_by, blocked_by, in_review
from tests.unit.builders import NOON, uploads


class TableInMemory(OperatorsVerdictTable):
    """Holds verdicts, each under its revision."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self.verdicts = {verdict.upload.identity: verdict for verdict in verdicts}
        self.writes = 0

    def read(self, identities: Iterable[Identity], attributes: Sequence[str] = ()) -> Iterator[list[Item]]:
        yield [verdict_item(self.verdicts[identity]) for identity in identities if identity in self.verdicts]

    def rewrite(self, before: Verdict, after: Verdict, expires_at: int | None) -> bool:
        self.writes += 1
        identity = before.upload.identity
        if self.verdicts[identity].revision != before.revision:
            return False
        self.verdicts[identity] = after
        return True


def run(table: TableInMemory, written: str) -> tuple[ActReport, list[int]]:
    """Mo blocks what is written."""
    report = ActReport()
    told: list[int] = []
    bucket: Any = None
    uploads_bucket = OperatorsUploadBucket(bucket, finds_animations=False)
    clock = Clock(now=lambda: NOON + timedelta(hours=3))
    ActRun(lambda at: blocked_by(MO, at), table, uploads_bucket, None, clock, replaces=True).run(
        named_uploads(written, "uploads"), report, tell=told.append
    )
    return report, told


def test_a_file_of_thousands_is_decided_in_order_and_may_be_given_again() -> None:
    held = uploads(3000)
    table = TableInMemory(
        acts(in_review(upload), approved_by(KIM)) if n % 3 else in_review(upload) for n, upload in enumerate(held)
    )
    written = "".join(f"{upload.object}@{upload.version}\n" for upload in held)

    report, told = run(table, written)

    assert report.counts == {Outcome.DONE: 3000}
    assert [one.identity for one in report.uploads] == [upload.identity for upload in held]
    assert told == list(range(1, 3001))
    assert {verdict.decided_by for verdict in table.verdicts.values()} == {"person:mo"}

    again, _ = run(table, written)

    assert again.counts == {Outcome.ALREADY: 3000}
    assert table.writes == 3000
