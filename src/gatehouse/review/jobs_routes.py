"""The page of media analysis jobs: what Amazon's console showed for Bulk Analysis."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatehouse.cli.ago import ago
from gatehouse.cli.aws.analysis_jobs import AnalysisJob, AnalysisJobs
from gatehouse.cli.jobs.list_command import JobStatus, failure_codes
from gatehouse.cli.jobs.show_command import label_words
from gatehouse.console import spelled_out
from gatehouse.moderation.manifest_summary import ManifestSummary
from gatehouse.review.bench import AGES, Bench
from gatehouse.review.endpoint import report

#: Jobs, errors and results on one page.
MOST_JOBS, MOST_ROWS = 50, 100
_DEFAULT_AGE = "7d"


def routes(bench: Bench) -> list[Route]:
    """The routes, for one reviewer."""

    async def jobs(request: Request) -> Response:
        asked = request.query_params
        if job_id := asked.get("job"):
            return await report(bench, request, "job.html", lambda: _one(bench, job_id))
        return await report(bench, request, "jobs.html", lambda: _listed(bench, asked))

    return [Route("/jobs", jobs)]


def _listed(bench: Bench, asked: Mapping[str, str]) -> dict[str, Any]:
    age, status = asked.get("age", _DEFAULT_AGE), asked.get("status") or None
    since, jobs = bench.since({"age": age}), AnalysisJobs.of(bench.connection, bench.deployment)
    wanted = (job for job in jobs.listed(since) if job.batch_id is not None and status in (None, job.status))
    found = list(islice(wanted, MOST_JOBS + 1))
    return {
        "filters": {"age": age, "status": status or ""},
        "ages": AGES,
        "statuses": list(JobStatus),
        "jobs": [_shown(bench, job, jobs.summary_of(job)) for job in found[:MOST_JOBS]],
        "has_more": len(found) > MOST_JOBS,
    }


def _one(bench: Bench, job_id: str) -> dict[str, Any]:
    jobs = AnalysisJobs.of(bench.connection, bench.deployment)
    job = jobs.find(job_id)
    summary = jobs.summary_of(job) if job.batch_id else None  # other people's files are not read
    errors = summary.errors if summary else ()
    results = list(islice(jobs.results_of(job), MOST_ROWS + 1)) if job.batch_id else []
    return {
        "job": _shown(bench, job, summary),
        "message": spelled_out(job.failure[1]) if job.failure else None,
        "model": job.model_version,
        "adapter": job.adapter,
        "errors": [
            [spelled_out("" if cell is None else str(cell)) for cell in (one.line, one.source, one.code, one.message)]
            for one in errors[:MOST_ROWS]
        ],
        "more_errors": max(0, len(errors) - MOST_ROWS),
        "results": [(spelled_out(line.source), spelled_out(label_words(line))) for line in results[:MOST_ROWS]],
        "has_more_results": len(results) > MOST_ROWS,
    }


def _shown(bench: Bench, job: AnalysisJob, summary: ManifestSummary | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status,
        "batch": job.batch_id,
        "created": ago(job.created_at, bench.clock.now()),
        "created_at": job.created_at,
        "completed_at": job.completed_at,
        "lines": summary.lines if summary else None,
        "analyzed": summary.analyzed if summary else None,
        "failed": summary.failed if summary else None,
        "codes": spelled_out(failure_codes(job, summary)),
    }
