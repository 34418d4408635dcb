"""Projects and their versions: the adapters of Custom Moderation, with their training.

Sources: API reference, CreateProject, CreateProjectVersion, DescribeProjects, DescribeProjectVersions,
DeleteProjectVersion; Developer Guide, managing-adapters.html. Only the feature CONTENT_MODERATION exists locally. What
is not documented and chosen here: AutoUpdate is recorded and nothing is trained again; a version is deleted at once.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from gatehouse.moderation.policy.taxonomy import VERSION
from localcloud.rekognition import training
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import INVALID_PARAMETERS, ErrorName, ServiceError
from localcloud.rekognition.inspection import Inspector
from localcloud.rekognition.settings import AdapterStatus, RekognitionSettings
from localcloud.rekognition.storage import ObjectStorage, ObjectUnwritable

_FEATURE = "CONTENT_MODERATION"
_PAGE = 100
#: Trainings at the same time (General Reference; listed for Custom Labels, assumed here for adapters).
_MOST_TRAININGS = 2

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a project: an adapter."""

    arn: str
    name: str
    request: Mapping[str, Any]
    created_at: float
    status: AdapterStatus = AdapterStatus.TRAINING_IN_PROGRESS
    message: str = "The model is being trained."
    ended_at: float | None = None
    trained: training.Trained | None = None

    def description(self) -> dict[str, Any]:
        """The version as DescribeProjectVersions shows it."""
        output = self.request["OutputConfig"]
        described: dict[str, Any] = {
            "ProjectVersionArn": self.arn,
            "CreationTimestamp": self.created_at,
            "Status": self.status,
            "StatusMessage": self.message,
            "OutputConfig": output,
            "TrainingDataResult": {"Input": self.request["TrainingData"]},
            "TestingDataResult": {"Input": self.request["TestingData"]},
            "Feature": _FEATURE,
            "BaseModelVersion": VERSION,
            "FeatureConfig": self.request.get("FeatureConfig", {}),
        }
        if self.ended_at is not None:
            described["TrainingEndTimestamp"] = self.ended_at
        if self.trained is not None:
            described["BillableTrainingTimeInSeconds"] = 1
            described["EvaluationResult"] = {
                "F1Score": self.trained.f1,
                "Summary": {"S3Object": _place(output, self.name, "evaluation_summary.json")},
            }
            for result, file in (("TrainingDataResult", "training"), ("TestingDataResult", "testing")):
                place = _place(output, self.name, f"{file}_manifest_output.jsonl")
                described[result]["Output"] = {"Assets": [{"GroundTruthManifest": {"S3Object": place}}]}
        return described


@dataclass(slots=True)
class Project:
    """A project, with its versions by name, oldest first."""

    arn: str
    name: str
    auto_update: str
    created_at: float
    versions: dict[str, Version] = field(default_factory=dict)

    def description(self) -> dict[str, Any]:
        """The project as DescribeProjects shows it."""
        return {
            "ProjectArn": self.arn,
            "CreationTimestamp": self.created_at,
            "Status": "CREATED",
            "Datasets": [],
            "Feature": _FEATURE,
            "AutoUpdate": self.auto_update,
        }


class Projects:
    """All projects, kept apart by account and Region. Thread safe."""

    def __init__(
        self,
        storage: ObjectStorage,
        inspector: Inspector,
        settings: RekognitionSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._inspector = inspector
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._projects: dict[tuple[str, str, str], Project] = {}

    def close(self) -> None:
        """Abandon all trainings."""
        self._closed.set()

    def statuses(self) -> dict[str, AdapterStatus]:
        """The status of each version, by its ARN."""
        with self._lock:
            return {
                version.arn: version.status for each in self._projects.values() for version in each.versions.values()
            }

    def left_out(self, arn: str | None) -> frozenset[str]:
        """The labels that an adapter leaves out of its answers."""
        with self._lock:
            for each in self._projects.values():
                for version in each.versions.values():
                    if version.arn == arn and version.trained is not None:
                        return version.trained.left_out
        return frozenset()

    def create_project(self, caller: Caller, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateProject. For CONTENT_MODERATION, AutoUpdate is required."""
        if request.get("Feature") != _FEATURE:
            raise _invalid("locally, Feature has to be CONTENT_MODERATION")
        if "AutoUpdate" not in request:
            raise _invalid("AutoUpdate is required for CONTENT_MODERATION")
        name = request["ProjectName"]
        with self._lock:
            if _key(caller, name) in self._projects:
                raise ServiceError(ErrorName.RESOURCE_IN_USE, f"A project {name} exists already.")
            created = self._now()
            arn = f"{_arn(caller)}/{name}/{int(created * 1000)}"
            self._projects[_key(caller, name)] = Project(arn, name, request["AutoUpdate"], created)
        return {"ProjectArn": arn}

    def describe_projects(self, caller: Caller, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeProjects. Without Features, only those of Custom Labels: none."""
        names, features = request.get("ProjectNames"), request.get("Features", ["CUSTOM_LABELS"])
        with self._lock:
            found = [
                each.description()
                for (account, region, name), each in self._projects.items()
                if (account, region) == (caller.account, caller.region)
                and _FEATURE in features
                and (not names or name in names)
            ]
        return _page("ProjectDescriptions", found, request)

    def create_version(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """CreateProjectVersion: starts a training."""
        if ("TrainingData" in request) is not ("TestingData" in request):
            raise _invalid("TrainingData and TestingData have to come together")
        if not request.get("TrainingData", {}).get("Assets"):
            raise _invalid("an adapter needs TrainingData")
        name = request["VersionName"]
        with self._lock:
            project = self._of_arn(caller, request["ProjectArn"])
            if name in project.versions:
                raise ServiceError(ErrorName.RESOURCE_IN_USE, f"A version {name} exists already.")
            versions = [version for each in self._projects.values() for version in each.versions.values()]
            if sum(each.status is AdapterStatus.TRAINING_IN_PROGRESS for each in versions) >= _MOST_TRAININGS:
                raise ServiceError(ErrorName.LIMIT_EXCEEDED, f"{_MOST_TRAININGS} models are being trained.")
            created = self._now()
            arn = f"{_arn(caller)}/{project.name}/version/{name}/{int(created * 1000)}"
            version = Version(arn, name, request, created)
            project.versions[name] = version
        threading.Thread(target=self._train, args=(caller, project, version), daemon=True).start()
        return {"ProjectVersionArn": arn}

    def describe_versions(self, caller: Caller, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeProjectVersions, the newest first."""
        names = request.get("VersionNames")
        with self._lock:
            versions = self._of_arn(caller, request["ProjectArn"]).versions.values()
            found = [each.description() for each in reversed(versions) if not names or each.name in names]
        return _page("ProjectVersionDescriptions", found, request)

    def delete_version(self, caller: Caller, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteProjectVersion. A version in training can't be deleted."""
        arn = request["ProjectVersionArn"]
        with self._lock:
            for key, project in self._projects.items():
                for name, version in project.versions.items():
                    if version.arn == arn and key[:2] == (caller.account, caller.region):
                        if version.status is AdapterStatus.TRAINING_IN_PROGRESS:
                            raise ServiceError(ErrorName.RESOURCE_IN_USE, f"{arn} is being trained.")
                        del project.versions[name]
                        return {"Status": "DELETING"}
        raise ServiceError(ErrorName.RESOURCE_NOT_FOUND, f"The project version {arn} does not exist.")

    def _train(self, caller: Caller, project: Project, version: Version) -> None:
        trained: training.Trained | None = None
        status, message = AdapterStatus.TRAINING_FAILED, "The model can't be trained."
        try:
            trained = self._trained(caller, version)
            status, message = AdapterStatus.TRAINING_COMPLETED, "The model is ready to run."
        except training.TrainingFailed as failed:
            message = str(failed)
        except ObjectUnwritable as error:
            message = f"The output can't be written: {error}"
        self._closed.wait(self._settings.job_seconds)
        if self._closed.is_set():
            return
        with self._lock:
            ended = replace(version, status=status, message=message, ended_at=self._now(), trained=trained)
            project.versions[version.name] = ended

    def _trained(self, caller: Caller, version: Version) -> training.Trained:
        request = version.request
        images = training.read_images(self._storage, caller, request["TrainingData"]["Assets"])
        if len(images) > training.MOST_IMAGES:
            raise training.TrainingFailed(f"{len(images)} images of at most {training.MOST_IMAGES}.")
        if request["TestingData"].get("AutoCreate"):
            images, tests = training.split(images)
        else:
            tests = training.read_images(self._storage, caller, request["TestingData"].get("Assets", []))
        threshold = request.get("FeatureConfig", {}).get("ContentModeration", {}).get("ConfidenceThreshold", 50.0)
        trained = training.train(self._inspector, caller, images, tests, arn=version.arn, threshold=threshold)
        for name, text in trained.files.items():
            place = _place(request["OutputConfig"], version.name, name)
            self._storage.write(caller, place["Bucket"], place["Name"], text.encode(), "application/json")
        return trained

    def _of_arn(self, caller: Caller, arn: str) -> Project:
        for key, project in self._projects.items():
            if project.arn == arn and key[:2] == (caller.account, caller.region):
                return project
        raise ServiceError(ErrorName.RESOURCE_NOT_FOUND, f"The project {arn} does not exist.")

    def _now(self) -> float:
        return round(self._clock(), 3)


def _key(caller: Caller, name: str) -> tuple[str, str, str]:
    return caller.account, caller.region, name


def _arn(caller: Caller) -> str:
    return f"arn:aws:rekognition:{caller.region}:{caller.account}:project"


def _place(output: Mapping[str, str], version: str, file: str) -> dict[str, str]:
    prefix = output.get("S3KeyPrefix", "").rstrip("/")
    return {"Bucket": output["S3Bucket"], "Name": "/".join(part for part in (prefix, version, file) if part)}


def _page(name: str, entries: Sequence[_Entry], request: Mapping[str, Any]) -> dict[str, Any]:
    token, most = request.get("NextToken", "0"), request.get("MaxResults", _PAGE)
    if not token.isdecimal():
        raise ServiceError(ErrorName.INVALID_PAGINATION_TOKEN, "Invalid Pagination Token")
    start = int(token)
    following = {"NextToken": str(start + most)} if start + most < len(entries) else {}
    return {name: list(entries[start : start + most]), **following}


def _invalid(what: str) -> ServiceError:
    return ServiceError(ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: {what}")
