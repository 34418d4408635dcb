"""Helpers for the pollers of event source mappings: permissions of their role, and their next poll."""

import contextvars
from collections.abc import Iterable, Mapping
from threading import Timer
from typing import Any

from ministack import app
from ministack.core.concurrency import esm_wake
from ministack.services import lambda_svc

from localcloud.patches import authorization
from localcloud.patches.seam import Seam

SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.core.concurrency", "esm_wake"),
    Seam("ministack.services.lambda_svc", "_get_func_record_for_qualifier", ("name", "qualifier")),
)


def denied_action(mapping: Mapping[str, Any], actions: Iterable[str], resource: str) -> str | None:
    """The first of these actions on a resource that the mapping's function's role is denied; None if all are allowed.

    Args:
        mapping: contains `FunctionName` and perhaps `Qualifier`; the function exists.
        actions: IAM actions.
        resource: the resource's ARN.
    """
    if not app.AUTH:
        return None
    _, configuration = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    access_key = authorization.role_access_key(configuration["Role"])
    return next((action for action in actions if authorization.denial(access_key, action, resource)), None)


def wake_after(seconds: float) -> None:
    """Make the pollers poll after this time."""
    timer = Timer(seconds + 0.01, contextvars.copy_context().run, args=(esm_wake.set,))
    timer.daemon = True
    timer.start()
