"""Files on their way: uploaded in parallel, then waited for until each has its verdict."""

import mimetypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket, PutObject
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import CommandError, is_denied
from gatehouse.cli.progress import Countdown
from gatehouse.cli.verdict.absence import refusals
from gatehouse.cli.verdict.standing import Standing
from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.document import is_text
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import MAX_TEXT_BYTES
from gatehouse.moderation.verdict_item import VERSION

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock

#: Files sent, or looked up, at the same time.
PARALLEL = 8

#: Seconds between two looks: more often at first, since a fast lane takes seconds.
_PAUSES = (1.0, 1.0, 2.0, 2.0, 5.0)
_LONGEST_PAUSE = 10.0

_UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file, and the key that it is to have."""

    path: Path
    key: str
    size: int

    @property
    def content_type(self) -> str:
        """By its suffix."""
        return mimetypes.guess_type(self.path.name)[0] or _UNKNOWN_TYPE


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that S3 has.

    Attributes:
        before: version of the newest item of this object before the upload; None if there was none.
        was_there: the object, if it had the file's bytes before; it is taken as uploaded.
    """

    planned: PlannedFile
    uri: str
    stored: PutObject
    before: str | None
    was_there: StoredObject | None = None

    def find(self, table: OperatorsVerdictTable) -> Item | None:
        """Its item, as soon as there is one."""
        if self.stored.version_id:
            return table.of_version_id(self.uri, self.stored.version_id)
        item = table.newest(self.uri)
        if item is not None and self.was_there:
            upload = Standing.of_item(self.uri, item).upload
            return item if upload and speaks_of(upload, self.was_there) else None
        is_it = item is not None and item["etag"] == self.stored.etag and str(item[VERSION]) > (self.before or "")
        return item if is_it else None


@dataclass(frozen=True, slots=True)
class FileResult:
    """Where an uploaded file stands; `standing` is None while it has no item."""

    file: UploadedFile
    standing: Standing | None = None

    @property
    def status(self) -> Status | None:
        """Its status; None while it has none."""
        return self.standing.status if self.standing else None

    @property
    def is_final(self) -> bool:
        """Whether it has its verdict."""
        return self.standing is not None and self.standing.verdict is not None


def planned_files(paths: Sequence[Path], prefix: str) -> list[PlannedFile]:
    """The files with their keys: the prefix and the file's name.

    Raises:
        CommandError: one is no file, two would have the same key, or S3 can't have such a key.
    """
    planned: dict[str, PlannedFile] = {}
    for path in paths:
        key = f"{prefix}{path.name}"
        if not path.is_file():
            raise CommandError(f"{path} is no file; nothing was uploaded.")
        if not is_text(key) or len(key.encode()) > MAX_TEXT_BYTES:
            raise CommandError(
                f"{key!r} can't be a key: S3 takes {MAX_TEXT_BYTES:,} bytes of UTF-8; nothing was uploaded."
            )
        if key in planned:
            raise CommandError(
                f"{planned[key].path} and {path} would both be {key}; upload them one after the other, under two "
                "prefixes."
            )
        planned[key] = PlannedFile(path, key, path.stat().st_size)
    return list(planned.values())


def ensure_moderated(planned: Sequence[PlannedFile], lanes: DeployedLanes) -> None:
    """That each will have a verdict.

    Raises:
        CommandError: no lane takes one of them.
    """
    for file in planned:
        if lanes.owner(file.key, file.size) is None:
            raise CommandError(
                f"No lane takes {file.key}, so it would never have a verdict, and nothing was uploaded. "
                f"{' '.join(refusals(lanes.lanes, file.key, file.size))} Choose another --prefix, or upload it all the "
                "same with --no-wait."
            )


@dataclass(frozen=True, slots=True)
class FileUpload:
    """Sends files to the uploads bucket, and asks what became of them."""

    uploads: OperatorsUploadBucket
    table: OperatorsVerdictTable
    bucket: str

    def send(
        self,
        planned: Sequence[PlannedFile],
        sent: list[UploadedFile],
        *,
        overwrite: bool,
        tell: Callable[[str], None],
    ) -> list[PlannedFile]:
        """Upload them; returns those whose key an object with other bytes has.

        An object that has the file's bytes is taken as uploaded, so that the same command may be run again.

        Args:
            sent: those that S3 has are added as they come, whatever ends this.

        Raises:
            ClientError: S3 refused.
            CommandError: a file can't be read.
        """

        def send(file: PlannedFile) -> bool:
            uri = f"s3://{self.bucket}/{file.key}"
            item = self.table.newest(uri)
            before = str(item[VERSION]) if item else None
            try:
                stored = self.uploads.put(self.bucket, file.key, file.path, file.content_type, overwrite=overwrite)
                there = None if stored else self._same(file)
            except OSError as error:
                raise CommandError(f"{file.path} can't be read: {error}.") from error
            if stored:
                sent.append(UploadedFile(file, uri, stored, before))
            elif there:
                sent.append(UploadedFile(file, uri, PutObject(there.etag, there.version_id), before, there))
            return bool(stored or there)

        taken: list[PlannedFile] = []
        countdown = Countdown(len(planned))
        with ThreadPoolExecutor(PARALLEL) as threads:
            try:
                for n, (file, is_there) in enumerate(zip(planned, threads.map(send, planned), strict=True), start=1):
                    if not is_there:
                        taken.append(file)
                    tell(f"Uploaded {n - len(taken):,} of {len(planned):,} files{countdown.after(n)}")
            except BaseException:
                threads.shutdown(cancel_futures=True)  # the files that nobody has begun with
                raise
        return taken

    def _same(self, file: PlannedFile) -> StoredObject | None:
        """The object under the file's key, if it is known to have the same bytes."""
        try:
            return self.uploads.same(self.bucket, file.key, file.path)
        except ClientError as error:
            if is_denied(error):
                return None
            raise

    def wait(
        self, files: Sequence[UploadedFile], clock: "Clock", seconds: float, tell: Callable[[str], None]
    ) -> list[FileResult]:
        """Where each stands once all are final, or the time is over."""
        results = {file.uri: FileResult(file) for file in files}
        began = clock.moment()
        countdown = Countdown(len(results), clock.monotonic)
        looks = 0
        while True:
            open_files = [result.file for result in results.values() if not result.is_final]
            with ThreadPoolExecutor(PARALLEL) as threads:
                for result in threads.map(self._look, open_files):
                    results[result.file.uri] = result
            final = sum(result.is_final for result in results.values())
            passed = clock.seconds_since(began)
            if final == len(results) or passed >= seconds:
                return list(results.values())
            tell(f"{final:,} of {len(results):,} uploads have their verdicts{countdown.after(final)}")
            clock.pause(_PAUSES[looks] if looks < len(_PAUSES) else _LONGEST_PAUSE)
            looks += 1

    def _look(self, file: UploadedFile) -> FileResult:
        item = file.find(self.table)
        return FileResult(file, Standing.of_item(file.uri, item) if item else None)


#: The exit code where there is no answer for all files: one was not uploaded, AWS refused, or the usage is wrong.
NO_ANSWER = 4


def exit_code(results: Sequence[FileResult]) -> int:
    """What a script is told: 1 if one is flagged, else 2 if one was not judged, else 3 if one is not decided yet."""
    statuses = {result.status for result in results}
    if statuses & FLAGGED:
        return 1
    if statuses & {Status.UNSUPPORTED, Status.FAILED}:
        return 2
    return 3 if statuses & {Status.PENDING, None} else 0
