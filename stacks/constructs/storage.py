"""Where everything is that is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.verdict_table import VerdictTable
from stacks.constructs.work_bucket import WorkBucket


@dataclass(frozen=True, slots=True)
class Storage:
    """The buckets, the table, the topic and the pointers that functions and workflows are allowed to use, each as it
    needs: what a construct gets is the names, and permissions only as it asks for them.

    Attributes:
        policies: the pointers of the policies in use, by the policies' names.
    """

    uploads: UploadBucket
    work: WorkBucket
    verdicts: VerdictTable
    flags: FlagTopic
    policies: Mapping[str, PolicyParameter]
