"""Runs scenarios on the local cloud's Step Functions: `python -m tests.second_engine.local_engine < scenarios > runs`.

A process of its own: the patches change ministack's modules, and the tasks are played.
"""

import json
import logging
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ministack.services import stepfunctions
from ministack.services.sts import _sessions

from localcloud import patches
from localcloud.patches import authorization, task_results
from tests.second_engine.played_tasks import (
    CHUNK_ACTION,
    RANDOM,
    FunctionError,
    PlayedTasks,
    RefusalError,
    inner_states,
)

_ROLE = "arn:aws:iam::000000000000:role/analysis"
_ACCESS_KEY = "analysis"

#: A day's heartbeat runs out in a second.
_PACE = 1e-5


class LocalEngine:
    """The local cloud's interpreter, with the patches that change how executions run."""

    def __init__(self) -> None:
        patches.install()
        stepfunctions._invoke_resource = self._call
        task_results.install()  # looks at the played tasks' results, too
        stepfunctions._SFN_WAIT_SCALE = _PACE
        stepfunctions._emit_execution_status_event = lambda execution: None
        stepfunctions._sfn_jsonata_random = lambda seed=None: RANDOM
        authorization.role_access_key = lambda role_arn: _ACCESS_KEY
        _sessions[_ACCESS_KEY] = {"Arn": "arn:aws:sts::000000000000:assumed-role/analysis/session"}
        self._tasks: PlayedTasks
        pause = stepfunctions._scaled_sleep

        def wait(seconds: float) -> None:
            self._tasks.wait(seconds)
            pause(seconds)

        stepfunctions._scaled_sleep = wait

    def run(self, scenario: Mapping[str, Any]) -> Any:
        """The run's document."""
        self._tasks = PlayedTasks(scenario)
        name = scenario["input"]["batch_id"]
        machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:analysis"
        arn = f"arn:aws:states:eu-west-1:111122223333:execution:analysis:{name}"
        stepfunctions._state_machines[machine] = {
            "name": "analysis",
            "definition": json.dumps(scenario["definition"]),
            "roleArn": _ROLE,
            "stateMachineArn": machine,
        }
        execution = stepfunctions._executions[arn] = {
            "executionArn": arn,
            "stateMachineArn": machine,
            "name": name,
            "status": "RUNNING",
            "startDate": "2026-01-01T00:00:00Z",
            "input": json.dumps(scenario["input"]),
            "output": None,
            "mockAttempts": {},
            "testCase": "",
            "events": [],
        }
        thread = threading.Thread(target=stepfunctions._run_execution, args=(arn,))
        thread.start()
        thread.join()
        output = execution["output"]
        ended = {
            "status": execution["status"],
            "error": execution.get("error"),
            "cause": execution.get("cause"),
            "output": None if output is None else json.loads(output),
        }
        return self._tasks.run(ended, execution["events"], inner_states(scenario["definition"]))

    def _call(self, resource: str, input_data: Any) -> Any:
        service, action = resource.split(":")[-2:]
        try:
            answer = self._tasks.call(action, input_data)
        except FunctionError as failure:
            raise stepfunctions._ExecutionError(failure.name, failure.payload) from None
        except RefusalError as refusal:
            raise _failure(resource, service, refusal) from None
        if action == CHUNK_ACTION:
            self._give_back(input_data)
        return answer

    def _give_back(self, arguments: Any) -> None:
        token, end = self._tasks.token_of(arguments)
        if "success" in end:
            stepfunctions._send_task_success({"taskToken": token, "output": json.dumps(end["success"])})
        elif "error" in end:
            stepfunctions._send_task_failure({"taskToken": token, **end})


def _failure(resource: str, service: str, refusal: RefusalError) -> Exception:
    """As Step Functions names and describes the error of a call."""
    if ":aws-sdk:" in resource:
        name = stepfunctions._prefix_sdk_error(service, refusal.code)
        prefix = name.partition(".")[0]
        cause = f"m (Service: {prefix}, Status Code: {refusal.status}, Request ID: r)"
    elif service == "lambda":
        name = f"Lambda.{refusal.code}"
        details = f"Status Code: {refusal.status}; Error Code: {refusal.code}; Request ID: r; Proxy: null"
        cause = f"m (Service: AWSLambda; {details})"
    else:
        name, cause = "SQS.SdkClientException", "m"
    failure: Exception = stepfunctions._ExecutionError(name, cause)
    return failure


def main() -> int:
    """Run what standard input has; returns the exit status."""
    logging.disable(logging.CRITICAL)
    engine = LocalEngine()
    runs = {scenario["name"]: engine.run(scenario) for scenario in json.load(sys.stdin)}
    json.dump(runs, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
