"""`doctor`: every check is seen to pass and to fail, and what it finds comes with its fix."""

import json
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from gatehouse.cli.command_name import COMMAND
from gatehouse.contracts.alarm_texts import alarm_text
from tests.cli.conftest import LANES, STANDARD, UPLOADS, Deployed, Run
from tests.unit.aws_calls import an_error
from tests.unit.builders import ADAPTER

SETTINGS = f"""\
upload_bucket: {UPLOADS}
image_engine: {{calls_per_second: 20}}
lanes:
  default: {{adapter: "{ADAPTER}"}}
"""
PROJECT = ADAPTER.partition("/version/")[0] + "/7"


REFILL = "StartExecution throttle token refill rate per second"
KEY = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"


OTHER_KEY = KEY.replace("1111-", "2222-")
VIA_ANOTHER_SERVICE = {"StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"}}
IN_THIS_ACCOUNT = {
    "StringEquals": {"kms:CallerAccount": "111122223333", "kms:ViaService": "s3.us-east-1.amazonaws.com"}
}


#: Physical ids by logical ids, as CloudFormation makes them.
MAPPINGS = {
    "DefaultLaneBatcherMessages1A": "batcher",
    "LiveImagesAnalyzerChunks2B": "analyzer",
    "OutcomesChanges3C": "m-1",
}
RULES = {"DefaultLaneRule4D": "uploads-of-default", "SweeperSchedule5E": "sweeps"}
RESOURCES = {
    "AWS::Lambda::EventSourceMapping": MAPPINGS,
    "AWS::Events::Rule": RULES,
    "AWS::Lambda::Function": {"LiveImagesAnalyzer6F": "analyzer", "Renderer7A": "renderer"},
}
#: Functions that others of the account have reserved.
RESERVED = 50


def encrypted_with(key: str) -> dict[str, Any]:
    """The answer of GetBucketEncryption for a bucket with a key of the account's own."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    return {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}}


class Account:
    """AWS as a deployment needs it; a test takes something away."""

    def __init__(self, deployed: Deployed) -> None:
        self.calls = deployed.calls
        self.s3 = deployed.s3
        deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
        self.notifications: dict[str, Any] = {"EventBridgeConfiguration": {}}
        self.bucket_region = "us-east-1"
        self.quota, self.concurrency, self.starts = 20.0, 1000, 300.0
        self.key_policy: dict[str, Any] = {}
        self.key_state, self.key_manager = "Enabled", "CUSTOMER"
        self.changes: list[dict[str, Any]] = []
        self.version: dict[str, str] | None = {"ProjectVersionArn": ADAPTER, "Status": "TRAINING_COMPLETED"}
        self.mappings = dict.fromkeys(MAPPINGS.values(), "Enabled")
        self.rules = dict.fromkeys(RULES.values(), "ENABLED")
        self.recursion = "Allow"
        self.redrive: dict[str, str] = {"RedrivePolicy": "{}"}
        self.jobs: list[dict[str, Any]] = []
        self.ran_at_once, self.dead_letter_age, self.in_flight = 10.0, 0.0, 0
        self.alarm: dict[str, Any] = {
            "AlarmName": "gatehouse X",
            "StateValue": "OK",
            "AlarmDescription": "It rings.",
            "AlarmActions": [deployed.sns.create_topic(Name="alarms")["TopicArn"]],
        }
        for topic_arn in (deployed.topic_arn, self.alarm["AlarmActions"][0]):
            deployed.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:1:queue")
        rate = "Transactions per second per account for the Amazon Rekognition operation DetectModerationLabels"
        answers = {
            "DetectModerationLabels": lambda _: an_error("InvalidImageFormatException", "no image"),
            "ListMediaAnalysisJobs": lambda _: {"MediaAnalysisJobs": self.jobs},
            "ListServiceQuotas": lambda request: {
                "Quotas": [
                    {"QuotaName": rate, "QuotaCode": "L-1", "Value": self.quota}
                    if json.loads(request["body"])["ServiceCode"] == "rekognition"
                    else {"QuotaName": REFILL, "QuotaCode": "L-2", "Value": self.starts}
                ]
            },
            "GetBucketEncryption": lambda _: {"ServerSideEncryptionConfiguration": {"Rules": []}},
            "DescribeKey": lambda _: {
                "KeyMetadata": {"KeyId": "k", "Arn": KEY, "KeyState": self.key_state, "KeyManager": self.key_manager}
            },
            "GetKeyPolicy": lambda _: {"Policy": json.dumps(self.key_policy)},
            "LookupEvents": lambda _: {"Events": self.changes},
            "GetAccountSettings": lambda _: {
                "AccountLimit": {
                    "UnreservedConcurrentExecutions": self.concurrency,
                    "ConcurrentExecutions": self.concurrency + RESERVED,
                }
            },
            "ListStackResources": lambda _: {
                "StackResourceSummaries": [
                    {"ResourceType": kind, "LogicalResourceId": logical, "PhysicalResourceId": physical}
                    for kind, ids in RESOURCES.items()
                    for logical, physical in ids.items()
                ]
            },
            "DescribeRule": self._rule,
            "GetFunctionRecursionConfig": lambda _: {"RecursiveLoop": self.recursion},
            "GetSubscriptionAttributes": lambda _: {"Attributes": self.redrive},
            "GetMetricData": self._metrics,
            "GetQueueAttributes": lambda _: {
                "Attributes": {
                    "ApproximateNumberOfMessages": "0",
                    "ApproximateNumberOfMessagesNotVisible": str(self.in_flight),
                }
            },
            "DescribeProjects": lambda _: {"ProjectDescriptions": [{"ProjectArn": PROJECT}]},
            "DescribeProjectVersions": self._versions,
            "GetBucketNotificationConfiguration": lambda _: dict(self.notifications),
            "HeadBucket": lambda _: {"BucketRegion": self.bucket_region},
            "ListEventSourceMappings": self._mappings,
            "DescribeAlarms": lambda _: {"MetricAlarms": [self.alarm] if self.alarm else []},
        }
        for operation, answer in answers.items():
            self.calls.answer_always(operation, answer)

    def _mappings(self, _: Mapping[str, Any]) -> dict[str, Any]:
        found = {"somebody-elses": "Disabled", **self.mappings}
        return {
            "EventSourceMappings": [
                {"UUID": uuid, "State": state, "FunctionArn": f"arn:aws:lambda:us-east-1:1:function:reads-{uuid}"}
                for uuid, state in found.items()
            ]
        }

    def _rule(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = json.loads(request["body"])["Name"]
        return (
            {"Name": name, "State": self.rules[name]} if name in self.rules else an_error("ResourceNotFoundException")
        )

    def _metrics(self, request: Mapping[str, Any]) -> dict[str, Any]:
        values = {"ConcurrentExecutions": self.ran_at_once, "ApproximateAgeOfOldestMessage": self.dead_letter_age}
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Values": [values[query["MetricStat"]["Metric"]["MetricName"]]]}
                for query in json.loads(request["body"])["MetricDataQueries"]
            ]
        }

    def _versions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert json.loads(request["body"])["ProjectArn"] == PROJECT
        return {"ProjectVersionDescriptions": [self.version] if self.version else []}


@pytest.fixture
def account(deployed: Deployed, here: Path) -> Account:
    (here / "policies").mkdir()
    (here / "policies" / "standard.yaml").write_text(STANDARD, "utf-8")
    (here / "gatehouse.yaml").write_text(SETTINGS, "utf-8")
    return Account(deployed)


def findings(gatehouse: Run, *arguments: str, code: int | None = None) -> dict[str, dict[str, Any]]:
    result = gatehouse("doctor", *arguments, "--output", "json")
    assert code is None or result.exit_code == code
    return {finding["check"]: finding for finding in json.loads(result.stdout)}


def pasted(lines: list[str], option: str) -> list[Any]:
    """The documents that commands give with an option."""
    words = [shlex.split(line) for line in lines]
    return [json.loads(line[line.index(option) + 1]) for line in words if option in line]


def test_nothing_is_wrong_with_an_account_that_has_it_all(gatehouse: Run, account: Account) -> None:
    found = findings(gatehouse, code=0)

    assert {finding["health"] for finding in found.values()} == {"ok"}
    assert set(found) == {
        *("credentials", "settings", "stacks", "detection", "bulk", "bulk-jobs"),
        *("rekognition-quota", "lambda-quota", "workflow-quota", "adapter"),
        *("bucket-region", "eventbridge", "versioning", "bucket-policy", "encryption"),
        *("readers", "rules", "recursion", "subscribers", "subscriber-queues"),
        *("lambda-in-use", "in-flight", "dead-letters", "alarm-listeners", "alarms"),
    }


def test_it_only_reads_and_sends_no_image(gatehouse: Run, account: Account) -> None:
    sent = []
    account.calls.answer_always(
        "DetectModerationLabels",
        lambda request: sent.append(json.loads(request["body"])) or an_error("InvalidImageFormatException"),  # type: ignore[func-returns-value]
    )
    account.calls.made.clear()

    findings(gatehouse)

    assert sent == [{"Image": {"Bytes": "AA=="}}]
    reads = ("Get", "List", "Describe", "Head", "Lookup", "DetectModerationLabels")
    assert all(call.startswith(reads) for call in account.calls.made)


def test_without_credentials_nothing_else_is_looked_at(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("GetCallerIdentity", lambda _: an_error("ExpiredToken", "expired"))

    found = findings(gatehouse, code=1)

    assert list(found) == ["credentials"]
    assert "sign in" in found["credentials"]["text"]


@pytest.mark.parametrize("code", ["UnknownOperationException", None])
def test_a_region_without_moderation_is_told(gatehouse: Run, account: Account, code: str | None) -> None:
    def no_address(_: object) -> dict[str, Any]:
        if code:
            return an_error(code)
        raise EndpointConnectionError(endpoint_url="https://rekognition.nowhere")

    account.calls.answer_always("DetectModerationLabels", no_address)

    finding = findings(gatehouse, code=1)["detection"]

    assert finding["health"] == "broken"
    assert "not offered in us-east-1" in finding["text"]
    assert finding["fix"][0].startswith("export AWS_REGION=")


def test_who_may_not_ask_is_not_told_that_it_is_broken(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("DetectModerationLabels", lambda _: an_error("AccessDeniedException"))

    assert findings(gatehouse, code=0)["detection"]["health"] == "unknown"


def test_bulk_that_is_closed_is_worth_a_look(gatehouse: Run, account: Account, here: Path) -> None:
    account.calls.answer_always("ListMediaAnalysisJobs", lambda _: an_error("AccessDeniedException"))

    assert findings(gatehouse, code=0)["bulk"]["health"] == "warning"
    (here / "gatehouse.yaml").write_text("lanes: {default: {engine: image}}", "utf-8")
    assert "bulk" not in findings(gatehouse)


def test_a_quota_below_the_settings_is_told(gatehouse: Run, account: Account) -> None:
    account.quota = 5.0

    finding = findings(gatehouse, code=1)["rekognition-quota"]

    assert finding["health"] == "broken"
    assert "calls_per_second: 5" in finding["fix"][0]
    assert "--quota-code L-1 --desired-value 20" in finding["fix"][1]


def test_a_region_that_names_no_quota_leaves_it_open(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("ListServiceQuotas", lambda _: {"Quotas": []})

    assert findings(gatehouse, code=0)["rekognition-quota"]["health"] == "unknown"


def test_a_small_new_account_is_told(gatehouse: Run, account: Account) -> None:
    account.concurrency = 10

    finding = findings(gatehouse, code=0)["lambda-quota"]

    wanted = int(re.findall(r"about (\d+) may want", finding["text"])[0])
    assert finding["health"] == "warning"
    assert 10 < wanted < 100
    assert finding["fix"][0].endswith(f"--quota-code L-B99A9384 --desired-value {wanted + RESERVED}")


def test_workflows_that_start_more_slowly_than_batches_come_are_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.starts = 1.0

    finding = findings(gatehouse, code=0)["workflow-quota"]

    assert finding["health"] == "warning"
    assert "Step Functions starts 1 workflows" in finding["text"]
    assert "--service-code states --quota-code L-2" in finding["fix"][0]


@pytest.mark.parametrize("version", [None, {"ProjectVersionArn": ADAPTER, "Status": "EXPIRED"}])
def test_an_adapter_that_is_not_alive_is_told(gatehouse: Run, account: Account, version: dict[str, str] | None) -> None:
    account.version = version

    assert findings(gatehouse, code=1)["adapter"]["health"] == "broken"


def test_an_adapter_that_expires_soon_is_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.version = {"ProjectVersionArn": ADAPTER, "Status": "DEPRECATED"}

    finding = findings(gatehouse, code=0)["adapter"]

    assert finding["health"] == "warning"
    assert "expires 60 to 90 days after" in finding["text"]


def test_an_adapter_whose_project_is_gone_is_told(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("DescribeProjects", lambda _: {"ProjectDescriptions": []})

    assert "there is no project p" in findings(gatehouse, code=1)["adapter"]["text"]


def test_a_bucket_of_another_region_is_told(gatehouse: Run, account: Account) -> None:
    account.bucket_region = "eu-west-1"

    assert findings(gatehouse, code=1)["bucket-region"]["fix"] == ["export AWS_REGION=eu-west-1"]


def test_the_fix_for_notifications_keeps_the_others(gatehouse: Run, account: Account) -> None:
    account.notifications = {"QueueConfigurations": [{"Id": "q", "QueueArn": "arn", "Events": ["s3:ObjectCreated:*"]}]}

    finding = findings(gatehouse, code=1)["eventbridge"]

    assert finding["health"] == "broken"
    (line,) = finding["fix"]
    (written,) = pasted([line], "--notification-configuration")
    assert written == {**account.notifications, "EventBridgeConfiguration": {}}


@pytest.mark.parametrize(("animation_check", "health"), [("off", "warning"), ("on", "ok")])
def test_a_policy_that_denies_listing_matters_where_approvals_are_confirmed_by_it(
    gatehouse: Run, account: Account, deployed: Deployed, animation_check: str, health: str
) -> None:
    deployed.stacks(AnimationCheck=animation_check)
    denied = {"Action": "s3:ListBucketVersions", "Resource": f"arn:aws:s3:::{UPLOADS}"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", **denied}]})
    account.s3.put_bucket_policy(Bucket=UPLOADS, Policy=policy)

    assert findings(gatehouse, code=0)["bucket-policy"]["health"] == health


def test_a_bucket_without_versioning_is_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Suspended"})

    finding = findings(gatehouse, code=0)["versioning"]

    assert (finding["health"], "put-bucket-versioning" in finding["fix"][0]) == ("warning", True)


@pytest.mark.parametrize(
    ("statement", "health"),
    [
        ({"Effect": "Deny", "Action": "s3:GetObject*", "Sid": "NoReading"}, "warning"),
        ({"Effect": "Deny", "Action": ["s3:PutObject", "S3:getobject"]}, "warning"),
        ({"Effect": "Deny", "NotAction": "s3:PutObject"}, "warning"),
        ({"Effect": "Deny", "NotAction": "s3:Get*"}, "ok"),
        ({"Effect": "Deny", "Action": "s3:PutObject"}, "ok"),
        ({"Effect": "Allow", "Action": "s3:GetObject"}, "ok"),
        ({"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "ok"),
    ],
)
def test_a_policy_that_denies_reading_is_worth_a_look(
    gatehouse: Run, account: Account, statement: dict[str, Any], health: str
) -> None:
    whole = {"Principal": "*", "Resource": f"arn:aws:s3:::{UPLOADS}/*", **statement}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [whole]})
    account.s3.put_bucket_policy(Bucket=UPLOADS, Policy=policy)

    assert findings(gatehouse, code=0)["bucket-policy"]["health"] == health


@pytest.mark.parametrize(
    ("changed", "health", "words"),
    [
        (timedelta(days=3), "ok", "that CloudTrail has is of 3 days ago"),
        (timedelta(minutes=2), "warning", "takes effect after about five minutes"),
    ],
)
def test_it_says_for_how_long_events_are_sent(
    gatehouse: Run, account: Account, changed: timedelta, health: str, words: str
) -> None:
    now = datetime.now(UTC)
    account.changes = [
        {"EventTime": now - changed - timedelta(days=9), "Resources": [{"ResourceName": UPLOADS}]},
        {"EventTime": now - changed, "Resources": [{"ResourceName": UPLOADS}], "CloudTrailEvent": "{}"},
        {"EventTime": now, "Resources": [{"ResourceName": "another"}]},
        {
            "EventTime": now,
            "Resources": [{"ResourceName": UPLOADS}],
            "CloudTrailEvent": '{"errorCode": "AccessDenied"}',
        },
    ]

    finding = findings(gatehouse, code=0)["eventbridge"]

    assert finding["health"] == health
    assert words in finding["text"]
    account.calls.answer_always("LookupEvents", lambda _: an_error("AccessDeniedException"))
    assert findings(gatehouse)["eventbridge"]["text"].endswith("sends its events to EventBridge.")


ACCOUNT = "arn:aws:iam::111122223333:root"
ANALYZER = "arn:aws:iam::111122223333:role/analyzer"


@pytest.mark.parametrize(
    ("statement", "deployed_key", "health"),
    [
        ({"Principal": {"AWS": ANALYZER}, "Action": "kms:Decrypt"}, "", "ok"),
        ({"Principal": {"AWS": [ANALYZER, "x"]}, "Action": ["kms:*"]}, "", "ok"),
        ({"Principal": "*", "Action": "kms:Decrypt", "Condition": IN_THIS_ACCOUNT}, "", "ok"),
        (
            {"Principal": "*", "Action": "kms:Decrypt", "Condition": {"Bool": {"aws:X": "true"}}},
            "",
            "warning",
        ),
        ({"Principal": {"AWS": ACCOUNT}, "Action": "kms:*"}, "", "warning"),
        ({"Principal": {"AWS": ACCOUNT}, "Action": "kms:*"}, KEY, "ok"),
        ({"Principal": {"AWS": ACCOUNT}, "Action": "kms:*"}, OTHER_KEY, "warning"),
        ({"Principal": {"AWS": ANALYZER}, "Action": "kms:Encrypt"}, "", "warning"),
        ({"Principal": {"AWS": ANALYZER}, "NotAction": "kms:Encrypt"}, "", "ok"),
        ({"Principal": "*", "Action": "kms:Decrypt", "Condition": VIA_ANOTHER_SERVICE}, "", "warning"),
    ],
)
def test_a_key_that_does_not_let_the_functions_read_is_worth_a_look(
    gatehouse: Run,
    account: Account,
    deployed: Deployed,
    statement: dict[str, Any],
    deployed_key: str,
    health: str,
) -> None:
    outputs = {"AnalyzerRoleArn": ANALYZER} | ({"EncryptionKeyArn": deployed_key} if deployed_key else {})
    deployed.stacks(without=(), lanes=LANES, **outputs)
    account.calls.answer_always("GetBucketEncryption", lambda _: encrypted_with(KEY))
    account.key_policy = {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}

    finding = findings(gatehouse, code=0)["encryption"]

    assert finding["health"] == health
    if health == "warning":
        (account.key_policy,) = pasted(finding["fix"], "--policy")
        assert findings(gatehouse, code=0)["encryption"]["health"] == "ok"


def test_a_key_that_denies_decrypting_is_worth_a_look(gatehouse: Run, account: Account, deployed: Deployed) -> None:
    deployed.stacks(AnalyzerRoleArn=ANALYZER)
    account.calls.answer_always("GetBucketEncryption", lambda _: encrypted_with(KEY))
    allow = {"Effect": "Allow", "Principal": {"AWS": ANALYZER}, "Action": "kms:Decrypt", "Resource": "*"}
    account.key_policy = {"Statement": [allow, {**allow, "Effect": "Deny", "Principal": "*", "Sid": "Nobody"}]}

    finding = findings(gatehouse, code=0)["encryption"]

    assert finding["health"] == "warning"
    assert "denies decrypting in some cases (Nobody)" in finding["text"]
    (account.key_policy,) = pasted(finding["fix"], "--policy")
    assert findings(gatehouse, code=0)["encryption"]["health"] == "ok"


def test_a_key_that_is_off_is_broken_and_one_of_aws_is_not_looked_into(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("GetBucketEncryption", lambda _: encrypted_with(KEY))
    account.key_state = "PendingDeletion"

    finding = findings(gatehouse, code=1)["encryption"]

    assert [line.split()[2] for line in finding["fix"]] == ["cancel-key-deletion", "enable-key"]
    account.key_manager = "AWS"
    assert findings(gatehouse, code=0)["encryption"]["health"] == "ok"


def test_a_topic_without_subscribers_is_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("ListSubscriptionsByTopic", lambda _: {"Subscriptions": []})

    found = findings(gatehouse, code=0)

    for check in ("subscribers", "alarm-listeners"):
        assert (found[check]["health"], "aws sns subscribe" in found[check]["fix"][0]) == ("warning", True)


def test_alarms_that_nobody_subscribes_to_are_mended_by_the_setting_where_the_topic_is_ours(
    gatehouse: Run, account: Account
) -> None:
    account.alarm["AlarmActions"] = ["arn:aws:sns:us-east-1:111122223333:gatehouse-monitoring-AlarmsTopic-1A2B"]
    account.calls.answer_always("ListSubscriptionsByTopic", lambda _: {"Subscriptions": []})

    finding = findings(gatehouse, code=0)["alarm-listeners"]

    assert finding["text"].startswith("Nobody listens when 1 alarms ring")
    assert ["alarm_email: you@example.com" in finding["fix"][0], finding["fix"][1]] == [True, "make deploy"]


def test_an_address_that_has_not_confirmed_is_named(gatehouse: Run, account: Account) -> None:
    pending = {"Protocol": "email", "Endpoint": "ann@example.com", "SubscriptionArn": "PendingConfirmation"}
    account.calls.answer_always("ListSubscriptionsByTopic", lambda _: {"Subscriptions": [pending]})

    finding = findings(gatehouse, code=0)["alarm-listeners"]

    assert finding["health"] == "warning"
    assert "ann@example.com has not confirmed" in finding["text"]
    (again,) = finding["fix"]
    assert "--protocol email --notification-endpoint ann@example.com" in again


def test_alarms_that_tell_nobody_are_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.alarm["AlarmActions"] = []

    assert findings(gatehouse, code=0)["alarm-listeners"]["health"] == "warning"


def test_an_alarm_that_rings_is_told_with_its_section(gatehouse: Run, account: Account) -> None:
    account.alarm["StateValue"] = "ALARM"

    finding = findings(gatehouse, code=0)["alarms"]

    assert (finding["health"], "It rings." in finding["text"]) == ("warning", True)


def test_a_deployment_without_alarms_is_broken(gatehouse: Run, account: Account) -> None:
    account.alarm = {}

    assert findings(gatehouse, code=1)["alarms"]["fix"] == ["make deploy"]


@pytest.mark.parametrize(("uuid", "follows"), [("batcher", "none is put into a batch"), ("m-1", "no flag is sent")])
@pytest.mark.parametrize("state", ["Disabled", "Disabling"])
def test_a_queue_that_is_not_read_is_broken_and_can_be_read_again(
    gatehouse: Run, account: Account, uuid: str, follows: str, state: str
) -> None:
    account.mappings[uuid] = state

    finding = findings(gatehouse, code=1)["readers"]

    assert f"reads-{uuid} does not read its messages ({state})" in finding["text"]
    assert follows in finding["text"]
    assert finding["fix"] == [f"aws lambda update-event-source-mapping --uuid {uuid} --enabled"]


def test_a_reader_or_a_rule_that_was_deleted_is_put_back_by_cloudformation(gatehouse: Run, account: Account) -> None:
    del account.mappings["analyzer"], account.rules["sweeps"]

    found = findings(gatehouse, code=1)

    for check in ("readers", "rules"):
        assert "was deleted" in found[check]["text"]
        assert "--deployment-mode REVERT_DRIFT" in found[check]["fix"][0]


def test_a_disabled_rule_is_broken(gatehouse: Run, account: Account) -> None:
    account.rules["sweeps"] = "DISABLED"

    finding = findings(gatehouse, code=1)["rules"]

    assert "uploads that are stuck stay stuck" in finding["text"]
    assert finding["fix"] == ["aws events enable-rule --name sweeps"]


def test_an_analyzer_that_lambda_would_stop_is_broken(gatehouse: Run, account: Account) -> None:
    account.recursion = "Terminate"

    assert findings(gatehouse, code=1)["recursion"]["fix"] == [
        "aws lambda put-function-recursion-config --function-name analyzer --recursive-loop Allow"
    ]


def test_a_program_without_a_dead_letter_queue_gets_one(gatehouse: Run, account: Account, deployed: Deployed) -> None:
    account.redrive = {}

    finding = findings(gatehouse, code=0)["subscriber-queues"]

    assert finding["health"] == "warning"
    (attributes,) = pasted(finding["fix"], "--attributes")
    (redrive,) = pasted(finding["fix"], "--attribute-value")
    (allow,) = json.loads(attributes["Policy"])["Statement"]
    assert allow["Resource"] == redrive["deadLetterTargetArn"]
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": deployed.topic_arn}}


@pytest.mark.parametrize(("open_jobs", "health"), [(15, "ok"), (16, "warning")])
def test_bulk_jobs_near_their_quota_are_worth_a_look(
    gatehouse: Run, account: Account, open_jobs: int, health: str
) -> None:
    account.jobs = (
        [{"Status": "SUCCEEDED"}] * 50 + [{"Status": "IN_PROGRESS"}] * (open_jobs - 1) + [{"Status": "QUEUED"}]
    )

    assert findings(gatehouse, code=0)["bulk-jobs"]["health"] == health


def test_limits_that_are_near_are_worth_a_look(gatehouse: Run, account: Account) -> None:
    account.ran_at_once, account.in_flight = 0.8 * (account.concurrency + RESERVED), 96_000
    account.dead_letter_age = timedelta(days=11).total_seconds()

    result = gatehouse("doctor", "--output", "json")

    near = [each for each in json.loads(result.stdout) if each["health"] != "ok"]
    assert result.exit_code == 0
    assert {each["check"] for each in near} == {"lambda-in-use", "in-flight", "dead-letters"}
    letters = [each for each in near if each["check"] == "dead-letters"]
    assert "expires 14 days after" in letters[0]["text"]
    assert any(each["fix"][0].endswith("queue show --queue dead-letter --lane default") for each in letters)
    account.ran_at_once, account.in_flight, account.dead_letter_age = 800, 95_000, timedelta(days=9).total_seconds()
    assert {each["health"] for each in findings(gatehouse).values()} == {"ok"}


def test_a_bucket_that_does_not_exist_is_broken_and_told_once(gatehouse: Run, account: Account, here: Path) -> None:
    account.calls.answer_always("HeadBucket", lambda _: an_error("404", "Not Found", 404))

    result = gatehouse("doctor", "--before-deploy", "--output", "json")

    wrong = [each for each in json.loads(result.stdout) if each["health"] != "ok"]
    assert (result.exit_code, [each["check"] for each in wrong]) == (1, ["bucket"])
    assert "name an existing bucket" in wrong[0]["text"]


def test_throttling_is_no_missing_operation(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("DetectModerationLabels", lambda _: an_error("ThrottlingException", "Slow down"))

    finding = findings(gatehouse, code=0)["detection"]

    assert finding["health"] == "warning"
    assert "counts on 20 calls a second, the account has 20" in finding["text"]
    assert "--quota-code L-1" in finding["fix"][1]
    account.calls.answer_always("DetectModerationLabels", lambda _: an_error("InternalServerError", "oh", 500))
    assert findings(gatehouse, code=0)["detection"]["health"] == "unknown"


@pytest.mark.parametrize(
    ("status", "health", "command"),
    [
        ("ROLLBACK_COMPLETE", "broken", "delete-stack --stack-name gatehouse-pipeline"),
        ("UPDATE_ROLLBACK_FAILED", "broken", "continue-update-rollback --stack-name gatehouse-pipeline"),
        ("UPDATE_FAILED", "broken", "describe-stack-events"),
        ("UPDATE_ROLLBACK_COMPLETE", "warning", "describe-stack-events"),
        ("UPDATE_IN_PROGRESS", "warning", ""),
        ("UPDATE_COMPLETE", "ok", ""),
    ],
)
def test_a_stack_in_a_failed_state_is_a_finding(
    gatehouse: Run, account: Account, deployed: Deployed, status: str, health: str, command: str
) -> None:
    deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": status}

    finding = findings(gatehouse)["stacks"]

    assert finding["health"] == health
    assert command in " ".join(finding["fix"])


def test_what_is_deployed_by_another_version_is_told(gatehouse: Run, account: Account, deployed: Deployed) -> None:
    deployed.stacks(without=["OutcomesFunctionName"])

    result = gatehouse("doctor", "--output", "json")

    (finding,) = [each for each in json.loads(result.stdout) if each["check"] == "stacks"]
    assert (result.exit_code, finding["health"], finding["fix"]) == (1, "broken", ["make deploy"])
    assert "deployed by another version" in finding["text"]
    assert "Nothing is deployed" not in result.stderr


def test_a_stack_that_is_missing_beside_the_other_is_told(gatehouse: Run, account: Account, deployed: Deployed) -> None:
    deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": "REVIEW_IN_PROGRESS"}
    deployed.stacks(without=["OutcomesFunctionName"])

    assert findings(gatehouse, code=1)["stacks"]["text"] == "The stack gatehouse-pipeline is missing."


def test_who_may_not_look_at_stacks_is_not_told_that_nothing_is_deployed(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("DescribeStacks", lambda _: an_error("AccessDenied", "no", 403))

    result = gatehouse("doctor")

    assert result.exit_code == 0
    assert "stacks: DescribeStacks was refused" in result.stdout
    assert "Nothing is deployed" not in result.stderr
    assert "could not be looked up" in result.stderr


def test_without_policies_everything_else_is_looked_at(gatehouse: Run, account: Account, here: Path) -> None:
    (here / "policies" / "standard.yaml").unlink()
    (here / "policies").rmdir()

    found = findings(gatehouse, code=0)

    assert found["settings"]["health"] == "unknown"
    assert "run this in the checkout you deploy from" in found["settings"]["text"]
    assert {found[check]["health"] for check in ("eventbridge", "alarms")} == {"ok"}


def test_a_mistake_in_the_settings_hides_nothing_else(gatehouse: Run, account: Account, here: Path) -> None:
    (here / "gatehouse.yaml").write_text("lanes: {default: {engine: magic}}", "utf-8")

    found = findings(gatehouse, code=1)

    assert found["settings"]["health"] == "broken"
    assert found["alarms"]["health"] == "ok"


def test_a_ringing_alarm_comes_with_its_first_command(gatehouse: Run, account: Account) -> None:
    account.alarm |= {
        "StateValue": "ALARM",
        "AlarmDescription": alarm_text("Stuck.", "Uploads in a dead-letter queue", lane="default"),
    }

    finding = findings(gatehouse, code=0)["alarms"]

    assert finding["fix"] == [f"{COMMAND} queue show --lane default --queue dead-letter"]
    account.alarm["AlarmDescription"] = alarm_text("Late.", "Work stands still")
    assert findings(gatehouse)["alarms"]["fix"] == []


def test_fixes_go_where_doctor_went(gatehouse: Run, account: Account) -> None:
    account.quota, account.alarm = 5.0, {}
    account.rules["sweeps"] = "DISABLED"

    found = findings(gatehouse, "--region", "us-east-1", "--deployment", "gatehouse", code=1)

    assert found["rules"]["fix"] == ["aws events enable-rule --name sweeps --region us-east-1"]
    assert found["rekognition-quota"]["fix"][1].endswith("--desired-value 20 --region us-east-1")
    assert found["alarms"]["fix"] == ["AWS_REGION=us-east-1 make deploy"]


def test_the_policy_of_the_fix_denies_gatehouse_no_more_and_others_as_before(
    gatehouse: Run, account: Account, deployed: Deployed
) -> None:
    deployed.stacks(AnalyzerRoleArn=ANALYZER)
    condition = {"ArnNotLike": {"aws:principalARN": "arn:aws:iam::111122223333:role/reader"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:Get*", "Resource": f"arn:aws:s3:::{UPLOADS}/*"}
    statements = [{**deny, "Condition": condition}, {**deny, "Action": "s3:Put*"}]
    account.s3.put_bucket_policy(Bucket=UPLOADS, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    finding = findings(gatehouse, code=0)["bucket-policy"]

    (policy,) = pasted(finding["fix"], "--policy")
    excluded = {"ArnNotLike": {"aws:principalARN": ["arn:aws:iam::111122223333:role/reader", ANALYZER]}}
    assert policy["Statement"] == [{**deny, "Condition": excluded}, statements[1]]
    account.s3.put_bucket_policy(Bucket=UPLOADS, Policy=json.dumps(policy))
    assert findings(gatehouse, code=0)["bucket-policy"]["health"] == "ok"


def test_a_fix_is_one_line_however_narrow_the_terminal_is(
    gatehouse: Run, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    account.rules["sweeps"] = "DISABLED"

    lines = [line.strip() for line in gatehouse("doctor").stdout.splitlines()]

    assert "aws events enable-rule --name sweeps" in lines


def test_when_all_is_well_it_says_what_comes_next(gatehouse: Run, account: Account) -> None:
    assert gatehouse("doctor").stderr == (
        f"Next: `{COMMAND} upload FILE` uploads a picture and waits for its verdict.\n"
    )


def test_before_a_deploy_no_deployment_is_looked_at(gatehouse: Run, account: Account) -> None:
    account.calls.made.clear()

    found = findings(gatehouse, "--before-deploy", code=0)

    assert not {"subscribers", "alarms"} & set(found)
    assert account.calls.made["DescribeStacks"] == 0


def test_before_the_first_deploy_that_is_said(gatehouse: Run, account: Account) -> None:
    result = gatehouse("doctor", "--deployment", "another")

    assert result.exit_code == 0
    assert result.stderr.endswith(
        "Nothing is deployed under the name another in us-east-1. Next: `make deploy` in a checkout.\n"
    )


def test_what_may_not_be_looked_at_hides_nothing_else(gatehouse: Run, account: Account) -> None:
    account.calls.answer_always("GetBucketVersioning", lambda _: an_error("AccessDenied", "no", 403))

    found = findings(gatehouse, code=0)

    assert (found["versioning"]["health"], found["bucket-policy"]["health"]) == ("unknown", "ok")


def test_without_settings_the_deployed_bucket_is_looked_at(gatehouse: Run, account: Account, here: Path) -> None:
    (here / "gatehouse.yaml").unlink()

    result = gatehouse("doctor")

    assert result.exit_code == 0
    assert "eventbridge: The bucket uploads" in result.stdout
    assert "There is no ./gatehouse.yaml here" in result.stderr


def test_people_see_the_fix_below_the_finding(gatehouse: Run, account: Account) -> None:
    account.bucket_region = "eu-west-1"

    result = gatehouse("doctor")

    lines = result.stdout.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("BROKEN  bucket-region"))
    assert lines[place + 1].strip() == "export AWS_REGION=eu-west-1"
    assert result.exit_code == 1
