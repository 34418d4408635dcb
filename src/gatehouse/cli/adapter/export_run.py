"""Writes training data for an adapter: images copied to one bucket, and the manifest that names them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.moderation.opinion import Opinion
from gatehouse.moderation.training_manifest import MAX_IMAGES, TrainingCounts, training_line, true_labels
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict

MANIFEST = "manifest.jsonl"

#: Images that are copied at the same time, and the size of the client's connection pool.
PARALLEL_COPIES = 8
_COPIES_A_ROUND = 200

#: Answers of CopyObject that say that these bytes can't be had: deleted, overwritten, or archived (API reference).
_GONE = frozenset(
    {"NoSuchKey", "NoSuchVersion", "404", "405", "412", "MethodNotAllowed", "PreconditionFailed", "InvalidObjectState"}
)


@dataclass(slots=True)
class TrainingExport:
    """What was exported.

    Attributes:
        gone: images that are deleted, overwritten or archived.
        unlabeled: images that people blocked, and of which nothing says for which label.
        unjudged: images that no policy had judged.
        is_full: whether there are more than a training takes.
    """

    manifest: str
    counts: TrainingCounts = field(default_factory=TrainingCounts)
    gone: int = 0
    unlabeled: int = 0
    unjudged: int = 0
    is_full: bool = False

    def to_document(self) -> dict[str, Any]:
        """The export for scripts."""
        return {
            "manifest": self.manifest,
            **self.counts.to_document(),
            "gone": self.gone,
            "unlabeled": self.unlabeled,
            "unjudged": self.unjudged,
            "more_than_a_training_takes": self.is_full,
        }


@dataclass(frozen=True, slots=True)
class ExportRun:
    """Exports what people decided.

    Attributes:
        bucket, prefix: where to; the prefix ends with no slash.
        label_of_reason: labels of what people blocked though no rule fired, by their reason code.
        dry_run: count, and copy and write nothing.
    """

    client: Any
    uploads: OperatorsUploadBucket
    bucket: str
    prefix: str
    label_of_reason: Mapping[str, str]
    dry_run: bool = False

    def run(
        self, decided: Iterable[tuple[Verdict, Opinion]], tell: Callable[[int], None] = lambda _: None
    ) -> TrainingExport:
        """Copy the images, and write the manifest last.

        The manifest names objects without a version, so each copy has a key made of its object and version.

        Args:
            tell: called with the number of images so far.

        Raises:
            ClientError: an image could not be copied, or the manifest not be written.
        """
        export = TrainingExport(f"s3://{self.bucket}/{self._key(MANIFEST)}")
        lines: list[str] = []
        wanted = self._wanted(decided, export)
        with ThreadPoolExecutor(PARALLEL_COPIES) as threads:
            while some := list(islice(wanted, _COPIES_A_ROUND)):
                copies = threads.map(lambda one: self._copied(one[0]), some)
                for (_, opinion, labels), source in zip(some, copies, strict=True):
                    if source is None:
                        export.gone += 1
                    elif len(lines) == MAX_IMAGES:
                        export.is_full = True
                    else:
                        lines.append(training_line(source, labels))
                        export.counts.add(opinion, labels)
                tell(len(lines))
                if export.is_full:
                    break
        if lines and not self.dry_run:
            body = "".join(f"{line}\n" for line in lines).encode()
            self.client.put_object(Bucket=self.bucket, Key=self._key(MANIFEST), Body=body)
        return export

    def _wanted(
        self, decided: Iterable[tuple[Verdict, Opinion]], export: TrainingExport
    ) -> Iterator[tuple[Upload, Opinion, tuple[str, ...]]]:
        for verdict, opinion in decided:
            labels = true_labels(opinion, self.label_of_reason)
            if not opinion.is_about_a_judgment:
                export.unjudged += 1
            elif labels is None:
                export.unlabeled += 1
            else:
                yield verdict.upload, opinion, labels

    def _copied(self, upload: Upload) -> str | None:
        """The copy of an upload's bytes; None if they are gone."""
        key = self._key(f"images/{_name(upload)}")
        source = {"Bucket": upload.bucket, "Key": upload.key}
        if upload.version_id:
            source["VersionId"] = upload.version_id
        elif self.uploads.absence(upload):
            return None  # an ETag alone is no proof of these bytes
        try:
            if not self.dry_run:
                # Tags are left behind: they could open a gate, and copying them needs another permission.
                self.client.copy_object(
                    Bucket=self.bucket,
                    Key=key,
                    CopySource=source,
                    CopySourceIfMatch=upload.etag,
                    TaggingDirective="REPLACE",
                )
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        return f"s3://{self.bucket}/{key}"

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def _name(upload: Upload) -> str:
    """A name that no manifest can misread, for one version of an object."""
    return hashlib.sha256(f"{upload.object}\n{upload.version}".encode()).hexdigest()[:40]
