"""Batch calls are authorized as the action for single items.

AWS: the service authorization reference has no `sns:PublishBatch`, `sqs:SendMessageBatch`, `sqs:DeleteMessageBatch` or
`sqs:ChangeMessageVisibilityBatch`; the call requires the permission to publish, send, delete or change one message.
ministack 1.5.33: requires an action named like the call, which no policy grants.

Replaces `iam_actions.extract_iam_action`.
"""

from typing import Any

from ministack.core import iam_actions

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam(
        "ministack.core.iam_actions",
        "extract_iam_action",
        ("service", "method", "path", "headers", "body", "query_params"),
    ),
)

_SINGLE_ITEM_ACTION = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


def install() -> None:
    """Authorize batch calls as AWS does."""
    check(SEAMS)
    extract = iam_actions.extract_iam_action

    def extract_iam_action(
        service: str, method: str, path: str, headers: Any, body: bytes, query_params: Any
    ) -> str | None:
        action: str | None = extract(service, method, path, headers, body, query_params)
        return action and _SINGLE_ITEM_ACTION.get(action, action)

    iam_actions.extract_iam_action = extract_iam_action
