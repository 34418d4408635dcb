"""`jobs list`: the media analysis jobs of a deployment's batches."""

from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer

from gatehouse.cli.aws.analysis_jobs import AnalysisJob, AnalysisJobs
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.manifest_summary import ManifestSummary

CLOCK = Clock()


class JobStatus(StrEnum):
    """A job's status (API reference, MediaAnalysisJobDescription)."""

    CREATED = "CREATED"
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@about_deployment
def list_jobs(
    invocation: Invocation,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only jobs that were created since: 12h, 30d, or an ISO date (UTC).")
    ] = "7d",
    status: Annotated[JobStatus | None, typer.Option(case_sensitive=False, help="Only jobs in this status.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also the account's jobs that are not this deployment's.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="List at most this many.")] = 50,
) -> None:
    """List media analysis jobs (Bulk Analysis), the newest first: batch, status, and how many images failed.

    `jobs show` shows a job's errors and results. AWS knows a job for a year; counts are in the work bucket, for as long
    as its files are kept.
    """
    out, now = invocation.out, CLOCK.now()
    jobs = AnalysisJobs.of(invocation.connection, invocation.deployment)
    beginning = parse_since(since, now)
    wanted = (
        job for job in jobs.listed(beginning) if (every or job.batch_id is not None) and status in (None, job.status)
    )
    found = [(job, jobs.summary_of(job) if job.batch_id else None) for job in islice(wanted, limit)]
    out.document([job_document(job, summary) for job, summary in found])
    if not found:
        out.say(f"No job since {beginning}.")
        return
    table = out.table("Jobs, the newest first", "Job", "Status", "Created", "Batch", "Images", "Failed", "Why")
    for job, summary in found:
        counts = (summary.lines, summary.failed) if summary else (None, None)
        why = failure_codes(job, summary)
        cells = (job.id, job.status, out.when(job.created_at, now), job.batch_id or "", *map(_count, counts), why)
        table.add_row(*(printable(cell) for cell in cells))
    out.show(table)
    out.say(f"`{COMMAND} jobs show` with an id shows a job's errors and results.")


def job_document(job: AnalysisJob, summary: ManifestSummary | None) -> dict[str, Any]:
    """A job for scripts."""
    return {**job.to_document(), "images": summary.to_document() if summary else None}


def failure_codes(job: AnalysisJob, summary: ManifestSummary | None) -> str:
    """Why a job failed, or some of its images; empty for neither."""
    return job.failure[0] if job.failure else ", ".join(summary.codes) if summary else ""


def _count(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
