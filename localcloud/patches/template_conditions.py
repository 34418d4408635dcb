"""Conditions in a template can use the pseudo parameters.

AWS: a condition can refer to `AWS::Region`, `AWS::AccountId`, `AWS::Partition` ... (CloudFormation User Guide,
conditions-section-structure.html).
ministack 1.5.33: evaluates such a `Ref` to its own name, so a condition on the Region is never true.

Replaces `_evaluate_conditions` in the modules of its CloudFormation that use it.
"""

import importlib
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import engine

from localcloud.patches.seam import Seam, check

_PACKAGE = "ministack.services.cloudformation"
_USERS = tuple(f"{_PACKAGE}.{name}" for name in ("engine", "changesets", "handlers", "stacks"))
SEAMS = tuple(Seam(module, "_evaluate_conditions", ("template", "params")) for module in _USERS)


def install() -> None:
    """Evaluate conditions with the pseudo parameters."""
    check(SEAMS)
    evaluate = engine._evaluate_conditions

    def evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> Any:
        known = {
            "AWS::Region": get_region(),
            "AWS::AccountId": get_account_id(),
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }
        return evaluate(template, {name: {"Value": value} for name, value in known.items()} | params)

    for module in _USERS:
        importlib.import_module(module)._evaluate_conditions = evaluate_conditions  # type: ignore[attr-defined]
