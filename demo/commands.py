"""Commands to paste into a shell while the local cloud runs: the AWS CLI against the deployed pipeline."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.synthesis import ROOT
from gatehouse.contracts.stack_outputs import StorageOutput
from gatehouse.moderation.verdict_item import INDEX, INDEX_PARTITION, OBJECT
from localcloud.endpoint import command_line_environment

AWS_CLI = ".venv-aws/bin/aws"
SAMPLES_FOLDER = Path(".cache/samples")

# A key, a profile or a session of the user's would otherwise travel along.
_FOREIGN_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to try: what it does, and the shell line that does it."""

    about: str
    line: str


def environment_line(endpoint: str) -> str:
    """One shell line that points a terminal at the local cloud, and at this repository's folder.

    `aws` is our AWS CLI from then on, with the endpoint each time: its version 1 does not take that of SQS from the
    environment, and would call AWS.
    """
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in command_line_environment(endpoint).items())
    aws = f'aws() {{ {shlex.quote(str(ROOT / AWS_CLI))} --endpoint-url {shlex.quote(endpoint)} "$@"; }}'
    return f"cd {shlex.quote(str(ROOT))} && unset {' '.join(_FOREIGN_VARIABLES)}; export {exports}; {aws}"


def aws_commands(outputs: Mapping[str, str], sample: str) -> tuple[Command, ...]:
    """AWS CLI lines, to be run in this order, for the pipeline with these stack outputs (output key -> value).

    `sample` is the name of a file in SAMPLES_FOLDER. The calls are the ones of Amazon's documentation.
    """
    uploads, table = outputs[StorageOutput.UPLOAD_BUCKET_NAME], outputs[StorageOutput.VERDICT_TABLE_NAME]
    object_uri = f"s3://{uploads}/{sample}"
    image = f'{{"S3Object": {{"Bucket": "{uploads}", "Name": "{sample}"}}}}'
    partition_value = '{\\":day\\": {\\"S\\": \\"REVIEW#$(date -u +%F)#$digit\\"}}'
    return (
        Command("upload an image", f"{AWS_CLI} s3 cp {SAMPLES_FOLDER / sample} {object_uri}"),
        Command(
            "read its verdict, the newest first (PENDING for a moment)",
            f"{AWS_CLI} dynamodb query --table-name {table} --key-condition-expression '#object = :object'"
            f""" --expression-attribute-names '{{"#object": "{OBJECT}"}}'"""
            f""" --expression-attribute-values '{{":object": {{"S": "{object_uri}"}}}}'"""
            " --no-scan-index-forward --limit 1",
        ),
        Command(
            "list what people should look at today",
            f"for digit in 0 1 2 3 4 5 6 7 8 9; do {AWS_CLI} dynamodb query --table-name {table} --index-name {INDEX}"
            f" --key-condition-expression '{INDEX_PARTITION} = :day'"
            f' --expression-attribute-values "{partition_value}"'
            " --query 'Items[].[object.S, decided_at.S]' --output text; done",
        ),
        Command(
            "ask Rekognition about one image",
            f"{AWS_CLI} rekognition detect-moderation-labels --image '{image}' --min-confidence 50",
        ),
    )


def bulk_commands(outputs: Mapping[str, str], sample: str) -> tuple[Command, ...]:
    """Lines to go on with, about a media analysis job of one's own; of use where Bulk Analysis is not refused."""
    work, object_uri = (
        outputs[StorageOutput.WORK_BUCKET_NAME],
        f"s3://{outputs[StorageOutput.UPLOAD_BUCKET_NAME]}/{sample}",
    )
    return (
        Command(
            "write a manifest for a media analysis job of your own",
            f"""printf '{{"source-ref": "%s"}}\\n' {object_uri} | {AWS_CLI} s3 cp - s3://{work}/by-hand/manifest.jsonl""",
        ),
        Command(
            "start the job",
            f"JOB_ID=$({AWS_CLI} rekognition start-media-analysis-job --job-name by-hand"
            " --operations-config 'DetectModerationLabels={MinConfidence=50}'"
            f" --input 'S3Object={{Bucket={work},Name=by-hand/manifest.jsonl}}'"
            f" --output-config 'S3Bucket={work},S3KeyPrefix=by-hand/results' --query JobId --output text)",
        ),
        Command("look at it", f"{AWS_CLI} rekognition get-media-analysis-job --job-id $JOB_ID"),
        Command(
            "list the jobs: yours, and the pipeline's if a batch was large enough for one",
            f"{AWS_CLI} rekognition list-media-analysis-jobs",
        ),
        Command(
            "read the job's results, once it has SUCCEEDED",
            f"{AWS_CLI} s3 cp s3://{work}/by-hand/results/$JOB_ID-results.jsonl -",
        ),
    )
