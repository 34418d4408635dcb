"""Parameters of a template get the names CloudFormation gives them.

AWS: an `AWS::SSM::Parameter` without a name is called `CFN-<logical id>-<12 random characters>`: a simple name, without
a slash, so its ARN is `...:parameter/<name>` (aws-cloudformation-resource-providers-ssm, CreateHandler). One that was
retained keeps its name to itself when its stack makes another.
ministack 1.5.33: calls it `/<stack>/<logical id>`, each time the same. An ARN made of such a name, as the CDK makes it,
has two slashes and fits nothing; and a retained parameter stands in the way of the next one.

Wraps `create` of the parameter's entry in `provisioners._RESOURCE_HANDLERS`.
"""

import secrets
import string
from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (
    Seam(_PROVISIONERS, "_RESOURCE_HANDLERS"),
    Seam(_PROVISIONERS, "_ssm_create", ("logical_id", "props", "stack_name")),
)

_SUFFIX_CHARACTERS = string.ascii_letters + string.digits
_SUFFIX_LENGTH = 12


def install() -> None:
    """Name parameters as CloudFormation does."""
    check(SEAMS)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SSM::Parameter"]
    create = handlers["create"]

    def create_parameter(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        suffix = "".join(secrets.choice(_SUFFIX_CHARACTERS) for _ in range(_SUFFIX_LENGTH))
        return create(logical_id, {"Name": f"CFN-{logical_id}-{suffix}", **props}, stack_name)

    handlers["create"] = create_parameter
