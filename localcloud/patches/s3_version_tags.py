"""Versions below a delete marker keep their tags, which can be read and changed.

AWS: the operations on tags take a version id, and a version stays what it is below a delete marker (S3 User Guide,
tagging-managing.html and DeleteMarker.html).
ministack 1.5.33: answers NoSuchKey for every version of a key whose current version is a delete marker.

Wraps `s3._get_object_tagging`, `._put_object_tagging` and `._delete_object_tagging`.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.s3", "_buckets"),
    Seam("ministack.services.s3", "_object_tags"),
    Seam("ministack.services.s3", "_object_versions"),
    Seam("ministack.services.s3", "_parse_tags_xml"),
    Seam("ministack.services.s3", "_xml_body"),
    Seam("ministack.services.s3", "_get_object_tagging", ("bucket_name", "key", "query_params")),
    Seam("ministack.services.s3", "_put_object_tagging", ("bucket_name", "key", "body", "query_params")),
    Seam("ministack.services.s3", "_delete_object_tagging", ("bucket_name", "key", "query_params")),
)

_XML = {"Content-Type": "application/xml"}
Query = Mapping[str, Any] | None


def install() -> None:
    """Serve the tags of hidden versions."""
    check(SEAMS)
    get, put, delete = s3._get_object_tagging, s3._put_object_tagging, s3._delete_object_tagging

    def get_object_tagging(bucket_name: str, key: str, query_params: Query = None) -> Any:
        hidden = _hidden(bucket_name, key, query_params)
        if hidden is None:
            return get(bucket_name, key, query_params)
        root = Element("Tagging", xmlns=s3.S3_NS)
        tags = SubElement(root, "TagSet")
        for name, value in s3._object_tags.get(hidden, {}).items():
            tag = SubElement(tags, "Tag")
            SubElement(tag, "Key").text, SubElement(tag, "Value").text = name, value
        return 200, dict(_XML), s3._xml_body(root)

    def put_object_tagging(bucket_name: str, key: str, body: bytes, query_params: Query = None) -> Any:
        hidden = _hidden(bucket_name, key, query_params)
        if hidden is None:
            return put(bucket_name, key, body, query_params)
        s3._object_tags[hidden] = s3._parse_tags_xml(body)
        return 200, dict(_XML), b""

    def delete_object_tagging(bucket_name: str, key: str, query_params: Query = None) -> Any:
        hidden = _hidden(bucket_name, key, query_params)
        if hidden is None:
            return delete(bucket_name, key, query_params)
        s3._object_tags.pop(hidden, None)
        return 204, {}, b""

    s3._get_object_tagging = get_object_tagging
    s3._put_object_tagging = put_object_tagging
    s3._delete_object_tagging = delete_object_tagging


def _hidden(bucket_name: str, key: str, query: Query) -> tuple[str, str, str | None] | None:
    """Where the tags of a version are kept, if a request names one below a delete marker."""
    bucket = s3._buckets.get(bucket_name)
    version = ((query or {}).get("versionId") or [""])[0]
    if bucket is None or key in bucket["objects"] or not version:
        return None
    versions: list[Mapping[str, Any]] = s3._object_versions.get((bucket_name, key), [])
    is_there = any(each["version_id"] == version and not each.get("is_delete_marker") for each in versions)
    return (bucket_name, key, None if version == "null" else version) if is_there else None
