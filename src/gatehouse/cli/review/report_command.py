"""`review report`: somebody complains about APPROVED uploads."""

from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.acting import Acting, ActRequest, about_uploads
from gatehouse.cli.review.named_upload import UploadNames
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import report as report_of
from gatehouse.moderation.status import Status


@about_deployment
@about_uploads
def report(request: ActRequest, invocation: Invocation, uploads: UploadNames = None) -> None:
    """Send APPROVED uploads back to REVIEW, as somebody complained about them. Do not show them until then.

    The reason is `report`, and you are noted as who took it in. What a person had approved, another one has to decide.
    What you sent back already is skipped, so the same file may be given again. Exits with 1 if some are not APPROVED.
    """
    Acting(act=report_of, status=Status.REVIEW, reason=lambda _: Cause.REPORT.value).run(invocation, request, uploads)
