"""The time that AWS tells."""

import json
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from tests.cli.conftest import Deployed
from tests.unit.builders import NOON


def make_it_noon(deployed: Deployed) -> None:
    """It is noon for AWS, and whatever pointers there are were written 30 seconds before."""

    def parameters(request: Mapping[str, Any]) -> dict[str, Any]:
        answer: Any = deployed.ssm.get_parameters(Names=json.loads(request["body"])["Names"])
        for parameter in answer["Parameters"]:
            parameter["LastModifiedDate"] = NOON - timedelta(seconds=30)
        headers = {"date": format_datetime(NOON, usegmt=True)}
        return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": headers}}

    deployed.calls.answer_always("GetParameters", parameters)
