"""Registers our Rekognition as a service of the local cloud.

AWS: Rekognition uses JSON 1.1 with the target prefix `RekognitionService`; its errors in Step Functions are named
`Rekognition.<Name>Exception`.
ministack 1.5.33: has no Rekognition.

Adds an entry to `router.SERVICE_PATTERNS` (otherwise the first request would search all of botocore's services for
seconds, on the event loop), and entries to `app.SERVICE_REGISTRY`, `SERVICE_HANDLERS`, `_state_map` and
`_loaded_modules`, `iam_actions.SERVICE_TO_IAM_NAMESPACE` (callers need `rekognition:*` actions),
`stepfunctions._AWS_SDK_SERVICE_MAP` and `_AWS_SDK_ERROR_PREFIX` (`aws-sdk:rekognition:*` tasks).
"""

import os
import sys

from ministack import app
from ministack.core import iam_actions, router
from ministack.services import stepfunctions

from localcloud.patches.caller_storage import SEAMS as STORAGE_SEAMS
from localcloud.patches.caller_storage import CallerStorage, caller_of
from localcloud.patches.seam import Seam, check
from localcloud.rekognition import service
from localcloud.rekognition.analyzer_choice import chosen_model
from localcloud.rekognition.settings import RekognitionSettings

SEAMS = (
    *STORAGE_SEAMS,
    Seam("ministack.app", "SERVICE_REGISTRY"),
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam("ministack.app", "_state_map"),
    Seam("ministack.app", "_loaded_modules"),
    Seam("ministack.app", "_lazy_handler", ("module_name",)),
    Seam("ministack.core.router", "SERVICE_PATTERNS"),
    Seam("ministack.core.iam_actions", "SERVICE_TO_IAM_NAMESPACE"),
    Seam("ministack.services.stepfunctions", "_AWS_SDK_SERVICE_MAP"),
    Seam("ministack.services.stepfunctions", "_AWS_SDK_ERROR_PREFIX"),
)


def install() -> None:
    """Register Rekognition, reading and writing S3 with its caller's permissions."""
    check(SEAMS)
    settings = RekognitionSettings.from_environment(os.environ)
    service.configure(CallerStorage(), caller_of, settings, chosen_model(os.environ))
    # For its state and its reset, ministack looks for a service's module in its own package.
    sys.modules["ministack.services.rekognition"] = service
    app._loaded_modules["rekognition"] = service
    app.SERVICE_REGISTRY["rekognition"] = {"module": "rekognition"}
    app.SERVICE_HANDLERS["rekognition"] = app._lazy_handler("rekognition")
    app._state_map["rekognition"] = "rekognition"
    router.SERVICE_PATTERNS["rekognition"] = {"target_prefixes": ["RekognitionService"], "host_patterns": []}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["rekognition"] = "rekognition"
    stepfunctions._AWS_SDK_SERVICE_MAP["rekognition"] = {"target_prefix": "RekognitionService", "protocol": "json"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["rekognition"] = "Rekognition"
