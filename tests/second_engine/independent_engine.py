"""Runs scenarios on LocalStack's Step Functions, with the reference JSONata in it: an interpreter that is not ours.

    .venv-second-engine/bin/python -m tests.second_engine.independent_engine < scenarios > runs

A library here: no server, no container, no token, and no network. The services are played. `jsonata.js` evaluates every
expression. Waits and retries' pauses take no time, and a heartbeat runs out in a second.
"""

import datetime
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
from localstack.aws.api.stepfunctions import EvaluationFailedEventDetails, HistoryEventType, StateMachineType
from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import StatesErrorName
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from localstack.services.stepfunctions.asl.component.common.retry import retrier_decl
from localstack.services.stepfunctions.asl.component.common.string.string_expression import StringJSONata
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task import lambda_eval_utils
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_lambda,
    state_task_service_sqs,
)
from localstack.services.stepfunctions.asl.component.state.state_wait.wait_function.wait_function import WaitFunction
from localstack.services.stepfunctions.asl.eval.callback.callback import (
    CallbackEndpoint,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    HeartbeatEndpoint,
)
from localstack.services.stepfunctions.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.services.stepfunctions.backend.execution_worker import SyncExecutionWorker

from tests.second_engine.played_tasks import (
    CHUNK_ACTION,
    RANDOM,
    FunctionError,
    PlayedTasks,
    RefusalError,
    inner_states,
)

_ACCOUNT, _REGION = "111122223333", "eu-west-1"

#: What botocore calls a service, where Step Functions has another name.
_SERVICES = {"sfn": "stepfunctions"}


class Jsonata:
    """The reference implementation, in a Node process. Thread safe."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("jsonata.js")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            ["node", str(script), str(RANDOM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def evaluate(self, expression: str, bindings: Mapping[str, Any]) -> Mapping[str, Any]:
        """{value}, or {error}."""
        line = json.dumps({"expression": expression, "bindings": bindings}, default=str)
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer: Mapping[str, Any] = json.loads(self._process.stdout.readline())
            return answer

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class IndependentEngine:
    """LocalStack's interpreter, with services, JSONata and time taken out of its hands."""

    def __init__(self, jsonata: Jsonata) -> None:
        self._tasks: PlayedTasks
        self._exceptions: dict[str, Any] = {}
        self._replace_jsonata(jsonata)
        self._replace_time()
        self._replace_services()

    def run(self, scenario: Mapping[str, Any]) -> Any:
        """The run's document."""
        self._tasks = PlayedTasks(scenario)
        name = scenario["input"]["batch_id"]
        role = f"arn:aws:iam::{_ACCOUNT}:role/analysis"
        execution = f"arn:aws:states:{_REGION}:{_ACCOUNT}:execution:analysis:{name}"
        machine = f"arn:aws:states:{_REGION}:{_ACCOUNT}:stateMachine:analysis"
        started = datetime.datetime.now(datetime.UTC).isoformat()
        worker = SyncExecutionWorker(
            EvaluationDetails(
                AWSExecutionDetails(_ACCOUNT, _REGION, role),
                ExecutionDetails(execution, name, role, scenario["input"], started),
                StateMachineDetails(machine, "analysis", StateMachineType.STANDARD, json.dumps(scenario["definition"])),
            ),
            SimpleNamespace(terminated=lambda: None),
            None,
            {},
        )
        worker.start()
        state = worker.env.program_state()
        failure = getattr(state, "error", None) or {}
        ended = {
            "status": "FAILED" if hasattr(state, "error") else "SUCCEEDED",
            "error": failure.get("error"),
            "cause": failure.get("cause"),
            "output": None if failure else json.loads(json.dumps(worker.env.states.get_input(), default=str)),
        }
        history = worker.env.event_manager.get_event_history()
        events = history if isinstance(history, list) else history["events"]
        return self._tasks.run(ended, events, inner_states(scenario["definition"]))

    def _replace_jsonata(self, jsonata: Jsonata) -> None:
        def evaluate(expression: Any, env: Any) -> None:
            known = {**env.variable_store._outer_scope, **env.variable_store._inner_scope}
            answer = jsonata.evaluate(expression.expression, {**known, "states": dict(env.states._states_data)})
            if "error" in answer:
                raise FailureEventException(_query_failure(env, answer["error"]))
            env.stack.append(answer["value"])

        StringJSONata._eval_body = evaluate

    def _replace_time(self) -> None:
        def wait(function: Any, env: Any, wait_seconds: float) -> None:
            self._tasks.wait(wait_seconds)

        def hears_nothing_for_a_second(endpoint: Any) -> bool:
            with endpoint._mutex:
                if endpoint._next_heartbeat_event.is_set():
                    endpoint._next_heartbeat_event.clear()
                    return True
            return bool(endpoint._next_heartbeat_event.wait(timeout=1))

        set_up = CallbackEndpoint.setup_heartbeat_endpoint

        def listen(endpoint: Any, heartbeat_seconds: float) -> Any:
            heartbeats = set_up(endpoint, heartbeat_seconds)
            if endpoint.get_outcome() is not None:  # the token came back while the call was being made
                heartbeats.notify()
            return heartbeats

        WaitFunction._wait_interval = wait
        CallbackEndpoint.setup_heartbeat_endpoint = listen
        retrier_decl.time = SimpleNamespace(sleep=lambda seconds: None)
        HeartbeatEndpoint.clear_and_wait = hears_nothing_for_a_second

    def _replace_services(self) -> None:
        def call(
            service: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
        ) -> None:
            self._call(service.resource, env, normalised_parameters)

        for module, name in (
            (state_task_service_aws_sdk, "StateTaskServiceAwsSdk"),
            (state_task_service_lambda, "StateTaskServiceLambda"),
            (state_task_service_sqs, "StateTaskServiceSqs"),
        ):
            service = getattr(module, name)
            service._eval_service_task = call
            service._normalise_response = lambda *arguments, **options: None
            service._normalise_parameters = lambda *arguments, **options: None

    def _call(self, resource: Any, env: Any, arguments: Any) -> None:
        action = resource.api_action
        try:
            answer = self._tasks.call(action, arguments)
        except FunctionError as failure:
            raise lambda_eval_utils.LambdaFunctionErrorException("Unhandled", failure.payload) from None
        except RefusalError as refusal:
            api = getattr(resource, "api_name", None) or resource.service_name
            raise self._exception(_SERVICES.get(api, api), refusal) from None
        env.stack.append(answer)
        if action == CHUNK_ACTION:
            self._give_back(env, arguments)

    def _exception(self, service: str, refusal: RefusalError) -> Exception:
        """What boto3 would raise."""
        if service not in self._exceptions:
            client = botocore.session.get_session().create_client(
                service, region_name=_REGION, aws_access_key_id="x", aws_secret_access_key="x"
            )
            self._exceptions[service] = client.exceptions
        kind = self._exceptions[service].from_code(refusal.code)
        metadata = {"HTTPStatusCode": refusal.status, "RequestId": "r", "HTTPHeaders": {}}
        failure: Exception = kind(
            {"Error": {"Code": refusal.code, "Message": "m"}, "ResponseMetadata": metadata}, "Operation"
        )
        return failure

    def _give_back(self, env: Any, arguments: Any) -> None:
        token, end = self._tasks.token_of(arguments)
        if "success" in end:
            outcome = CallbackOutcomeSuccess(token, json.dumps(end["success"]))
            env.callback_pool_manager.notify(token, outcome)
        elif "error" in end:
            env.callback_pool_manager.notify(token, CallbackOutcomeFailure(token, end["error"], end.get("cause")))


def _query_failure(env: Any, cause: str) -> FailureEvent:
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=name.error_name)
    return FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),
    )


def main() -> int:
    """Run what standard input has; returns the exit status."""
    logging.disable(logging.CRITICAL)
    jsonata = Jsonata()
    engine = IndependentEngine(jsonata)
    runs = {scenario["name"]: engine.run(scenario) for scenario in json.load(sys.stdin)}
    jsonata.end()
    json.dump(runs, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
