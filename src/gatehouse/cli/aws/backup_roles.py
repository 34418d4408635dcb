"""The roles with which AWS Backup reads a bucket: of its jobs of the last weeks, and of plans that name the bucket.

Source: AWS Backup API reference (ListBackupJobs, GetBackupSelection: `Resources` and `NotResources` are ARNs with
wildcards). A plan that chooses by tags alone is seen by its first job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class BackupRoles:
    """Looks the roles up.

    Attributes:
        client: an AWS Backup client.
        partition: of the account's ARNs.
    """

    client: Any
    partition: str

    def of(self, bucket: str) -> list[str]:
        """The ARNs of the roles, sorted.

        Raises:
            ClientError: the caller may not look.
        """
        arn = f"arn:{self.partition}:s3:::{bucket}"
        jobs = self._all("list_backup_jobs", "BackupJobs", ByResourceArn=arn)
        return sorted({*(job["IamRoleArn"] for job in jobs if "IamRoleArn" in job), *self._of_plans(arn)})

    def _of_plans(self, arn: str) -> Iterator[str]:
        for plan in self._all("list_backup_plans", "BackupPlansList"):
            plan_id = plan["BackupPlanId"]
            for listed in self._all("list_backup_selections", "BackupSelectionsList", BackupPlanId=plan_id):
                found = self.client.get_backup_selection(BackupPlanId=plan_id, SelectionId=listed["SelectionId"])
                selection = found["BackupSelection"]
                if _has(selection.get("Resources", []), arn) and not _has(selection.get("NotResources", []), arn):
                    yield selection["IamRoleArn"]

    def _all(self, operation: str, name: str, **request: str) -> Iterator[dict[str, Any]]:
        for page in self.client.get_paginator(operation).paginate(**request):
            yield from page[name]


def _has(patterns: list[str], arn: str) -> bool:
    return any(fnmatchcase(arn, pattern) for pattern in patterns)
