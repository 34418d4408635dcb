"""Variables that a state assigns are seen from the next state on."""

import json

from tests.localcloud.workbench import Workbench


def test_an_assign_sees_the_variables_of_before(workbench: Workbench) -> None:
    swap = {"a": "{% $b %}", "b": "{% $a %}"}
    machine = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"},
            "Swap": {"Type": "Pass", "Assign": swap, "Next": "Which"},
            "Which": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Assign": swap, "Next": "Swap back"}]},
            "Swap back": {"Type": "Pass", "Assign": swap, "Next": "Done"},
            "Done": {"Type": "Succeed", "Output": "{% [$a, $b] %}"},
        },
    }

    assert json.loads(workbench.run(machine)["output"]) == [2, 1]
