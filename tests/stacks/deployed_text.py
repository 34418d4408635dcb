"""A template's values with names as long as AWS makes them, to be measured against its limits."""

import json
from typing import Any

#: The longest name of a Region, and a partition with one.
_PSEUDO = {
    "AWS::Region": "ap-southeast-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws-us-gov",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "s" * 49,
}

#: What a resource's attribute may become. A generated name has 64 characters at most in Lambda, IAM and S3, and 80 in
#: SQS and Step Functions; longer ones are cut to it. An ARN has some 60 more.
_ARN = "a" * 140


def deployed(value: Any) -> Any:
    """The value as it may be once it is deployed."""
    if isinstance(value, list):
        return [deployed(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        match function:
            case "Ref":
                return _PSEUDO.get(argument, "n" * 64)
            case "Fn::Join":
                separator, parts = argument
                return separator.join(str(deployed(part)) for part in parts)
            case "Fn::If":
                return max((deployed(choice) for choice in argument[1:]), key=lambda choice: len(json.dumps(choice)))
            case "Fn::Select" | "Fn::Split" | "Fn::Sub" | "Fn::GetAtt" | "Fn::ImportValue" | "Fn::GetStackOutput":
                return _ARN
    return {name: deployed(entry) for name, entry in value.items()}
