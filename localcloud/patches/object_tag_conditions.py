"""What bucket policies can ask of tags, copies and roles.

AWS: `s3:ExistingObjectTag/<key>` is there for reading an object, its attributes and its tags, and for changing its
tags, but not for putting or deleting it; `s3:RequestObjectTagKeys` and `s3:RequestObjectTag/<key>` for whatever sets
tags: a PUT, a POST form, the beginning of a multipart upload, a copy that replaces tags, and PutObjectTagging (S3 User
Guide, tagging-and-policies.html; Service Authorization Reference for S3). `s3:x-amz-copy-source` is there for copies,
which also need reading their source. `aws:PrincipalArn` is the ARN of the role, with its path, and not of its session
(IAM User Guide, reference_policies_condition-keys.html). A form is authorized as PutObject of its policy's signer.
ministack 1.5.33: has existing tags for GetObject alone, none for the source of a copy, no tags of requests, no copy
source, and the session's ARN; and it does not authorize forms.

Wraps `iam_actions.extract_resource_arn`, `.s3_service_context`, `.s3_additional_checks`, `.s3_access_point_resources`,
`iam_evaluator._resolve_condition_key` and `s3._post_object`.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam, s3

from localcloud.patches import authorization
from localcloud.patches.seam import Seam, check

_REQUEST = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")

SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.core.iam_actions", "extract_resource_arn", _REQUEST),
    Seam("ministack.core.iam_actions", "s3_service_context", ("iam_action", "query_params", "path", "headers")),
    Seam("ministack.core.iam_actions", "s3_additional_checks", ("method", "path", "headers", "body", "query_params")),
    Seam("ministack.core.iam_actions", "s3_access_point_resources", ("resource_arn",)),
    Seam("ministack.core.iam_evaluator", "_resolve_condition_key", ("key", "ctx")),
    Seam("ministack.services.iam", "_roles"),
    Seam("ministack.services.s3", "_error"),
    Seam("ministack.services.s3", "_parse_multipart_form"),
    Seam("ministack.services.s3", "_parse_tags_xml"),
    Seam("ministack.services.s3", "_post_form_access_key_id"),
    Seam("ministack.services.s3", "_post_object", ("bucket_name", "body", "headers")),
    Seam("ministack.services.s3", "object_tags_for_condition", ("bucket_name", "key", "query_params")),
)

_TAGGED: Final = frozenset(
    f"s3:{verb}Object{version}{part}"
    for version in ("", "Version")
    for verb, part in (
        *(("Get", ""), ("Get", "Attributes"), ("Get", "Tagging"), ("Get", "Acl")),
        *(("Put", "Tagging"), ("Delete", "Tagging"), ("Put", "Acl")),
    )
)
_SETTING_TAGS: Final = frozenset({"s3:PutObjectTagging", "s3:PutObjectVersionTagging"})
_SESSION: Final = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.*")

_body: ContextVar[bytes] = ContextVar("body of the request that is authorized", default=b"")
_extra: ContextVar[Mapping[str, Mapping[str, Any]] | None] = ContextVar("those of its other resources", default=None)


def install() -> None:
    """Give policies what they can ask on AWS."""
    check(SEAMS)
    _install_resources()
    _install_context()
    _install_principal()
    _install_forms()


def existing_tags(bucket: str, key: str, version_id: str | None) -> dict[str, str]:
    """The condition keys of the tags of an object's version; of the current one, if none is named."""
    query = {"versionId": [version_id]} if version_id else {}
    tags = s3.object_tags_for_condition(bucket, key, query)
    return {f"s3:ExistingObjectTag/{name}": value for name, value in tags.items()}


def _install_resources() -> None:
    extract, more, access_points = (
        iam_actions.extract_resource_arn,
        iam_actions.s3_additional_checks,
        iam_actions.s3_access_point_resources,
    )

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query_params: Any, region: str, account_id: str
    ) -> Any:
        if service == "s3":
            _body.set(body)
            _extra.set(None)
        return extract(service, method, path, headers, body, query_params, region, account_id)

    def s3_additional_checks(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
        checks = more(method, path, headers, body, query_params)
        source = iam_actions._s3_source_object(headers)
        extra = {}
        for _, arn in checks:
            bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
            version = source[1] if source and source[0] == arn else (query_params.get("versionId") or [""])[0]
            extra[arn] = existing_tags(bucket, key, version or None)
        _extra.set(extra)
        return checks

    def s3_access_point_resources(resource_arn: str) -> Any:
        extra = (_extra.get() or {}).get(resource_arn, {})
        return [(arn, {**extra, **keys}) for arn, keys in access_points(resource_arn)]

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.s3_additional_checks = s3_additional_checks
    iam_actions.s3_access_point_resources = s3_access_point_resources


def _install_context() -> None:
    context_of = iam_actions.s3_service_context

    def s3_service_context(iam_action: str, query_params: Any, path: str = "", headers: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = context_of(iam_action, query_params, path, headers)
        bucket, _, key = path.lstrip("/").partition("/")
        if iam_action in _TAGGED:
            found |= existing_tags(bucket, unquote(key), (query_params or {}).get("versionId", [None])[0])
        if iam_action in _SETTING_TAGS:
            found |= _requested(_tags_of_document(_body.get()))
        if iam_action == "s3:PutObject":
            found |= _requested(_tags_of_header((headers or {}).get("x-amz-tagging", "")))
            if source := (headers or {}).get("x-amz-copy-source"):
                found["s3:x-amz-copy-source"] = source
        return found

    iam_actions.s3_service_context = s3_service_context


def _install_principal() -> None:
    resolve = iam_evaluator._resolve_condition_key

    def resolve_condition_key(key: str, ctx: Any) -> Any:
        if key.lower() == "aws:principalarn" and (session := _SESSION.fullmatch(ctx.principal_arn or "")):
            partition, account, name = session.groups()
            role = iam._roles.get_scoped(account, None, name) or {}
            return role.get("Arn", f"arn:{partition}:iam::{account}:role/{name}")
        return resolve(key, ctx)

    iam_evaluator._resolve_condition_key = resolve_condition_key


def _install_forms() -> None:
    post = s3._post_object

    def post_object(bucket_name: str, body: bytes, headers: Mapping[str, str]) -> Any:
        parts = s3._parse_multipart_form(headers.get("content-type", ""), body)
        fields = {name.lower(): value.decode("utf-8", "replace") for name, _, _, value in parts or () if name != "file"}
        access_key = s3._post_form_access_key_id(parts) if parts else ""
        if access_key and fields.get("key"):
            context = _requested(_tags_of_document(fields.get("tagging", "").encode()))
            context |= _requested(_tags_of_header(fields.get("x-amz-tagging", "")))
            resource = f"arn:aws:s3:::{bucket_name}/{fields['key']}"
            if refused := authorization.denial(access_key, "s3:PutObject", resource, context):
                return s3._error("AccessDenied", refused.message, 403, f"/{bucket_name}")
        return post(bucket_name, body, headers)

    s3._post_object = post_object


def _requested(tags: Mapping[str, str]) -> dict[str, Any]:
    if not tags:
        return {}
    return {"s3:RequestObjectTagKeys": list(tags)} | {f"s3:RequestObjectTag/{name}": tags[name] for name in tags}


def _tags_of_header(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def _tags_of_document(body: bytes) -> dict[str, str]:
    """The tags of a Tagging document; none if it is not one, which the operation itself refuses."""
    try:
        return dict(s3._parse_tags_xml(body))
    except Exception:
        return {}
