"""URLs of uploads, for whoever may not read them: the right to one version is in the URL, for a short time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatehouse.moderation.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: How long a URL can be used, from when it was signed. Each call of the renderer gets one of its own and fetches the
#: picture first, so only a cold start and the way there have to fit.
URL_SECONDS = 120


@dataclass(frozen=True, slots=True)
class PresignedUploads:
    """Signs URLs, which asks nobody.

    Attributes:
        client: an S3 client, whose credentials sign. What they may not read, a URL does not give either; and it ends
            with them (S3 User Guide, using-presigned-url.html).
    """

    client: "S3Client"

    def url(self, upload: Upload) -> str:
        """A presigned GET of the version that was uploaded, and of nothing else."""
        stored = {"Bucket": upload.bucket, "Key": upload.key}
        if upload.version_id is not None:
            stored["VersionId"] = upload.version_id
        return self.client.generate_presigned_url("get_object", Params=stored, ExpiresIn=URL_SECONDS)
