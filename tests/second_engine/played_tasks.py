"""Tasks that answer as a scenario says, the same way to whichever engine asks. Uses the standard library alone.

Scenarios and runs are JSON documents, since each engine has a process and an environment of its own:

    scenario  {name, definition, input, answers, chunks}
      answers {action: [answer, ...]}; the last one is given forever
      chunks  {first upload: what becomes of the token}; every other chunk succeeds
    answer    {result: any}
              {refused: code, status: number}  the service refuses the call with an error of its API
              {raised: class}                  the function ends with an exception
    token     {error, cause} or {silent: true}
    run       {status, error, cause, output, states, parts, calls, chunks, waits}
      states  [{name, input, output}], in order, without those inside a Map; output is null where there was none
      parts   the same for those inside a Map, sorted
      calls   [[action, arguments]], in order, without the chunks'
      chunks  the messages, sorted, without tokens
      waits   seconds of the Wait states, in order
"""

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

#: A chunk's message is answered by its token, in its own time: so these calls have no order.
CHUNK_ACTION = "sendMessage"

#: What `$random()` gives in both engines.
RANDOM = 0.5


class RefusalError(Exception):
    """A service refuses a call."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class FunctionError(Exception):
    """A Lambda function ends with an exception of a class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        #: What Lambda answers with.
        self.payload = json.dumps({"errorType": name, "errorMessage": "m"})
        self.name = name


class PlayedTasks:
    """The tasks of one run, and what they were asked. Thread safe."""

    def __init__(self, scenario: Mapping[str, Any]) -> None:
        self._answers: dict[str, list[Any]] = {action: list(given) for action, given in scenario["answers"].items()}
        self._tokens: Mapping[str, Any] = scenario["chunks"]
        self._lock = threading.Lock()
        self._calls: list[tuple[str, Any]] = []
        self._chunks: list[Any] = []
        self._waits: list[float] = []

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """A service's answer.

        Raises:
            RefusalError: the service refuses.
            FunctionError: the function raises.
        """
        with self._lock:
            if action == CHUNK_ACTION:
                self._chunks.append({name: value for name, value in _message(arguments).items() if name != "token"})
            else:
                self._calls.append((action, arguments))
            remaining = self._answers[action]
            answer = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if "refused" in answer:
            raise RefusalError(answer["refused"], answer["status"])
        if "raised" in answer:
            raise FunctionError(answer["raised"])
        return json.loads(json.dumps(answer["result"]))

    def token_of(self, arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """The token that a chunk's message has, and what becomes of it: {success}, {error, cause} or {silent}."""
        message = _message(arguments)
        first = message["first"]
        return message["token"], self._tokens.get(str(first), {"success": {"first": first}})

    def wait(self, seconds: float) -> None:
        """Take a note of a wait; of none, where nothing is waited for."""
        if seconds:
            self._waits.append(seconds)

    def run(self, ended: Mapping[str, Any], events: Iterable[Mapping[str, Any]], inner: Iterable[str]) -> Any:
        """The run's document.

        Args:
            ended: its status, error, cause and output.
            events: of the execution's history, as the API has them.
            inner: names of the states inside a Map.
        """
        states: list[dict[str, Any]] = []
        parts: list[dict[str, Any]] = []
        names = frozenset(inner)
        for event in events:
            for field, payload in (("stateEnteredEventDetails", "input"), ("stateExitedEventDetails", "output")):
                if details := event.get(field):
                    value = json.loads(details[payload]) if details.get(payload) else None
                    if details["name"] in names:
                        parts.append({"name": details["name"], payload: value})
                    elif payload == "input":
                        states.append({"name": details["name"], "input": value, "output": None})
                    else:
                        states[-1]["output"] = value
        return {
            **ended,
            "states": states,
            "parts": sorted(parts, key=json.dumps),
            "calls": self._calls,
            "chunks": sorted(self._chunks, key=json.dumps),
            "waits": self._waits,
        }


def inner_states(definition: Mapping[str, Any]) -> list[str]:
    """Names of the states inside a Map."""
    maps = (state for state in definition["States"].values() if state["Type"] == "Map")
    return [name for state in maps for name in state["ItemProcessor"]["States"]]


def _message(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    body = arguments["MessageBody"]
    message: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return message
