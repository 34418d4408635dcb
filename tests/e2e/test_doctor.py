"""Each check of `doctor` is seen to fail on the local cloud, and to pass again after its own fix was pasted."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.commands import AWS_CLI
from demo.synthesis import ROOT
from gatehouse.cli.doctor.finding import Health
from tests.e2e.conftest import BULK
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

#: Lines of a fix that need more than a shell: a checkout to deploy from, or somebody's decision.
_NOT_A_COMMAND = ("#", "AWS_", "make ", "export ")

Found = dict[str, list[dict[str, Any]]]


class Patient:
    """A deployment, and somebody who runs `doctor` on it in a folder and pastes what it prints."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.pipeline, self.folder = pipeline, folder
        self.terminal = Terminal(pipeline, folder)
        (folder / "gatehouse").symlink_to(ROOT / "gatehouse")
        (folder / "policies").symlink_to(ROOT / "policies")

    def settings(self, text: str) -> None:
        """Have these settings in the folder."""
        (self.folder / "gatehouse.yaml").write_text(text, "utf-8")

    def doctor(self, *arguments: str) -> Found:
        """What each check found; one may find more than one thing."""
        # Named, so that the fixes name it, too: version 1 of the AWS CLI takes SQS's address from nowhere else.
        done = self.terminal.run("doctor", "--endpoint-url", self.pipeline.cloud.endpoint, *arguments)
        assert done.returncode in (0, 1), done.stderr
        found: Found = {}
        for finding in json.loads(done.stdout):
            found.setdefault(finding["check"], []).append(finding)
        is_broken = any(each["health"] == Health.BROKEN for several in found.values() for each in several)
        assert done.returncode == (1 if is_broken else 0)
        return found

    def worst(self, check: str, *arguments: str) -> dict[str, Any]:
        """The worst finding of a check."""
        order = [Health.OK, Health.UNKNOWN, Health.WARNING, Health.BROKEN]
        return max(self.doctor(*arguments)[check], key=lambda finding: order.index(finding["health"]))

    def paste(self, lines: list[str]) -> None:
        """Paste the commands of a fix, all at once, as they stand."""
        text = "\n".join(line for line in lines if not line.startswith(_NOT_A_COMMAND))
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=self.folder,
            env={**self.terminal.environment, "PATH": f"{ROOT / AWS_CLI.rpartition('/')[0]}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"

    def mended(self, check: str, health: Health) -> dict[str, Any]:
        """The finding of a check that fails so; it passes after its fix was pasted."""
        finding = self.worst(check)
        assert finding["health"] == health, finding
        self.paste(finding["fix"])
        after = self.worst(check)
        assert after["health"] == Health.OK, after
        return finding

    def client(self, service: str) -> Any:
        """An administrator's client."""
        return self.pipeline.cloud.client(service)

    @property
    def bucket(self) -> str:
        """The uploads bucket."""
        return self.pipeline.outputs["UploadBucketName"]


@pytest.fixture(scope="module")
def settings() -> str:
    """A lane that has no other engine, so that jobs matter."""
    return BULK


@pytest.fixture
def patient(pipeline: Pipeline, tmp_path: Path) -> Patient:
    assert (ROOT / AWS_CLI).is_file(), "the AWS CLI is missing: python3 -m tools.set_up aws-cli"
    found = Patient(pipeline, tmp_path)
    found.settings(BULK)
    return found


def test_what_is_just_deployed_lacks_nothing_but_who_hears_of_it(patient: Patient) -> None:
    found = patient.doctor()

    # The local cloud has no Service Quotas.
    open_questions = {check for check, each in found.items() if each[0]["health"] == Health.UNKNOWN}
    assert open_questions == {"rekognition-quota", "workflow-quota"}
    wrong = {check for check, each in found.items() if each[0]["health"] in (Health.WARNING, Health.BROKEN)}
    assert wrong <= {"subscriber-queues", "alarm-listeners"}


def test_notifications_versioning_and_policy_of_the_bucket_are_mended(patient: Patient) -> None:
    s3, bucket = patient.client("s3"), patient.bucket
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    patient.mended("eventbridge", Health.BROKEN)

    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    patient.mended("versioning", Health.WARNING)

    before = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = {**before, "Statement": [*before["Statement"], {**deny, "Sid": "NoReading"}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    try:
        assert "(NoReading)" in patient.mended("bucket-policy", Health.WARNING)["text"]
        after = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        assert after["Statement"][:-1] == before["Statement"]
        assert after["Statement"][-1]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(before))


def test_the_key_of_the_bucket_is_mended(patient: Patient) -> None:
    kms, s3 = patient.client("kms"), patient.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    s3.put_bucket_encryption(Bucket=patient.bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    try:
        before = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        patient.mended("encryption", Health.WARNING)
        after = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        assert after["Statement"][:-1] == before["Statement"]

        denied = {"Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        whole = json.dumps({**after, "Statement": [*after["Statement"], denied]})
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=whole)
        patient.mended("encryption", Health.WARNING)

        kms.disable_key(KeyId=key)
        patient.mended("encryption", Health.BROKEN)
    finally:
        s3.delete_bucket_encryption(Bucket=patient.bucket)


def test_a_bucket_that_is_not_there_or_elsewhere_is_broken(patient: Patient) -> None:
    patient.settings("{upload_bucket: no-such-bucket-at-all, lanes: {default: {}}}")
    found = patient.doctor("--before-deploy")
    assert [each["text"] for each in found["bucket"] if "name an existing bucket" in each["text"]]
    assert not {"bucket-region", "eventbridge", "versioning", "bucket-policy", "encryption"} & set(found)
    patient.paste(found["bucket"][0]["fix"])

    elsewhere = "gatehouse-elsewhere"
    place = {"LocationConstraint": "eu-west-1"}
    patient.client("s3").create_bucket(Bucket=elsewhere, CreateBucketConfiguration=place)
    patient.settings(f"{{upload_bucket: {elsewhere}, lanes: {{default: {{}}}}}}")
    finding = patient.worst("bucket-region", "--before-deploy")
    assert (finding["health"], finding["fix"]) == (Health.BROKEN, ["export AWS_REGION=eu-west-1"])
    patient.terminal.environment["AWS_REGION"] = "eu-west-1"
    assert patient.worst("bucket-region", "--before-deploy")["health"] == Health.OK


def test_every_reader_every_rule_and_the_analyzers_setting_are_mended(patient: Patient) -> None:
    functions, rules = patient.client("lambda"), patient.client("events")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    broken = patient.doctor()["readers"]
    assert [finding["health"] for finding in broken] == [Health.BROKEN] * 3  # the batcher, the Analyzer, Outcomes
    patient.paste([line for finding in broken for line in finding["fix"]])
    assert patient.worst("readers")["health"] == Health.OK

    names = [rule["Name"] for rule in rules.list_rules(NamePrefix="gatehouse-pipeline")["Rules"]]
    assert len(names) == 2
    for name in names:
        rules.disable_rule(Name=name)
        patient.mended("rules", Health.BROKEN)

    (analyzer,) = [
        each["FunctionName"]
        for each in functions.list_functions()["Functions"]
        if "ImagesAnalyzer" in each["FunctionName"]
    ]
    functions.put_function_recursion_config(FunctionName=analyzer, RecursiveLoop="Terminate")
    patient.mended("recursion", Health.BROKEN)


def test_listeners_and_what_they_miss_are_looked_at(patient: Patient) -> None:
    sns, topic = patient.client("sns"), patient.pipeline.outputs["FlagTopicArn"]
    for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    nobody = patient.worst("subscribers")
    assert nobody["health"] == Health.WARNING
    patient.paste(nobody["fix"])
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]

    queue = patient.client("sqs").create_queue(QueueName="listens")["QueueUrl"]
    arn = patient.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    patient.mended("subscriber-queues", Health.WARNING)

    alarms = patient.pipeline.outputs["AlarmTopicArn"]
    assert patient.worst("alarm-listeners")["text"].startswith("Nobody listens")
    sns.subscribe(TopicArn=alarms, Protocol="email", Endpoint="ann@example.com")
    assert patient.worst("alarm-listeners")["health"] == Health.OK


def test_an_alarm_that_rings_comes_with_a_command_that_runs(patient: Patient) -> None:
    alarms = patient.client("cloudwatch")
    ring = [
        alarm["AlarmName"]
        for alarm in alarms.describe_alarms()["MetricAlarms"]
        if any(
            section in alarm["AlarmDescription"]
            for section in ("dead-letter-queue", "sweeper-keeps", "batches-aborted")
        )
    ]
    for name in ring:
        alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    try:
        ringing = patient.doctor()["alarms"]
        assert {finding["text"].partition(" rings.")[0] for finding in ringing} >= set(ring)
        assert all(finding["fix"] for finding in ringing)
        patient.paste([line for finding in ringing for line in finding["fix"]])
    finally:
        for name in ring:
            alarms.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


def test_rekognition_that_throttles_or_is_not_there_is_told_apart(patient: Patient) -> None:
    cloud = patient.pipeline.cloud
    cloud.rekognition(
        fail_next_calls=[{"operation": "DetectModerationLabels", "error": "ThrottlingException", "times": 9}]
    )
    assert patient.worst("detection")["health"] == Health.WARNING
    cloud.reset_rekognition()

    cloud.rekognition(refuse_bulk="closed")
    assert patient.worst("bulk")["health"] == Health.WARNING
    cloud.rekognition(refuse_bulk="region")
    assert patient.worst("bulk")["health"] == Health.BROKEN
    cloud.reset_rekognition()

    adapter = "arn:aws:rekognition:us-east-1:000000000000:project/shop/version/first/1764500000000"
    patient.settings(f'{{lanes: {{default: {{adapter: "{adapter}"}}}}}}')
    assert patient.worst("adapter")["health"] == Health.BROKEN


def test_what_lambda_has_left_is_compared_with_what_may_run(patient: Patient) -> None:
    patient.settings("{lanes: {default: {max_concurrency: 1000}}}")

    finding = patient.worst("lambda-quota")

    assert finding["health"] == Health.WARNING
    assert int(re.findall(r"--desired-value (\d+)", finding["fix"][0])[0]) > 1000


def test_limits_that_are_near_are_told(patient: Patient) -> None:
    queue = patient.pipeline.outputs["IngestDeadLetterQueueUrl"].rpartition("/")[2]
    for namespace, name, dimensions, value in (
        ("AWS/Lambda", "ConcurrentExecutions", [], 100_000),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", [{"Name": "QueueName", "Value": queue}], 11 * 86_400),
    ):
        datum = {"MetricName": name, "Dimensions": dimensions, "Value": value}
        patient.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])

    found = patient.doctor()

    assert found["lambda-in-use"][0]["health"] == Health.WARNING
    assert found["dead-letters"][0]["health"] == Health.WARNING
    patient.paste(found["dead-letters"][0]["fix"])


def test_a_stack_that_was_never_made_whole_is_deleted_by_its_fix(patient: Patient) -> None:
    wrong_policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:nowhere", "maxReceiveCount": 0}
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": wrong_policy}}}}
    stacks = patient.client("cloudformation")
    stacks.create_stack(StackName="other-pipeline", TemplateBody=json.dumps(template))
    patient.pipeline.wait_until(
        lambda: not stacks.describe_stacks(StackName="other-pipeline")["Stacks"][0]["StackStatus"].endswith("PROGRESS"),
        why="the stack to fail",
    )

    wrong = patient.doctor("--deployment", "other")["stacks"]
    assert {finding["health"] for finding in wrong} == {Health.BROKEN}
    patient.paste([line for finding in wrong for line in finding["fix"]])

    assert "Nothing is deployed under the name other" in patient.terminal.run("doctor", "--deployment", "other").stderr


def test_without_a_region_or_with_a_mistake_in_the_settings_it_is_broken(patient: Patient) -> None:
    patient.settings("{lanes: {default: {engine: magic}}}")
    found = patient.doctor()
    assert found["settings"][0]["health"] == Health.BROKEN
    assert found["readers"][0]["health"] == Health.OK

    del patient.terminal.environment["AWS_REGION"]
    found = patient.doctor()
    assert list(found) == ["credentials"]
    assert found["credentials"][0]["fix"][0].startswith("export AWS_REGION=")
