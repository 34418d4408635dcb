"""`review confirm`: a person looked at samples, and agrees with the policy that approved them."""

from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.acting import Acting, ActRequest, about_uploads
from gatehouse.cli.review.named_upload import UploadNames
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import confirm as confirmation_of
from gatehouse.moderation.status import Status


@about_deployment
@about_uploads
def confirm(request: ActRequest, invocation: Invocation, uploads: UploadNames = None) -> None:
    """Confirm samples: you looked at them, and they are rightly APPROVED. `review list --samples` lists them.

    Their verdicts remain the policy's, so that a stricter policy can still change them. What should not have been
    approved, block with `review block`. Exits with 1 if some are no samples, or are gone.
    """
    Acting(
        act=lambda person, decision, at: confirmation_of(person, decision.note, at),
        status=Status.APPROVED,
        reason=lambda _: Cause.CONFIRMATION.value,
        names_versions=True,
    ).run(invocation, request, uploads)
