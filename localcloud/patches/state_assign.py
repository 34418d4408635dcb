"""The variables of one `Assign` are evaluated together.

AWS: an `Assign` uses the values from when the state was entered; the new values are visible from the next state on
(Step Functions Developer Guide, workflow-variables.html).
ministack 1.5.33: assigns one after the other, so that an expression sees the values assigned before it.

Replaces `stepfunctions._apply_state_assign`.
"""

from typing import Any

from ministack.services import stepfunctions

from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (Seam(_MODULE, "_apply_state_assign", ("state_def", "raw_input", "ctx", "result", "error_output")),)


def install() -> None:
    """Evaluate first, then assign."""
    check(SEAMS)
    apply = stepfunctions._apply_state_assign

    def apply_state_assign(
        state_def: dict[str, Any],
        raw_input: Any,
        ctx: dict[str, Any] | None,
        result: Any = None,
        error_output: Any = None,
    ) -> None:
        assign = state_def.get("Assign")
        if ctx is None or not isinstance(assign, dict):
            return
        before = ctx.setdefault("variables", {})
        assigned: dict[str, Any] = {}
        for name, template in assign.items():
            alone = {**ctx, "variables": dict(before)}
            apply({**state_def, "Assign": {name: template}}, raw_input, alone, result, error_output)
            if name in alone["variables"]:
                assigned[name] = alone["variables"][name]
        before.update(assigned)

    stepfunctions._apply_state_assign = apply_state_assign
