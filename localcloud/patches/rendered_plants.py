"""Planted labels survive rendering, which stands in for a model that would see what is in the picture.

AWS: a rendition shows what the file shows, and Rekognition sees it.
ministack 1.5.33: a rendition has no metadata, so nothing that was planted in the file is left of it.

Plants a rendition of the renderer's anew: with the labels in the object's metadata entry `moderation-labels-<frame>`,
else in its entry `moderation-labels`, else those in the file, wherever they stand in it. And writes in it what it is a
rendition of, by which the local Rekognition counts.

Wraps `lambda_svc._execute_function_warm`, and calls `s3._get_object`.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ministack.services import lambda_svc, s3

from localcloud.patches.seam import Seam, check
from localcloud.rekognition import jpeg
from localcloud.rekognition.planted_labels import METADATA_KEY, VERSION
from localcloud.rekognition.renditions import RENDITION

SEAMS = (
    Seam("ministack.services.lambda_svc", "_execute_function_warm", ("func", "event", "request_id")),
    Seam("ministack.services.s3", "_get_object", ("bucket_name", "key", "headers", "query_params")),
)

#: Of the renderer.
HANDLER = "lambdas.renderer.handler.handler"


def install() -> None:
    """Let renditions have the labels of their frames."""
    check(SEAMS)
    execute = lambda_svc._execute_function_warm

    def execute_and_plant(func: dict[str, Any], event: Any, request_id: str) -> Any:
        result = execute(func, event, request_id)
        config, answer = func.get("config") or func, result.get("body")
        if config.get("Handler") == HANDLER and isinstance(answer, dict) and "jpeg" in answer:
            result["body"] = {**answer, "jpeg": _planted(event, base64.b64decode(answer["jpeg"]))}
        return result

    lambda_svc._execute_function_warm = execute_and_plant


def _planted(event: Mapping[str, Any], rendition: bytes) -> str:
    """The rendition, as base64, with what its frame has."""
    url = urlsplit(str(event["url"]))
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    version = parse_qs(url.query).get("versionId", [])
    status, headers, body = s3._get_object(bucket, key, {}, {"versionId": version} if version else {})
    if status == 200:
        frame = event.get("frame") or 0
        source = f"{RENDITION}s3://{bucket}/{key} {frame} {event.get('background') or 'white'}"
        rendition = jpeg.replace_comments(rendition, source, lambda _: False)
        if plant := plant_in(headers, body, frame):
            rendition = jpeg.replace_comments(rendition, plant, lambda _: False)
    return base64.b64encode(rendition).decode()


def plant_in(headers: Mapping[str, str], body: bytes, frame: int) -> str | None:
    """The plant of a frame, in an object's metadata or in its bytes; None if there is none."""
    metadata = {name.lower().removeprefix("x-amz-meta-"): value for name, value in headers.items()}
    for name in (f"{METADATA_KEY}-{frame}", METADATA_KEY):
        if name in metadata:
            return metadata[name]
    start = body.find(f"{VERSION} {{".encode())
    if start < 0:
        return None
    text = body[start : start + 65_000].decode("utf-8", errors="ignore").removeprefix(f"{VERSION} ")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        end = text.find("\0")  # malformed, as Rekognition says then
    return f"{VERSION} {text[:end]}"
