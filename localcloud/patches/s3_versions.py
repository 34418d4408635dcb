"""Objects without a version id are served as version `null`, and a version can be read in part.

AWS: in a bucket whose versioning is enabled or suspended, GetObject and HeadObject return `x-amz-version-id: null` for
an object that was stored before versioning or while it is suspended; in a bucket that never had versioning they omit it
(S3 User Guide, versioning-workflows.html). PutObject omits it while versioning is suspended (API reference, PutObject,
sample "Versioning suspended"). A `Range` also works for a version named by its id.
ministack 1.5.33: never returns the null version, and ignores a `Range` for a version named by its id.

Wraps the entry `s3` of `app.SERVICE_HANDLERS`.
"""

from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.services import s3

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam("ministack.services.s3", "_bucket_versioning"),
    Seam("ministack.services.s3", "_parse_range", ("range_header", "total")),
    Seam("ministack.services.s3", "_range_error_xml", ("bucket_name", "key")),
    Seam("ministack.services.s3", "_xml_body", ("root",)),
)

#: The query parameters of GetObject and HeadObject; any other one requests something else than the object.
_OF_THE_OBJECT = frozenset({"x-id", "versionId", "partNumber"})
_READ = frozenset({200, 206})


def install() -> None:
    """Return null versions, and parts of versions."""
    check(SEAMS)
    handle = app.SERVICE_HANDLERS["s3"]

    async def handle_request(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Any:
        status, answered, content = await handle(method, path, headers, body, query_params)
        bucket, _, key = path.lstrip("/").partition("/")
        of_the_object = all(name in _OF_THE_OBJECT or name.startswith("response-") for name in query_params)
        if method not in ("GET", "HEAD") or status not in _READ or not key or not of_the_object:
            return status, answered, content
        if s3._bucket_versioning.get(bucket) is not None:
            answered.setdefault("x-amz-version-id", "null")
        wanted = headers.get("range", "")
        if wanted and method == "GET" and status == 200 and "versionId" in query_params:
            return _part(bucket, key, answered, content, wanted)
        return status, answered, content

    app.SERVICE_HANDLERS["s3"] = handle_request


def _part(bucket: str, key: str, answered: dict[str, str], content: bytes, wanted: str) -> tuple[int, Any, bytes]:
    """The answer to a request for a range, instead of the one with the whole object; see `s3._get_object`."""
    found = s3._parse_range(wanted, len(content))
    if found is None:
        headers = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(content)}"}
        return 416, headers, s3._xml_body(s3._range_error_xml(bucket, key))
    start, end = found
    # A checksum of the whole object would not match the part.
    kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum-")}
    part = content[start : end + 1]
    kept |= {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(content)}"}
    return 206, kept, part
