"""Loopback counts as TLS.

AWS: `aws:SecureTransport` is true for a request over HTTPS; bucket, queue and topic policies deny the others.
ministack 1.5.33: the key is true only with TLS, so a policy with that statement denies all requests to a plain HTTP
endpoint. Requests to 127.0.0.1 do not leave the machine, so they need no TLS.

Replaces `ministack.app.pin_request_origin`.
"""

from ministack import app
from ministack.core import iam_evaluator

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.app", "pin_request_origin", ("source_ip", "secure_transport")),
    Seam("ministack.core.iam_evaluator", "_request_origin"),
)


def install() -> None:
    """Make every request count as sent over TLS."""
    check(SEAMS)

    def pin_request_origin(source_ip: str, secure_transport: bool) -> None:  # noqa: ARG001 - ministack's parameters
        iam_evaluator._request_origin.set((source_ip, True))

    app.pin_request_origin = pin_request_origin
