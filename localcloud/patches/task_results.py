"""A task's result has its own size limit, regardless of how the state uses it.

AWS: a result above 262,144 bytes ends the execution with `States.DataLimitExceeded`, before any part of it is selected
(Step Functions Developer Guide, concepts-error-handling.html).
ministack 1.5.33: has no limit.

Wraps `stepfunctions._invoke_resource`, inside of `task_identity`.
"""

import json
from typing import Any

from ministack.services import stepfunctions

from localcloud.patches.execution_loop import check_size
from localcloud.patches.seam import Seam, check

SEAMS = (Seam("ministack.services.stepfunctions", "_invoke_resource", ("resource", "input_data")),)


def install() -> None:
    """Refuse results that are too large."""
    check(SEAMS)
    invoke = stepfunctions._invoke_resource

    def invoke_resource(resource: str, input_data: Any) -> Any:
        result = invoke(resource, input_data)
        check_size(f"state/task '{resource}'", len(json.dumps(result, ensure_ascii=False).encode()))
        return result

    stepfunctions._invoke_resource = invoke_resource
