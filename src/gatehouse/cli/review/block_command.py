"""`review block`: a person decides that uploads are BLOCKED."""

from functools import partial

from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.acting import Acting, ActRequest, Replace, about_uploads
from gatehouse.cli.review.named_upload import UploadNames
from gatehouse.cli.review.reviewer import ReasonCode, reason_code
from gatehouse.moderation.decision import decide
from gatehouse.moderation.status import Status


@about_deployment
@about_uploads
def block(
    request: ActRequest,
    invocation: Invocation,
    uploads: UploadNames = None,
    reason: ReasonCode = None,
    replace: Replace = False,
) -> None:
    """Block uploads. A key alone means its newest upload.

    Whatever status they have is replaced, except PENDING; policies do not change it again, later decisions do. What
    another person decided is left alone without --replace. In a --file of JSON, each entry says what you saw: what has
    changed since is left alone, and the rest is decided. What you blocked for this reason already is skipped, so the
    same file may be given again. No object is deleted. Exits with 1 if some are not decided.
    """
    Acting(
        act=partial(decide, Status.BLOCKED),
        status=Status.BLOCKED,
        reason=partial(reason_code, code=reason),
        replaces=replace,
    ).run(invocation, request, uploads)
