"""What the account and its Region have to offer: credentials, Rekognition, quotas, adapters. Reads only."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from gatehouse.cli.aws.adapters import DEPRECATED, TRAINED
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.doctor.limit_checks import CONCURRENCY_QUOTA, bulk_jobs
from gatehouse.cli.errors import is_throttled
from gatehouse.configuration.call_rate import (
    DEFAULT_CALLS_PER_SECOND,
    LARGE_REGION_CALLS_PER_SECOND,
    LARGE_REGIONS,
    CallRate,
)
from gatehouse.configuration.settings import Settings
from gatehouse.moderation.engine import Engine

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.paste import Paste

#: No image: Rekognition refuses it before it analyzes anything, and charges for images that it analyzed.
_NO_IMAGE = b"\x00"
#: How it refuses that (API reference, DetectModerationLabels, Errors).
_REFUSALS_OF_NO_IMAGE = frozenset({"InvalidImageFormatException", "InvalidParameterException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
#: How a service answers that does not know the operation.
_UNKNOWN_OPERATION = frozenset({"InvalidAction", "UnknownOperationException"})

#: Functions beside batchers and Analyzers: Results, Outcomes, the sweeper, and some room for retries.
_OTHER_FUNCTIONS = 7
#: Jobs a page: more than are ever open.
_JOBS_A_PAGE = 100
#: In the names of quotas (Service Quotas).
_QUOTA_NAME = "DetectModerationLabels"
_STARTS = "StartExecution"


def credentials(connection: "Connection") -> Finding:
    """Who asks, and in which Region: GetCallerIdentity, which needs no permission."""
    region = connection.region_name
    if region is None:
        return Finding(
            "credentials", Health.BROKEN, "No AWS Region is chosen.", ("export AWS_REGION=us-east-1  # or another one",)
        )
    identity = connection.client("sts").get_caller_identity()
    return Finding("credentials", Health.OK, f"{identity['Arn']} in {region}.")


def detection(connection: "Connection", settings: Settings | None, paste: "Paste") -> Finding:
    """Whether DetectModerationLabels is offered: asked with a byte that is no image, which costs nothing."""
    client: Any = connection.client("rekognition")
    region = connection.region_name
    try:
        client.detect_moderation_labels(Image={"Bytes": _NO_IMAGE})
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSALS_OF_NO_IMAGE:
            return Finding("detection", Health.OK, f"DetectModerationLabels is offered in {region}.")
        if code in _DENIED:
            return Finding(
                "detection",
                Health.UNKNOWN,
                "You may not call DetectModerationLabels, so it is not known whether it is offered. The functions "
                "have roles of their own.",
            )
        if is_throttled(error):
            return _throttled(connection, settings, paste)
        if code in _UNKNOWN_OPERATION:
            return _not_offered(region, code)
        raise
    except EndpointConnectionError:
        return _not_offered(region, "it has no address")
    return Finding("detection", Health.OK, f"DetectModerationLabels is offered in {region}.")


def _throttled(connection: "Connection", settings: Settings | None, paste: "Paste") -> Finding:
    """It is offered, and somebody uses up the calls."""
    wanted = (settings and settings.image_engine.calls_per_second) or _default_rate(connection.region_name)
    try:
        quota = _detection_quota(connection)
    except (ClientError, BotoCoreError):  # it only says how many calls there are
        quota = None
    allowed = f"the account has {float(quota['Value']):g}" if quota else "Service Quotas says how many the account has"
    fix = [
        paste.setting(f"image_engine: {{calls_per_second: {wanted / 2:g}}}  # or what the others leave of the quota")
    ]
    if quota:
        fix.append(_ask_for(paste, "rekognition", quota["QuotaCode"], 2 * float(quota["Value"])))
    return Finding(
        "detection",
        Health.WARNING,
        f"DetectModerationLabels is throttled in {connection.region_name} at the moment: Gatehouse counts on "
        f"{wanted:g} calls a second, {allowed}, and everything that runs in the account shares those.",
        tuple(fix),
    )


def _not_offered(region: str | None, why: str) -> Finding:
    return Finding(
        "detection",
        Health.BROKEN,
        f"DetectModerationLabels is not offered in {region} ({why}): no image could be analyzed.",
        ("export AWS_REGION=us-east-1  # or another Region that has it; the bucket has to be in the same one",),
    )


def bulk(connection: "Connection", settings: Settings, paste: "Paste") -> list[Finding]:
    """Whether Bulk Analysis answers, where a lane may use it, and how many of its jobs are open."""
    engines = {entry.lane.engine for entry in settings.lanes}
    if not any(Engine.BULK in engine.candidates for engine in engines):
        return []
    client: Any = connection.client("rekognition")
    try:
        jobs = client.list_media_analysis_jobs(MaxResults=_JOBS_A_PAGE)["MediaAnalysisJobs"]
    except (ClientError, BotoCoreError) as error:
        if is_throttled(error):
            raise
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        only = sorted(entry.name for entry in settings.lanes if entry.lane.engine is Engine.BULK)
        health = Health.WARNING if not only or code in _DENIED else Health.BROKEN
        return [
            Finding(
                "bulk",
                health,
                f"Bulk Analysis does not answer ({code}): it is closed to accounts that had not used it before "
                f"April 30, 2026, or you may not ask. {_without_bulk(only)}",
                (paste.setting("engine: image  # for the lane"), paste.make("deploy")),
            )
        ]
    return [Finding("bulk", Health.OK, "Bulk Analysis answers."), bulk_jobs(jobs, connection.region_name, paste)]


def _without_bulk(only: list[str]) -> str:
    if only:
        return f"Lane {', '.join(only)} has no other engine."
    return "Lanes with `engine: auto` use single calls instead, and an alarm says so."


def rekognition_quota(connection: "Connection", settings: Settings, paste: "Paste") -> Finding:
    """Whether the account has the calls a second that the settings count on."""
    wanted = settings.image_engine.calls_per_second or _default_rate(connection.region_name)
    quota = _detection_quota(connection)
    if quota is None:
        return Finding(
            "rekognition-quota", Health.UNKNOWN, f"Service Quotas names no quota for {_QUOTA_NAME} in this Region."
        )
    allowed = float(quota["Value"])
    if allowed >= wanted:
        return Finding(
            "rekognition-quota", Health.OK, f"{allowed:g} calls of {_QUOTA_NAME} a second; {wanted:g} are counted on."
        )
    return Finding(
        "rekognition-quota",
        Health.BROKEN,
        f"The account has {allowed:g} calls of {_QUOTA_NAME} a second, and the settings count on {wanted:g}: the rest "
        "would be throttled. Count on fewer, or ask for more.",
        (
            paste.setting(f"image_engine: {{calls_per_second: {allowed:g}}}"),
            _ask_for(paste, "rekognition", quota["QuotaCode"], wanted),
        ),
    )


def _detection_quota(connection: "Connection") -> dict[str, Any] | None:
    """The account's quota of DetectModerationLabels; None where Service Quotas names none."""
    quotas = [
        quota for quota in _quotas(connection, "rekognition", _QUOTA_NAME) if "second" in quota["QuotaName"].lower()
    ]
    return max(quotas, key=lambda each: float(each["Value"]), default=None)


def _ask_for(paste: "Paste", service: str, quota_code: str, value: float) -> str:
    return paste.aws(
        f"service-quotas request-service-quota-increase --service-code {service} --quota-code {quota_code} "
        f"--desired-value {value:g}"
    )


def workflow_quota(connection: "Connection", settings: Settings, paste: "Paste") -> Finding:
    """Whether Step Functions starts as many executions a second as batchers may want: one for each of their runs.

    A run takes a second and more. Step Functions refills a bucket of starts at a steady rate (Developer Guide,
    service-quotas.html); how Service Quotas calls that rate is not documented, so any quota of starts that names a
    rate or a second counts, and the smallest is the one to keep.
    """
    wanted = sum(entry.max_concurrency for entry in settings.lanes)
    quotas = [
        quota
        for quota in _quotas(connection, "states", _STARTS)
        if any(word in quota["QuotaName"].lower() for word in ("rate", "second"))
    ]
    if not quotas:
        return Finding("workflow-quota", Health.UNKNOWN, f"Service Quotas names no rate of {_STARTS} in this Region.")
    quota = min(quotas, key=lambda each: float(each["Value"]))
    allowed = float(quota["Value"])
    if allowed >= wanted:
        return Finding(
            "workflow-quota", Health.OK, f"{allowed:g} starts of workflows a second; at most {wanted} are counted on."
        )
    return Finding(
        "workflow-quota",
        Health.WARNING,
        f"Step Functions starts {allowed:g} workflows of this account a second, and all lanes together may want "
        f"{wanted}: batches are started later, and nothing is lost.",
        (_ask_for(paste, "states", quota["QuotaCode"], wanted),),
    )


def _quotas(connection: "Connection", service: str, operation: str) -> list[dict[str, Any]]:
    """The account's quotas of a service that name an operation."""
    client: Any = connection.client("service-quotas")
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode=service)
    return [quota for page in pages for quota in page["Quotas"] if operation in quota["QuotaName"]]


def lambda_quota(connection: "Connection", settings: Settings, paste: "Paste") -> Finding:
    """Whether Lambda runs as many functions at once as the settings may start."""
    limit = connection.client("lambda").get_account_settings()["AccountLimit"]
    allowed = int(limit["UnreservedConcurrentExecutions"])
    rate = settings.image_engine.calls_per_second or _default_rate(connection.region_name)
    batchers = sum(entry.max_concurrency for entry in settings.lanes)
    wanted = batchers + CallRate(rate).workers + _OTHER_FUNCTIONS
    if allowed >= wanted:
        return Finding("lambda-quota", Health.OK, f"{allowed:,} functions at once; about {wanted} may run.")
    return Finding(
        "lambda-quota",
        Health.WARNING,
        f"Lambda runs {allowed} functions of this account at once, and about {wanted} may want to: uploads wait, and "
        "other functions of the account with them.",
        # What other functions of the account reserve is no part of what is free.
        (_ask_for(paste, "lambda", CONCURRENCY_QUOTA, wanted + int(limit["ConcurrentExecutions"]) - allowed),),
    )


def adapters(connection: "Connection", settings: Settings, paste: "Paste") -> list[Finding]:
    """Whether each lane's adapter exists here, is trained, and does not expire soon."""
    client: Any = connection.client("rekognition")
    return [_adapter(client, entry.name, entry.lane.adapter, paste) for entry in settings.lanes if entry.lane.adapter]


def _adapter(client: Any, lane: str, arn: str, paste: "Paste") -> Finding:
    """A version's ARN names its project, and not when that was made, which the project's own ARN ends with."""
    project, version_name = arn.split(":project/", 1)[1].split("/")[0], arn.split("/version/", 1)[1].split("/")[0]
    projects = client.describe_projects(ProjectNames=[project], Features=["CONTENT_MODERATION"])["ProjectDescriptions"]
    if not projects:
        return _bad_adapter(lane, arn, f"there is no project {project} in this Region", paste)
    versions = client.describe_project_versions(ProjectArn=projects[0]["ProjectArn"], VersionNames=[version_name])
    found = [each for each in versions["ProjectVersionDescriptions"] if each["ProjectVersionArn"] == arn]
    if not found:
        return _bad_adapter(lane, arn, "its project has no such version", paste)
    status = found[0]["Status"]
    if status == DEPRECATED:
        return Finding(
            "adapter",
            Health.WARNING,
            f"The adapter of lane {lane}, {arn}, was trained on an older base model, and expires 60 to 90 days after "
            "the new one's release. Then what it approves ends FAILED (AdapterIgnored). Train it again before: "
            "docs/adapters.md.",
            (paste.gatehouse("adapter list"),),
        )
    if status != TRAINED:
        return _bad_adapter(lane, arn, f"its status is {status}", paste)
    return Finding("adapter", Health.OK, f"The adapter of lane {lane} is trained.")


def _bad_adapter(lane: str, arn: str, why: str, paste: "Paste") -> Finding:
    return Finding(
        "adapter",
        Health.BROKEN,
        f"The adapter of lane {lane}, {arn}, can't be used: {why}. Rekognition would answer without it, and what that "
        "approves ends FAILED (AdapterIgnored).",
        (
            paste.gatehouse("adapter list"),
            paste.setting("adapter: null  # for the lane; or the ARN of one that is trained"),
            paste.make("deploy"),
        ),
    )


def _default_rate(region: str | None) -> float:
    return float(LARGE_REGION_CALLS_PER_SECOND if region in LARGE_REGIONS else DEFAULT_CALLS_PER_SECOND)
