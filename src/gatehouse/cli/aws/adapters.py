"""Custom Moderation adapters: the versions of projects with the feature CONTENT_MODERATION.

Sources: API reference, CreateProject, CreateProjectVersion, DescribeProjects, DescribeProjectVersions; Developer Guide,
managing-adapters.html (statuses).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatehouse.cli.errors import CommandError
from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection

#: The only feature that has adapters. DescribeProjects shows projects of Custom Labels unless it is named.
FEATURE = "CONTENT_MODERATION"

IN_TRAINING = "TRAINING_IN_PROGRESS"
TRAINED = "TRAINING_COMPLETED"
DEPRECATED = "DEPRECATED"
EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A version of a project.

    Attributes:
        status: as Rekognition names it, such as TRAINING_COMPLETED.
        message: Rekognition's words about the status.
        f1: of the evaluation, at the threshold of the training; None before its end.
        testing_manifest, evaluation: bucket and key of the evaluation files.
        billed_seconds: of the training.
    """

    arn: str
    project: str
    version: str
    status: str
    message: str
    created_at: str
    base_model: str | None
    f1: float | None
    testing_manifest: tuple[str, str] | None
    evaluation: tuple[str, str] | None
    billed_seconds: int | None
    auto_update: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether Rekognition answers by it."""
        return self.status in (TRAINED, DEPRECATED)

    def to_document(self) -> dict[str, Any]:
        """The adapter for scripts."""
        return {
            "arn": self.arn,
            "project": self.project,
            "version": self.version,
            "status": self.status,
            "message": self.message,
            "created_at": self.created_at,
            "base_model": self.base_model,
            "f1": self.f1,
            "billed_seconds": self.billed_seconds,
            "auto_update": self.auto_update,
        }


@dataclass(frozen=True, slots=True)
class Adapters:
    """The account's adapters in a Region."""

    client: Any

    @classmethod
    def of(cls, connection: "Connection") -> "Adapters":
        """The connection's."""
        return cls(connection.client("rekognition"))

    def listed(self) -> Iterator[Adapter]:
        """Every version of every project, project by project.

        Raises:
            ClientError: a call failed.
        """
        for page in self.client.get_paginator("describe_projects").paginate(Features=[FEATURE]):
            for project in page["ProjectDescriptions"]:
                yield from self._versions(project)

    def find(self, arn: str) -> Adapter:
        """An adapter by its ARN, which names its project, but not when that was made, as the project's own ARN does.

        Raises:
            CommandError: there is none in this account and Region.
            ClientError: a call failed.
        """
        name, _, rest = arn.partition(":project/")[2].partition("/version/")
        project = self._project(name) if name and rest else None
        found = self._versions(project, rest.partition("/")[0]) if project else ()
        adapter = next((each for each in found if each.arn == arn), None)
        if adapter is None:
            raise CommandError(f"There is no adapter {arn} in this account and Region; `adapter list` shows them.")
        return adapter

    def project_arn(self, name: str, *, auto_update: bool) -> str:
        """The project of this name; it is created if there is none.

        Args:
            auto_update: of a new project: whether AWS is to train its versions again for a new base model.

        Raises:
            ClientError: a call failed.
        """
        project = self._project(name)
        if project is not None:
            return str(project["ProjectArn"])
        answer = self.client.create_project(
            ProjectName=name, Feature=FEATURE, AutoUpdate="ENABLED" if auto_update else "DISABLED"
        )
        return str(answer["ProjectArn"])

    def train(
        self, project_arn: str, version: str, manifest: tuple[str, str], output: tuple[str, str], threshold: float
    ) -> str:
        """Start a training, with a part of the images set aside for the test; returns the adapter's ARN.

        Args:
            manifest: bucket and key.
            output: bucket and key prefix of the evaluation files.
            threshold: 0-100, at which F1 is taken.

        Raises:
            ClientError: the call failed.
        """
        place = {"S3Object": {"Bucket": manifest[0], "Name": manifest[1]}}
        answer = self.client.create_project_version(
            ProjectArn=project_arn,
            VersionName=version,
            OutputConfig={"S3Bucket": output[0], "S3KeyPrefix": output[1]},
            TrainingData={"Assets": [{"GroundTruthManifest": place}]},
            TestingData={"AutoCreate": True},
            FeatureConfig={"ContentModeration": {"ConfidenceThreshold": threshold}},
        )
        return str(answer["ProjectVersionArn"])

    def _project(self, name: str) -> Mapping[str, Any] | None:
        answer = self.client.describe_projects(ProjectNames=[name], Features=[FEATURE])
        found: list[Mapping[str, Any]] = answer["ProjectDescriptions"]
        return found[0] if found else None

    def _versions(self, project: Mapping[str, Any], version: str | None = None) -> Iterator[Adapter]:
        names = {"VersionNames": [version]} if version else {}
        pages = self.client.get_paginator("describe_project_versions")
        for page in pages.paginate(ProjectArn=project["ProjectArn"], **names):
            for description in page["ProjectVersionDescriptions"]:
                yield _adapter(description, project.get("AutoUpdate"))


def _adapter(description: Mapping[str, Any], auto_update: str | None) -> Adapter:
    arn: str = description["ProjectVersionArn"]
    project, _, rest = arn.partition(":project/")[2].partition("/version/")
    evaluation = description.get("EvaluationResult") or {}
    tested = (description.get("TestingDataResult") or {}).get("Output") or {}
    manifests = [asset["GroundTruthManifest"] for asset in tested.get("Assets", []) if "GroundTruthManifest" in asset]
    created: datetime = description["CreationTimestamp"]
    return Adapter(
        arn=arn,
        project=project,
        version=rest.partition("/")[0],
        status=description["Status"],
        message=description.get("StatusMessage", ""),
        created_at=iso(created),
        base_model=description.get("BaseModelVersion"),
        f1=evaluation.get("F1Score"),
        testing_manifest=_place(manifests[0]) if manifests else None,
        evaluation=_place(evaluation.get("Summary") or {}),
        billed_seconds=description.get("BillableTrainingTimeInSeconds"),
        auto_update=auto_update,
    )


def _place(output: Mapping[str, Any]) -> tuple[str, str] | None:
    stored = output.get("S3Object")
    return (stored["Bucket"], stored["Name"]) if stored else None
