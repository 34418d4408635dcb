"""The renderer: from a presigned URL to a JPEG of what a browser shows there. It may do nothing on AWS."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from gatehouse.contracts.function_metrics import RendererMetric
from gatehouse.contracts.render_call import RenderRequest, refusal_document
from gatehouse.contracts.renderer_environment import RendererEnvironment
from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)

_STOPPED = frozenset({RefusalCode.DECODER_CRASHED, RefusalCode.DECODE_TIMEOUT, RefusalCode.TOO_MUCH_MEMORY})


@cache
def _rendering() -> Rendering:
    decoder = Decoder(heic=RendererEnvironment.read(os.environ).heic)
    decoder.prepare()
    return Rendering(PresignedObject(os.environ.get("AWS_ENDPOINT_URL")), decoder)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answer a request (gatehouse/contracts/render_call.py). The URL, which is a key to the picture, is never logged.

    Raises:
        OSError: the system has no memory or process left; nothing was found out about the picture.
    """
    described = rendered = refused = stopped = failed = 0
    try:
        answer = _rendering().answer(RenderRequest.parse(event))
    except RefusedError as error:
        failed = int(error.code.is_about_the_call)
        refused, stopped = 1 - failed, int(error.code in _STOPPED)
        logger.info("refused", extra={"code": error.code.value, "problem": error.message})
        document = refusal_document(error)
    else:
        described, rendered = int(answer.description is not None), 1
        document = answer.to_document()
    counts = {
        RendererMetric.PICTURES_DESCRIBED: described,
        RendererMetric.FRAMES_RENDERED: rendered,
        RendererMetric.PICTURES_REFUSED: refused,
        RendererMetric.DECODERS_STOPPED: stopped,
        RendererMetric.CALLS_REFUSED: failed,
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    return document
