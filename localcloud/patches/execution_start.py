"""StartExecution is idempotent, and refuses the names that AWS refuses.

AWS: for a Standard machine, the same name with the same input returns 200 with the original start date while that
execution runs; if it has ended, or with other input, it is `ExecutionAlreadyExists` (API reference, StartExecution). A
name has
1 to 80 characters without white space, brackets, wildcards, `"#%\\^|~`$&,;:/` and control characters (`InvalidName`);
input has at most 262,144 bytes (`InvalidExecutionInput`, which also refuses input that is not JSON).
ministack 1.5.33: any existing name is `ExecutionAlreadyExists`; names and input are not checked.

Wraps `stepfunctions._start_execution`.
"""

import json
import re
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import stepfunctions

from localcloud.patches.execution_loop import PAYLOAD_LIMIT
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.stepfunctions", "_start_execution", ("data",)),
    Seam("ministack.services.stepfunctions", "_resolve_state_machine_arn", ("arn",)),
    Seam("ministack.services.stepfunctions", "_state_machines"),
    Seam("ministack.services.stepfunctions", "_executions"),
)

_NAME = re.compile(r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}""")


def install() -> None:
    """Start executions as AWS does."""
    check(SEAMS)
    start = stepfunctions._start_execution

    def start_execution(data: dict[str, Any]) -> Any:
        return _refusal(data) or _repetition(data) or start(data)

    stepfunctions._start_execution = start_execution


def _refusal(data: dict[str, Any]) -> Any | None:
    name = data.get("name")
    if name is not None and not _NAME.fullmatch(name):
        return error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    text = data.get("input", "{}")
    if len(text.encode()) > PAYLOAD_LIMIT:
        return error_response_json("InvalidExecutionInput", "The input exceeds 262144 bytes.", 400)
    try:
        json.loads(text)
    except ValueError:
        return error_response_json("InvalidExecutionInput", "Invalid State Machine Execution Input: not JSON", 400)
    return None


def _repetition(data: dict[str, Any]) -> Any | None:
    """The answer for a name whose execution is running with the same input."""
    machine = stepfunctions._state_machines.get(
        stepfunctions._resolve_state_machine_arn(str(data.get("stateMachineArn")).partition("#")[0])
    )
    if machine is None or not data.get("name"):
        return None
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine['name']}:{data['name']}"
    running = stepfunctions._executions.get(arn)
    if running is None or running["status"] != "RUNNING" or running["input"] != data.get("input", "{}"):
        return None
    return json_response({"executionArn": arn, "startDate": running["startDate"]})
