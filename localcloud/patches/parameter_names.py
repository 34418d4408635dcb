"""Parameters in a template get the same names as from CloudFormation.

AWS: an `AWS::SSM::Parameter` without a name gets `CFN-<logical id>-<12 random characters>`: a simple name without a
slash, so its ARN is `...:parameter/<name>` (aws-cloudformation-resource-providers-ssm, CreateHandler). A retained one
does not conflict with a new one of the same stack.
ministack 1.5.33: always names it `/<stack>/<logical id>`. An ARN that the CDK makes from such a name has two slashes
and matches nothing; and a retained parameter conflicts with the next one.

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
