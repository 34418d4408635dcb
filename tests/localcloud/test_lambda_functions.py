"""Lambda functions: how their failures look from outside."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.workbench import Workbench, unique


def test_an_exception_ends_an_invocation_with_its_class_and_message(workbench: Workbench) -> None:
    function = workbench.function(
        "class TableMissing(Exception): pass\ndef handler(event, context): raise TableMissing('no table')"
    )
    assert workbench.invoke(function, {}) == {"errorType": "TableMissing", "errorMessage": "no table"}


@pytest.mark.parametrize("death", ["os._exit(1)", "sys.exit(1)", "os.kill(os.getpid(), 9)"])
def test_a_died_process_ends_an_invocation_with_exit_error(workbench: Workbench, death: str) -> None:
    function = workbench.function(f"import os, sys\ndef handler(event, context): {death}")
    failure = workbench.invoke(function, {})
    assert failure["errorType"] == "Runtime.ExitError"
    assert "Runtime exited with error" in failure["errorMessage"]


def test_a_function_works_again_after_it_died(workbench: Workbench) -> None:
    function = workbench.function(
        "import os\ndef handler(event, context): return os._exit(1) if event['die'] else 'alive'"
    )
    workbench.invoke(function, {"die": True})
    assert workbench.invoke(function, {"die": False}) == "alive"


def test_a_function_that_takes_too_long_is_timed_out(workbench: Workbench) -> None:
    function = workbench.function("import time\ndef handler(event, context): time.sleep(60)", timeout=1)
    failure = workbench.invoke(function, {})
    assert failure["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in failure["errorMessage"]


def test_output_that_is_no_utf_8_does_not_block_a_function(workbench: Workbench) -> None:
    function = workbench.function(
        "import sys\n"
        "def handler(event, context):\n"
        "    for _ in range(50): sys.stderr.buffer.write(b'\\xff' * 4000 + b'\\n')\n"
        "    return 'done'\n"
    )
    assert workbench.invoke(function, {}) == "done"


def test_environments_of_a_function_share_its_code_and_what_python_compiled_of_it(workbench: Workbench) -> None:
    function = workbench.function(
        "import json, os\n"
        "def handler(event, context):\n"
        "    if event['die']: os._exit(1)\n"
        "    code = os.path.realpath(os.getcwd())\n"
        "    return [code, os.stat(os.path.join(code, 'index.py')).st_ino, sorted(os.listdir(code))]\n"
    )
    first = workbench.invoke(function, {"die": False})
    workbench.invoke(function, {"die": True})

    assert workbench.invoke(function, {"die": False}) == first
    assert first[2] == ["__pycache__", "index.py"]


# What is measured is `{"TEXT":"..."}`, and a quote in a value takes two bytes of it.
FULL = {"TEXT": '"' * 2000 + "x" * (4096 - 4000 - len('{"TEXT":""}'))}
TOO_FULL = {"TEXT": FULL["TEXT"] + "x"}


def test_an_environment_is_measured_as_json(workbench: Workbench) -> None:
    source = "def handler(event, context): return 'done'"
    function = workbench.function(source, TEXT=FULL["TEXT"])
    assert workbench.invoke(function, {}) == "done"

    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*exceeded the 4KB limit"):
        workbench.function(source, TEXT=TOO_FULL["TEXT"])
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*exceeded the 4KB limit"):
        workbench.client("lambda").update_function_configuration(
            FunctionName=function, Environment={"Variables": TOO_FULL}
        )


def test_a_template_whose_function_is_told_too_much_is_not_deployed(workbench: Workbench) -> None:
    properties: dict[str, Any] = {
        "Role": workbench.role("lambda.amazonaws.com"),
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Code": {"ZipFile": "def handler(event, context): return event"},
    }

    def template(variables: dict[str, str]) -> dict[str, Any]:
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {**properties, "Environment": {"Variables": variables}},
        }
        return {"Resources": {"Function": function}}

    with pytest.raises(AssertionError, match="ROLLBACK"):
        workbench.deployed(template(TOO_FULL), unique("stack"))
    workbench.deployed(template(FULL), unique("stack"))
