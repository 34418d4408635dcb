"""Parses an object's name as a user writes it, and explains a missing verdict."""

import re

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.document import is_text

#: `s3://bucket/key`.
OBJECT_URI = re.compile(r"s3://[^/]+/.+", re.DOTALL)


def object_uri(written: str, upload_bucket: str) -> str:
    """`s3://bucket/key`, from the same form or from a key of the uploads bucket.

    Raises:
        CommandError: it is neither; a shell may pass bytes that are not valid text.
    """
    uri = written if written.startswith("s3://") else f"s3://{upload_bucket}/{written}"
    if not OBJECT_URI.fullmatch(uri) or not is_text(uri):
        raise CommandError(f"{written!r} is not an object; write s3://bucket/key, or a key of {upload_bucket}.")
    return uri


def no_verdict(uri: str, which: str = "") -> str:
    """A message that an object has no verdict, with the possible reasons.

    Args:
        which: identifies one of its uploads; begins with a space.
    """
    return (
        f"There is no verdict for {uri}{which}: it was not uploaded while Gatehouse watched, no lane in gatehouse.yaml "
        f"accepts its key, it waits in a queue (`{COMMAND} queue list`), or its verdict has expired."
    )
