"""An account or a Region without Bulk Analysis: what its operations answer.

Bulk Analysis is closed to accounts that did not use it before 2026-04-30 (Developer Guide,
rekognition-availability-changes.html). No page names the error such an account gets; these are the readings a caller
has to cope with.
"""

from enum import StrEnum

from localcloud.rekognition.errors import ErrorName, ServiceError


class BulkRefusal(StrEnum):
    """A reading of the refusal.

    Attributes:
        PERMISSION: it looks like a missing permission.
        CLOSED: it says that the feature is closed.
        PLAIN: it says what the API reference says of AccessDeniedException, and nothing else.
        REGION: the operation does not exist there.
    """

    PERMISSION = "permission"
    CLOSED = "closed"
    PLAIN = "plain"
    REGION = "region"

    def error(self, operation: str, caller_arn: str) -> ServiceError:
        """The error answer of a media analysis operation."""
        if self is BulkRefusal.REGION:
            return ServiceError(ErrorName.UNKNOWN_OPERATION, "")
        message = {
            BulkRefusal.PERMISSION: f"User: {caller_arn} is not authorized to perform: rekognition:{operation} "
            "on resource: *",
            BulkRefusal.CLOSED: "Bulk Analysis is not available to new customers.",
            BulkRefusal.PLAIN: "You are not authorized to perform the action.",
        }[self]
        return ServiceError(ErrorName.ACCESS_DENIED, message)
