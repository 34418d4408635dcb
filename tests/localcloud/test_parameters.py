"""Parameters of Systems Manager as the pipeline and the command line use them."""

from email.utils import parsedate_to_datetime
from typing import Any

from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, unique


def arn(name: str) -> str:
    return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}"


def parameters(workbench: Workbench, count: int) -> list[str]:
    """The names of as many new parameters."""
    names = [unique("parameter") for _ in range(count)]
    for name in names:
        workbench.client("ssm").put_parameter(Name=name, Value="value", Type="String")
    return names


def parameter_template(value: str, description: str = "") -> dict[str, Any]:
    properties = {"Type": "String", "Value": value, "Description": description}
    return {
        "Resources": {
            "Pointer": {"Type": "AWS::SSM::Parameter", "Properties": properties, "DeletionPolicy": "Retain"},
            "Other": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30 + len(description)}},
        },
        "Outputs": {"Name": {"Value": {"Ref": "Pointer"}}},
    }


def test_parameters_are_read_with_a_permission_on_each_of_them(workbench: Workbench) -> None:
    first, second = parameters(workbench, 2)
    both = workbench.user_client("ssm", ("ssm:GetParameters", arn(first)), ("ssm:GetParameters", arn(second)))
    one = workbench.user_client("ssm", ("ssm:GetParameters", arn(first)))
    another_action = workbench.user_client("ssm", ("ssm:GetParameter", arn(first)))

    assert {found["Name"] for found in both.get_parameters(Names=[first, second])["Parameters"]} == {first, second}
    assert error_code(lambda: one.get_parameters(Names=[first])) == ""
    assert error_code(lambda: one.get_parameters(Names=[first, second])) == "AccessDeniedException"
    assert error_code(lambda: one.get_parameters(Names=[second, first])) == "AccessDeniedException"
    assert error_code(lambda: another_action.get_parameters(Names=[first])) == "AccessDeniedException"


def test_a_call_names_ten_parameters_at_most(workbench: Workbench) -> None:
    names = parameters(workbench, 11)
    ssm = workbench.client("ssm")

    assert len(ssm.get_parameters(Names=names[:10])["Parameters"]) == 10
    assert error_code(lambda: ssm.get_parameters(Names=names)) == "ValidationException"


def test_a_parameter_that_does_not_exist_is_named_and_no_error(workbench: Workbench) -> None:
    (name,) = parameters(workbench, 1)

    answer = workbench.client("ssm").get_parameters(Names=[name, "none"])

    assert [found["Name"] for found in answer["Parameters"]] == [name]
    assert answer["InvalidParameters"] == ["none"]


def test_a_parameter_is_written_with_the_permission_for_it_only(workbench: Workbench) -> None:
    first, second = parameters(workbench, 2)
    ssm = workbench.user_client("ssm", ("ssm:PutParameter", arn(first)))

    assert error_code(lambda: ssm.put_parameter(Name=first, Value="new", Overwrite=True)) == ""
    assert error_code(lambda: ssm.put_parameter(Name=second, Value="new", Overwrite=True)) == "AccessDeniedException"


def test_an_answer_tells_when_a_parameter_was_changed_and_what_time_it_is(workbench: Workbench) -> None:
    (name,) = parameters(workbench, 1)
    ssm = workbench.client("ssm")
    before = ssm.get_parameters(Names=[name])
    ssm.put_parameter(Name=name, Value="new", Overwrite=True)

    after = ssm.get_parameters(Names=[name])

    modified = after["Parameters"][0]["LastModifiedDate"]
    now = parsedate_to_datetime(after["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert modified > before["Parameters"][0]["LastModifiedDate"]
    assert abs((now - modified).total_seconds()) < 60
    assert after["Parameters"][0]["Version"] == 2


def test_a_parameter_of_a_template_gets_a_simple_name_of_its_own(workbench: Workbench) -> None:
    names = [workbench.deployed(parameter_template("value"))["Name"] for _ in range(2)]

    assert len(set(names)) == 2
    for name in names:
        assert name.startswith("CFN-Pointer-")
        described = workbench.client("ssm").get_parameters(Names=[name])["Parameters"][0]
        assert described["ARN"] == arn(name)
        allowed = workbench.user_client("ssm", ("ssm:GetParameters", arn(name)))
        assert allowed.get_parameters(Names=[name])["Parameters"][0]["Value"] == "value"


def test_an_update_writes_a_parameter_only_if_the_template_changed_it(workbench: Workbench) -> None:
    ssm, stack = workbench.client("ssm"), unique("stack")
    name = workbench.deployed(parameter_template("deployed"), stack)["Name"]
    ssm.put_parameter(Name=name, Value="live", Overwrite=True)

    def value() -> str:
        return str(ssm.get_parameters(Names=[name])["Parameters"][0]["Value"])

    changed_elsewhere = parameter_template("deployed")
    changed_elsewhere["Resources"]["Other"]["Properties"]["VisibilityTimeout"] = 31
    assert workbench.deployed(changed_elsewhere, stack)["Name"] == name
    assert value() == "live"

    # CloudFormation puts the whole resource again, whatever of it changed.
    workbench.deployed(parameter_template("deployed", description="changed"), stack)
    assert value() == "deployed"

    ssm.put_parameter(Name=name, Value="live", Overwrite=True)
    workbench.deployed(parameter_template("deployed again", description="changed"), stack)
    assert value() == "deployed again"


def test_a_retained_parameter_does_not_stand_in_the_way_of_the_next(workbench: Workbench) -> None:
    stack = unique("stack")
    template = parameter_template("value")
    first = workbench.deployed(template, stack)["Name"]
    without = {"Resources": {"Other": template["Resources"]["Other"]}, "Outputs": {"Name": {"Value": "none"}}}
    workbench.deployed(without, stack)

    second = workbench.deployed(template, stack)["Name"]

    found = workbench.client("ssm").get_parameters(Names=[first, second])["Parameters"]
    assert first != second
    assert {parameter["Name"] for parameter in found} == {first, second}
