"""A listing of versions encodes characters that XML can't contain, if the client requests it.

AWS: with `encoding-type=url`, which botocore always sends, ListObjectVersions encodes Delimiter, KeyMarker, Prefix,
NextKeyMarker and Key, and says so in EncodingType (API reference, ListObjectVersions).
ministack 1.5.33: ignores the parameter, so that a key with a control character makes the answer invalid XML.

Wraps `_list_object_versions` and `_xml_body`.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from xml.etree.ElementTree import Element

from ministack.services import s3

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.s3", "_list_object_versions", ("bucket_name", "query_params")),
    Seam("ministack.services.s3", "_xml_body", ("root",)),
    Seam("ministack.services.s3", "_url_encode", ("value",)),
    Seam("ministack.services.s3", "_qp"),
)

_ENCODED = frozenset({"Delimiter", "KeyMarker", "Prefix", "NextKeyMarker", "Key"})
_is_encoded: ContextVar[bool] = ContextVar("is_encoded", default=False)


def install() -> None:
    """Encode listings of versions."""
    check(SEAMS)
    list_versions, xml_body = s3._list_object_versions, s3._xml_body

    def list_object_versions(bucket_name: str, query_params: Mapping[str, Any]) -> Any:
        token = _is_encoded.set(s3._qp(query_params, "encoding-type", "") == "url")
        try:
            return list_versions(bucket_name, query_params)
        finally:
            _is_encoded.reset(token)

    def encoded_body(root: Element) -> Any:
        if _is_encoded.get() and root.tag == "ListVersionsResult":
            for element in root.iter():
                if element.tag in _ENCODED and element.text:
                    element.text = s3._url_encode(element.text)
            said = Element("EncodingType")
            said.text = "url"
            root.append(said)
        return xml_body(root)

    s3._list_object_versions, s3._xml_body = list_object_versions, encoded_body
