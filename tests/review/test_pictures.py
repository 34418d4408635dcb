"""The bytes that a browser is given: of the very version that was judged, and only if they are a picture."""

from dataclasses import replace
from typing import Any

import pytest

from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket, PictureNotShownError
from gatehouse.moderation.upload import Upload
from tests.cli.conftest import UPLOADS, Deployed
from tests.cli.judged_uploads import LATER, put_object
from tests.unit.builders import an_upload

JPEG, PNG, GIF = b"\xff\xd8\xff\xe0 one", b"\x89PNG\r\n\x1a\n two", b"GIF89a three"


def stored(deployed: Deployed, body: bytes, **metadata: Any) -> Upload:
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    answer = deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=body, **metadata)
    return an_upload("cat.jpg", version_id=answer["VersionId"], etag=answer["ETag"].strip('"'))


def bucket(deployed: Deployed) -> OperatorsUploadBucket:
    return OperatorsUploadBucket(deployed.s3, finds_animations=True)


@pytest.mark.parametrize(("body", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (GIF, "image/gif")])
def test_the_type_is_that_of_the_bytes_whatever_the_uploader_says(deployed: Deployed, body: bytes, kind: str) -> None:
    picture = bucket(deployed).picture(stored(deployed, body, ContentType="text/html"))

    assert (picture.content_type, picture.size, b"".join(picture.chunks)) == (kind, len(body), body)


@pytest.mark.parametrize("body", [b"", b"<svg onload=alert(1)>", b"<html>", b"%PDF-1.7", b"\xff\xd8"])
def test_nothing_else_is_given_out(deployed: Deployed, body: bytes) -> None:
    with pytest.raises(PictureNotShownError, match="not those of a picture"):
        bucket(deployed).picture(stored(deployed, body, ContentType="image/jpeg"))


def test_a_newer_version_is_not_shown_for_an_older_one(deployed: Deployed) -> None:
    older = stored(deployed, JPEG)
    stored(deployed, PNG)
    assert b"".join(bucket(deployed).picture(older).chunks) == JPEG

    deployed.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg", VersionId=str(older.version_id))
    with pytest.raises(PictureNotShownError, match="deleted"):
        bucket(deployed).picture(older)


def test_without_versioning_only_the_upload_itself_is_shown(deployed: Deployed) -> None:
    deployed.s3.put_object(Bucket=UPLOADS, Key="dog.jpg", Body=JPEG)
    etag = deployed.s3.head_object(Bucket=UPLOADS, Key="dog.jpg")["ETag"].strip('"')
    upload = an_upload("dog.jpg", etag=etag, uploaded_at=LATER)
    assert b"".join(bucket(deployed).picture(upload).chunks) == JPEG

    earlier = replace(upload, uploaded_at="2000-01-01T00:00:00.000Z")  # equal bytes, and stored after that
    other = an_upload("dog.jpg", uploaded_at=LATER, etag=put_object(deployed, "other.jpg")["etag"])
    for gone in (earlier, other):
        with pytest.raises(PictureNotShownError, match="overwritten"):
            bucket(deployed).picture(gone)
