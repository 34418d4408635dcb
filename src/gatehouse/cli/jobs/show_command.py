"""`jobs show`: a media analysis job, its errors and its results."""

from itertools import islice
from typing import Annotated

import typer

from gatehouse.cli.aws.analysis_jobs import AnalysisJob, AnalysisJobs
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.jobs.list_command import job_document
from gatehouse.cli.output import Output
from gatehouse.console import printable
from gatehouse.moderation.analysis import ResultLine, labels_document
from gatehouse.moderation.manifest_summary import ManifestSummary


@about_deployment
def show(
    invocation: Invocation,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as in `jobs list` or in a verdict's item.")],
    results: Annotated[int, typer.Option("--results", min=0, metavar="N", help="Show this many results.")] = 20,
    errors: Annotated[int, typer.Option("--errors", min=0, metavar="N", help="Show this many errors.")] = 20,
) -> None:
    """Show a media analysis job: its status, counts and errors, and its results as a table.

    Results are what Rekognition found, without a verdict; `batch show` shows what became of the batch.
    """
    out, deployment = invocation.out, invocation.deployment
    jobs = AnalysisJobs.of(invocation.connection, deployment)
    found = jobs.find(job)
    # Other people's files are not read.
    summary = jobs.summary_of(found) if found.batch_id else None
    lines = list(islice(jobs.results_of(found), results)) if found.batch_id else []
    shown = summary.errors[:errors] if summary else ()
    out.document(
        {
            **job_document(found, summary),
            "errors": [error.to_document() for error in shown],
            "results_shown": [
                {"object": line.source, "labels": labels_document(line.analysis) if line.analysis else None}
                for line in lines
            ],
        }
    )
    _show_job(out, found, summary)
    if summary and shown:
        table = out.table("Images that were not analyzed", "Line", "Object", "Code", "Message", sentences={"Message"})
        for error in shown:
            cells = (error.line, error.source, error.code, error.message)
            table.add_row(*(printable("" if cell is None else str(cell)) for cell in cells))
        out.show(table)
        if len(summary.errors) > len(shown):
            out.say(f"There are {len(summary.errors):,}; --errors shows more.")
    if lines:
        table = out.table("Results", "Object", "Labels", sentences={"Labels"})
        for line in lines:
            table.add_row(printable(line.source), printable(label_words(line)))
        out.show(table)
    elif found.results and results:
        out.say("No results are left: the job is not this deployment's, or its files have expired.")


def _show_job(out: Output, job: AnalysisJob, summary: ManifestSummary | None) -> None:
    out.say(f"{job.id}: {job.status}, created {job.created_at}, {_ended(job)}")
    if job.failure:
        out.say(f"  {job.failure[0]}: {job.failure[1]}", style="red")
    if job.batch_id:
        out.say(f"  batch {job.batch_id}; see `{COMMAND} batch show {job.batch_id}`")
    else:
        out.say("  not a job of this deployment")
    model = f"model {job.model_version}" if job.model_version else "model not known yet"
    confidence = "" if job.min_confidence is None else f", labels from {job.min_confidence:g}"
    out.say(f"  {model}{confidence}{f', adapter {job.adapter}' if job.adapter else ''}")
    if summary:
        counts = (summary.lines, summary.analyzed, summary.failed)
        lines, analyzed, failed = ("?" if count is None else f"{count:,}" for count in counts)
        out.say(f"  {lines} images: {analyzed} analyzed, {failed} not")


def _ended(job: AnalysisJob) -> str:
    return f"ended {job.completed_at}" if job.completed_at else "not ended"


def label_words(line: ResultLine) -> str:
    """The labels of a result for people, the most certain first."""
    if line.analysis is None:
        return "not analyzed"
    found = sorted(line.analysis.labels, key=lambda label: -label.confidence)
    return ", ".join(f"{label.name} {label.confidence:g}" for label in found) or "none"
