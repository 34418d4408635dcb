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

# Otherwise the user's keys, profile or session would be used.
_FOREIGN_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command to try, and what it does."""

    about: str
    line: str


def environment_line(endpoint: str) -> str:
    """A shell line that sets a terminal's endpoint to the local cloud, and changes to this repository's folder.

    After it, `aws` runs our AWS CLI with the endpoint as an option: version 1 ignores the environment's endpoint for
    SQS, and would call AWS.
    """
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in command_line_environment(endpoint).items())
    aws = f'aws() {{ {shlex.quote(str(ROOT / AWS_CLI))} --endpoint-url {shlex.quote(endpoint)} "$@"; }}'
    return f"cd {shlex.quote(str(ROOT))} && unset {' '.join(_FOREIGN_VARIABLES)}; export {exports}; {aws}"


def gatehouse_commands(sample: str) -> tuple[Command, ...]:
    """Lines of the `gatehouse` command, to be run in this order; `sample` is the name of a file in SAMPLES_FOLDER."""
    return (
        Command("upload an image, and wait for its verdict", f"./gatehouse upload {SAMPLES_FOLDER / sample}"),
        Command("is it through, and why not?", f"./gatehouse verdict {sample}"),
        Command("what would have led to another verdict?", f"./gatehouse policy explain {sample}"),
        Command("what waits for a person?", "./gatehouse review list"),
        Command("how does the deployment do?", "./gatehouse status"),
    )


def aws_commands(outputs: Mapping[str, str], sample: str) -> tuple[Command, ...]:
    """AWS CLI commands, to run in this order, for the pipeline with these stack outputs (output key -> value).

    `sample` is the name of a file in SAMPLES_FOLDER. The calls are from Amazon's documentation.
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
            "list today's uploads for review",
            f"for digit in 0 1 2 3 4 5 6 7 8 9; do {AWS_CLI} dynamodb query --table-name {table} --index-name {INDEX}"
            f" --key-condition-expression '{INDEX_PARTITION} = :day'"
            f' --expression-attribute-values "{partition_value}"'
            " --query 'Items[].[object.S, decided_at.S]' --output text; done",
        ),
        Command(
            "analyze one image with Rekognition",
            f"{AWS_CLI} rekognition detect-moderation-labels --image '{image}' --min-confidence 50",
        ),
    )


def bulk_commands(outputs: Mapping[str, str], sample: str) -> tuple[Command, ...]:
    """Further commands, for your own media analysis job; useful if Bulk Analysis is not refused."""
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
        Command("show it", f"{AWS_CLI} rekognition get-media-analysis-job --job-id $JOB_ID"),
        Command(
            "list the jobs: yours, and the pipeline's if a batch was large enough for one",
            f"{AWS_CLI} rekognition list-media-analysis-jobs",
        ),
        Command(
            "read the job's results after it has SUCCEEDED",
            f"{AWS_CLI} s3 cp s3://{work}/by-hand/results/$JOB_ID-results.jsonl -",
        ),
    )
