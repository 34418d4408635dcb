"""The AWS CLI against the local cloud: the lines that `make local` prints, and the shapes Amazon documents."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.commands import AWS_CLI, SAMPLES_FOLDER, aws_commands, bulk_commands, environment_line
from demo.samples import write_samples
from demo.synthesis import ROOT
from gatehouse.moderation.status import Status
from localcloud.endpoint import command_line_environment
from tests.e2e.pipeline import Pipeline

SAMPLE = "illustrated-explosion.jpg"


@pytest.fixture(autouse=True)
def samples_and_cli() -> None:
    """The files the lines speak of."""
    assert (ROOT / AWS_CLI).is_file(), "the AWS CLI is missing: python3 -m tools.set_up aws-cli"
    write_samples(ROOT / SAMPLES_FOLDER)


class Terminal:
    """A user's other terminal, foreign AWS settings and all, after the first printed line was pasted into it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._first_line = environment_line(pipeline.cloud.endpoint)
        self.lines = {
            command.about: command.line
            for command in (*aws_commands(pipeline.outputs, SAMPLE), *bulk_commands(pipeline.outputs, SAMPLE))
        }

    def run(self, line: str, **variables: str) -> str:
        """What `line` prints; AssertionError if it fails."""
        foreign = {
            "AWS_PROFILE": "no-such-profile",
            "AWS_SESSION_TOKEN": "somebody's",
            "AWS_REGION": "eu-west-3",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
        }
        done = subprocess.run(
            ["bash", "-c", f"{self._first_line}\n{line}"],
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **foreign, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def paste(self, about: str, **variables: str) -> str:
        """What the printed line under the comment `about` prints."""
        return self.run(self.lines[about], **variables)


def aws(pipeline: Pipeline, *arguments: str) -> Any:
    """The JSON answer of one AWS CLI call."""
    done = subprocess.run(
        [str(ROOT / AWS_CLI), *arguments, "--output", "json"],
        env={"PATH": os.environ["PATH"], **command_line_environment(pipeline.cloud.endpoint)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_printed_line_works_when_pasted_in_order(pipeline: Pipeline) -> None:
    terminal = Terminal(pipeline)

    terminal.paste("upload an image")
    pipeline.wait_for_verdicts(1, SAMPLE)
    verdict = json.loads(terminal.paste("read its verdict, the newest first (PENDING for a moment)"))
    flagged = terminal.paste("list today's uploads for review")
    answer = json.loads(terminal.paste("analyze one image with Rekognition"))
    terminal.paste("write a manifest for a media analysis job of your own")
    job_id = terminal.run(f"{terminal.lines['start the job']}; echo $JOB_ID").strip()
    pipeline.wait_until(
        lambda: json.loads(terminal.paste("show it", JOB_ID=job_id))["Status"] == "SUCCEEDED", why="the job's end"
    )
    jobs = json.loads(terminal.paste("list the jobs: yours, and the pipeline's if a batch was large enough for one"))[
        "MediaAnalysisJobs"
    ]
    results = terminal.paste("read the job's results after it has SUCCEEDED", JOB_ID=job_id).splitlines()

    assert verdict["Count"] == 1
    assert verdict["Items"][0]["status"] == {"S": Status.REVIEW}
    assert flagged.split()[0] == f"s3://{pipeline.upload_bucket}/{SAMPLE}"
    assert "Explosions and Blasts" in {label["Name"] for label in answer["ModerationLabels"]}
    assert [job["JobId"] for job in jobs] == [job_id], "the image engine has one image done before a job is started"
    assert [json.loads(line)["source-ref"] for line in results] == [f"s3://{pipeline.upload_bucket}/{SAMPLE}"]


def test_a_media_analysis_job_is_answered_as_amazon_documents_it(pipeline: Pipeline, tmp_path: Path) -> None:
    work = pipeline.outputs["WorkBucketName"]
    pipeline.upload("documented/picture.jpg", (ROOT / SAMPLES_FOLDER / SAMPLE).read_bytes())
    manifest = json.dumps({"source-ref": f"s3://{pipeline.upload_bucket}/documented/picture.jpg"})
    pipeline.cloud.client("s3").put_object(Bucket=work, Key="documented/manifest.jsonl", Body=manifest.encode())

    started = aws(
        pipeline,
        *("rekognition", "start-media-analysis-job", "--job-name", "unsafe-content-detection-job"),
        *("--operations-config", "DetectModerationLabels={MinConfidence='80'}"),
        *("--input", f"S3Object={{Bucket={work},Name=documented/manifest.jsonl}}"),
        *("--output-config", f"S3Bucket={work},S3KeyPrefix=documented/results"),
    )
    job: dict[str, Any] = {}

    def ended() -> bool:
        job.update(aws(pipeline, "rekognition", "get-media-analysis-job", "--job-id", started["JobId"]))
        return job["Status"] in ("SUCCEEDED", "FAILED")

    pipeline.wait_until(ended, why="the job's end")
    listed = aws(pipeline, "rekognition", "list-media-analysis-jobs", "--max-results", "100")

    assert set(started) == {"JobId"}
    assert job["Status"] == "SUCCEEDED"
    assert job["JobName"] == "unsafe-content-detection-job"
    assert job["OperationsConfig"] == {"DetectModerationLabels": {"MinConfidence": 80.0}}
    assert job["Input"] == {"S3Object": {"Bucket": work, "Name": "documented/manifest.jsonl"}}
    assert job["OutputConfig"] == {"S3Bucket": work, "S3KeyPrefix": "documented/results"}
    assert job["Results"]["S3Object"] == {
        "Bucket": work,
        "Name": f"documented/results/{started['JobId']}-results.jsonl",
    }
    assert job["ManifestSummary"]["S3Object"]["Name"].endswith(f"{started['JobId']}-manifest-summary.json")
    assert started["JobId"] in {entry["JobId"] for entry in listed["MediaAnalysisJobs"]}


def test_detect_moderation_labels_reproduces_the_published_example(pipeline: Pipeline) -> None:
    pipeline.upload("published/example.jpg", (ROOT / SAMPLES_FOLDER / SAMPLE).read_bytes())
    image = {"S3Object": {"Bucket": pipeline.upload_bucket, "Name": "published/example.jpg"}}

    answer = aws(pipeline, "rekognition", "detect-moderation-labels", "--image", json.dumps(image))

    labels = {label["Name"]: (label["ParentName"], label["TaxonomyLevel"]) for label in answer["ModerationLabels"]}
    assert labels == {
        "Violence": ("", 1),
        "Graphic Violence": ("Violence", 2),
        "Explosions and Blasts": ("Graphic Violence", 3),
    }
    assert {round(label["Confidence"], 1) for label in answer["ModerationLabels"]} == {92.6}
    assert [(entry["Name"], round(entry["Confidence"], 1)) for entry in answer["ContentTypes"]] == [
        ("Illustrated", 93.9)
    ]
    assert answer["ModerationModelVersion"] == "7.0"


def test_the_cli_speaks_to_the_local_cloud_about_queues_too(pipeline: Pipeline) -> None:
    """Its version 1 takes no endpoint of SQS from the environment."""
    assert pipeline.outputs["IngestQueueUrl"] in Terminal(pipeline).run("aws sqs list-queues --output text")
