"""`review approve`: a person decides that uploads are APPROVED."""

from functools import partial
from typing import Annotated

import typer

from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.acting import Acting, ActRequest, Replace, about_uploads
from gatehouse.cli.review.reviewer import ReasonCode, reason_code
from gatehouse.moderation.decision import decide
from gatehouse.moderation.status import Status


@about_deployment
@about_uploads
def approve(
    request: ActRequest,
    invocation: Invocation,
    uploads: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OBJECT@VERSION",
            help="s3://bucket/key, or a key of the uploads bucket, with `version` of its flag, or the version id of S3 "
            "(`null` for an upload that no version names).",
            show_default=False,
        ),
    ] = None,
    reason: ReasonCode = None,
    replace: Replace = False,
    unanalyzed: Annotated[
        bool,
        typer.Option("--unanalyzed", help="Approve even what was never analyzed, such as UNSUPPORTED and FAILED."),
    ] = False,
) -> None:
    """Approve uploads, each by its version, and only if S3 still has these bytes.

    Whatever status they have is replaced, except PENDING; policies do not change it again, later decisions do. What
    another person decided is left alone without --replace, and what no engine analyzed without --unanalyzed. In a
    --file of JSON, each entry says what you saw: what has changed since is left alone, and the rest is decided. What
    you approved for this reason already is skipped, so the same file may be given again. Exits with 1 if some are not
    decided.
    """
    Acting(
        act=partial(decide, Status.APPROVED),
        status=Status.APPROVED,
        reason=partial(reason_code, code=reason),
        names_versions=True,
        replaces=replace,
        unanalyzed=unanalyzed,
    ).run(invocation, request, uploads)
