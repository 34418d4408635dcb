"""An upload for the page's script: how it is named, and how it looks."""

from typing import Any

from gatehouse.moderation.verdict import Verdict
from gatehouse.review.bench import Bench
from gatehouse.review.desk import waits_as_sample
from gatehouse.review.rendering import rendered

#: Templates: one upload with all that is known of it, and one among many.
UPLOAD, TILE = "upload.html", "tile.html"


def upload_document(bench: Bench, verdict: Verdict, template: str) -> dict[str, Any]:
    """The upload, drawn with one of the templates."""
    shown = bench.shown(verdict)
    return {
        "object": verdict.upload.object,
        "version": verdict.upload.version,
        "name": shown.name,
        "says": f"{shown.key}, {shown.why}" if shown.why else shown.key,
        "status": verdict.status.value,
        "isSample": waits_as_sample(verdict),
        "picture": shown.picture,
        "size": verdict.upload.size,
        "html": rendered(template, {"upload": shown, "verdict": verdict}),
    }
