"""The files of a moderation in the work bucket. Its state is only written over the state that was read."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.errors import CommandError
from gatehouse.cli.moderate.moderation import STATE_KEY, Moderation

#: HTTP statuses of a conditional write that lost: the condition fails, or another write is under way (S3 User Guide,
#: conditional-writes.html).
_LOST = frozenset({409, 412})


class MovedError(Exception):
    """Another command wrote the state."""


class ModerationFiles(WorkBucket):
    """Reads and writes the state and the parts.

    The entity tag of the state that was last read or written is the condition of the next write.
    """

    _etag: str | None = None

    def read(self) -> Moderation | None:
        """The state; None if nothing was ever moderated.

        Raises:
            CommandError: it was written by another version.
        """
        found = self._found(self._name, STATE_KEY)
        if found is None:
            self._etag = None
            return None
        self._etag = found["ETag"]
        try:
            return Moderation.parse(found["Body"].read())
        except ValueError as error:
            raise CommandError(
                f"s3://{self._name}/{STATE_KEY} can't be read ({error}); use the version of Gatehouse that wrote it, "
                "or delete it to begin anew."
            ) from error

    def save(self, moderation: Moderation) -> None:
        """Write the state.

        Raises:
            MovedError: it is no longer the one that was read.
        """
        condition: Any = {"IfNoneMatch": "*"} if self._etag is None else {"IfMatch": self._etag}
        body = json.dumps(moderation.to_document(), indent=1).encode()
        try:
            answer = self._client.put_object(
                Bucket=self._name, Key=STATE_KEY, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _LOST:
                raise MovedError from error
            raise
        self._etag = answer["ETag"]

    def change(self, change: Callable[[Moderation], object]) -> Moderation | None:
        """Read the state and write it changed, as often as another command comes in between; None if there is none."""
        while True:
            moderation = self.read()
            if moderation is None:
                return None
            change(moderation)
            try:
                self.save(moderation)
            except MovedError:
                continue
            return moderation

    def write_part(self, moderation: Moderation, n: int, lines: Iterable[Any]) -> None:
        """Write a part. Written again, it is the same: the state says how far the listing is."""
        text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
        self._put(moderation.part_key(n), text, "application/jsonlines")

    def read_part(self, moderation: Moderation, n: int) -> list[Any]:
        """The lines of a part.

        Raises:
            MovedError: another command has ended the moderation, and deleted the part.
        """
        try:
            return [json.loads(line) for line in self.lines(self._name, moderation.part_key(n))]
        except self._client.exceptions.NoSuchKey as error:
            raise MovedError from error

    def drop_parts(self, moderation: Moderation) -> None:
        """Delete the parts."""
        for n in range(moderation.parts):
            self.close(moderation.part_key(n))
