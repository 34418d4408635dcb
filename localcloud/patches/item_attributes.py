"""`dynamodb:Attributes` has the attributes that an UpdateItem names in its key and its expressions.

AWS: the key has the names of the top-level attributes that a request accesses, also in conditions (DynamoDB Developer
Guide, specifying-conditions.html; IAM User Guide, reference_policies_examples_dynamodb_attributes.html, which limits
UpdateItem by it).
ministack 1.5.33: knows only what a projection names, so that a policy which limits the attributes of an UpdateItem
allows all of them.

Replaces `iam_actions.dynamodb_service_context`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core import iam_actions

from localcloud.patches.seam import Seam, check

SEAMS = (Seam("ministack.core.iam_actions", "dynamodb_service_context", ("body",)),)

_KEY = "dynamodb:Attributes"
_EXPRESSIONS = ("UpdateExpression", "ConditionExpression")
#: The first segment of a path, and no function: `#a` in `#a.#b[0]`.
_TOP_LEVEL = re.compile(r"(?<![\w.#:])(#?[A-Za-z_]\w*)(?!\w*\s*\()")
_KEYWORDS = frozenset({"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"})


def install() -> None:
    """Name the attributes of an UpdateItem."""
    check(SEAMS)
    context_of = iam_actions.dynamodb_service_context

    def dynamodb_service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = context_of(body)
        if context and (named := sorted(set(_named(json.loads(body or b"{}"))))):
            context[_KEY] = [*context.get(_KEY, []), *named]
        return context

    iam_actions.dynamodb_service_context = dynamodb_service_context


def _named(request: Mapping[str, Any]) -> Iterator[str]:
    """The attributes that an UpdateItem names; none of another call, or of one that the service will refuse."""
    expressions = [request.get(name) for name in _EXPRESSIONS]
    names, key = request.get("ExpressionAttributeNames") or {}, request.get("Key")
    if not (isinstance(expressions[0], str) and isinstance(key, dict) and isinstance(names, dict)):
        return
    yield from key
    for expression in expressions:
        if isinstance(expression, str):
            for word in _TOP_LEVEL.findall(expression):
                if word.upper() not in _KEYWORDS:
                    yield str(names.get(word, word))
