"""docs/contracts/decision.md gives what a table's users need of a key, as the stacks do."""

import json
import re

from aws_cdk import App, Stack, assertions
from aws_cdk import aws_iam as iam

from stacks.constructs.encryption_key import EncryptionKey
from tests.docs.test_placeholders import ROOT

PAGE = (ROOT / "docs" / "contracts" / "decision.md").read_text("utf-8")


def test_the_page_has_the_use_of_the_key_that_functions_get_for_the_table() -> None:
    stack = Stack(App(), "stack")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    EncryptionKey(stack, "Key", existing_arn=None, name="gatehouse").grant_use_table(role)
    template = assertions.Template.from_stack(stack)
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    (granted,) = policy["Properties"]["PolicyDocument"]["Statement"]

    (text,) = re.findall(r"^### With a customer-managed key\n.*?^```json\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    statement = json.loads(text)

    assert statement["Action"] == granted["Action"]
    service, region, domain = granted["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Join"][1]
    assert region == {"Ref": "AWS::Region"}
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": f"{service}REGION{domain}"}}
