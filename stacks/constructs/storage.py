"""The resources that store data."""

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.verdict_table import VerdictTable
from stacks.constructs.work_bucket import WorkBucket


@dataclass(frozen=True, slots=True)
class Storage:
    """The buckets, the table, the topic and the pointers. A construct that receives this gets the names; it requests
    each permission that it needs with a `grant_*` method.

    Attributes:
        policies: the pointers of the policies in use, by policy name.
    """

    uploads: UploadBucket
    work: WorkBucket
    verdicts: VerdictTable
    flags: FlagTopic
    policies: Mapping[str, PolicyParameter]
