"""`review appeal`: the owner of BLOCKED uploads asks for another look."""

from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.acting import Acting, ActRequest, about_uploads
from gatehouse.cli.review.named_upload import UploadNames
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import appeal as appeal_of
from gatehouse.moderation.status import Status


@about_deployment
@about_uploads
def appeal(request: ActRequest, invocation: Invocation, uploads: UploadNames = None) -> None:
    """Send BLOCKED uploads back to REVIEW, as their owner asks for another look.

    The reason is `appeal`, and you are noted as who took it in. What a person had blocked, another one has to decide.
    What you sent back already is skipped, so the same file may be given again. Exits with 1 if some are not BLOCKED.
    """
    Acting(act=appeal_of, status=Status.REVIEW, reason=lambda _: Cause.APPEAL.value).run(invocation, request, uploads)
