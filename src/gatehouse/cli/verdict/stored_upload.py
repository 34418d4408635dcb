"""The item of the upload that somebody asks about: by its object, and perhaps by one of its versions."""

from typing import Annotated

import typer

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.document import is_text

ObjectName = Annotated[
    str, typer.Argument(metavar="OBJECT", help="s3://bucket/key, or a key of the deployment's uploads bucket.")
]


def find_item(table: OperatorsVerdictTable, uri: str, version: str | None, version_id: str | None) -> Item | None:
    """The item of an upload of this object; of its newest one where no version is named. None if there is none.

    Args:
        version: of its item or flag.
        version_id: that S3 gave it.

    Raises:
        CommandError: both versions are named, or what is named is no text.
    """
    if version and version_id:
        raise CommandError("--version and --version-id both choose an upload; give one of them.")
    if not is_text(f"{version}{version_id}"):
        raise CommandError(f"{version or version_id!r} is no version.")
    if version:
        return table.of_upload(uri, version)
    return table.of_version_id(uri, version_id) if version_id else table.newest(uri)
