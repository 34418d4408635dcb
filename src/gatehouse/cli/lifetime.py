"""Where a search in an index begins: each day costs queries, and before the deployment there is nothing to find."""

from datetime import datetime, timedelta

from gatehouse.cli.invocation import Invocation
from gatehouse.moderation.moment import iso

#: A search that begins later is not worth another call.
_FEW_DAYS = timedelta(days=30)


def since_creation(invocation: Invocation, since: str, now: datetime) -> str:
    """The time, or the deployment's creation if that is later, which is said. One DescribeStacks where it is long ago.

    Args:
        since: ISO 8601, UTC.
    """
    if now - datetime.fromisoformat(since) <= _FEW_DAYS:
        return since
    stack = f"{invocation.deployment.name}-storage"
    answer = invocation.connection.client("cloudformation").describe_stacks(StackName=stack)
    created: datetime | None = answer["Stacks"][0].get("CreationTime")
    if created is None or iso(created) <= since:
        return since
    invocation.out.tell(
        f"{invocation.deployment.name} was created at {iso(created)}, so the search begins there. What its table got "
        "from an older one is in `export`."
    )
    return iso(created)
