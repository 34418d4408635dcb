"""Conditions of CloudFormation templates."""

from tests.localcloud.workbench import REGION, Workbench


def test_a_condition_can_be_about_the_region(workbench: Workbench) -> None:
    here = {"Fn::Equals": [{"Ref": "AWS::Region"}, REGION]}
    template = {
        "Conditions": {
            "Here": {"Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-north-1"]}, here]},
            "Elsewhere": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-north-1"]},
        },
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": {"Fn::If": [name, "yes", "no"]}} for name in ("Here", "Elsewhere")},
    }

    assert workbench.deployed(template) == {"Here": "yes", "Elsewhere": "no"}
