"""Where a dashboard is in AWS's console."""

from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

#: The console's domain, of which each Region has a part (AWS GovCloud User Guide, using-govcloud-console.html; AWS in
#: China, Getting Started).
_CONSOLE = "console.aws.amazon.com"
_OTHER_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def console_urls(scope: Construct) -> Callable[[cloudwatch.Dashboard], str]:
    """A function that says a dashboard's address. CloudFormation fills in the Region and the partition's console."""
    domain: str | cdk.ICfnRuleConditionExpression = _CONSOLE
    for partition, other in _OTHER_CONSOLES.items():
        name = f"Is{partition.title().replace('-', '')}"
        condition = cdk.CfnCondition(scope, name, expression=cdk.Fn.condition_equals(cdk.Aws.PARTITION, partition))
        domain = cdk.Fn.condition_if(condition.logical_id, other, domain)
    host = f"{cdk.Aws.REGION}.{cdk.Token.as_string(domain)}"

    def url(dashboard: cloudwatch.Dashboard) -> str:
        return f"https://{host}/cloudwatch/home?region={cdk.Aws.REGION}#dashboards/dashboard/{dashboard.dashboard_name}"

    return url
