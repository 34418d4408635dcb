"""What looking up a bucket's objects costs by a Query each, in units of reading the table once.

`python -m tests.benchmarks.lookup` has both do the same in one run: seconds of processor time an object, against a
table that takes none of it (`table_stub.py`). `--objects 1000000` also says how much memory the Scan needs.
"""

import argparse
import os
import resource
import time
from typing import Any

from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.bucket_reconciliation import BucketReconciliation, ObjectStanding
from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.moderation.status import Status
from tests.benchmarks.table_stub import ITEMS_A_PAGE, key_of, table_stub
from tests.unit.builders import a_claim, a_lane, a_verdict, an_upload, item_of

#: Few enough that the rule prefers Queries.
_QUERIED = 1_000


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=64_000)
    objects: int = parser.parse_args().objects
    with table_stub(_item, objects // ITEMS_A_PAGE) as endpoint:
        query = _seconds(endpoint, _QUERIED)
        before = _most_memory()
        scan = _seconds(endpoint, objects)
    print(f"a Query for each: {query * 1e6:,.0f} µs an object")
    print(f"the table once:   {scan * 1e6:,.0f} µs an object, {query / scan:.1f} times as fast")
    print(f"most memory: {before:,.0f} MB by Queries, {_most_memory():,.0f} MB with {objects:,} objects by a Scan")


def _seconds(endpoint: str, objects: int) -> float:
    """Seconds of processor time an object, of this process and all its threads."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    client = Connection(region="us-east-1", endpoint_url=endpoint).client("dynamodb", PARALLEL_QUERIES)
    comparison = BucketReconciliation(
        "uploads",
        DeployedLanes((a_lane(),)),
        OperatorsVerdictTable(client, "verdicts"),
        prefix="",
        since=None,
        until="9999",
        verdicts_since=None,
        examples=0,
        record=lambda _: None,
        explain=print,
        tell=lambda _: None,
    )
    uploads = (an_upload(key_of(n)) for n in range(objects))
    began = time.process_time()
    report = comparison.compare(
        ListedObject(upload.key, upload.version_id, upload.etag, upload.size, upload.uploaded_at) for upload in uploads
    )
    seconds = time.process_time() - began
    assert report.of(ObjectStanding.DECIDED) == objects, "each is found"
    return seconds / objects


def _most_memory() -> float:
    """Megabytes of this process, since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _item(key: str) -> dict[str, Any]:
    return item_of(a_verdict(Status.APPROVED, a_claim(an_upload(key))))


if __name__ == "__main__":
    main()
