"""What is planted in a file, of any format, or beside it, is planted in what is rendered of it."""

import base64
import io
import json
import zipfile

import pytest

from localcloud.patches import rendered_plants
from localcloud.rekognition import jpeg
from localcloud.rekognition.planted_labels import METADATA_KEY, VERSION
from tests.e2e.images import CLEAN
from tests.localcloud.workbench import Workbench, unique

WEAPONS = f'{VERSION} {{"ModerationLabels": [{{"Name": "Weapons", "Confidence": 96.0}}]}}'
SMOKING = f'{VERSION} {{"ModerationLabels": [{{"Name": "Smoking", "Confidence": 80.0}}]}}'

#: A renderer that shows a clean picture, whatever it is asked.
CODE = f"""
def handler(event, context):
    return {{"jpeg": "{base64.b64encode(CLEAN).decode()}"}}
"""


def renderer(workbench: Workbench) -> str:
    """A function with the renderer's handler, and that code."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as folder:
        folder.writestr("lambdas/__init__.py", "")
        folder.writestr("lambdas/renderer/__init__.py", "")
        folder.writestr("lambdas/renderer/handler.py", CODE)
    name = unique("renderer")
    workbench.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=workbench.role("lambda.amazonaws.com", ("none:None", "*")),
        Handler=rendered_plants.HANDLER,
        Code={"ZipFile": archive.getvalue()},
    )
    return name


@pytest.mark.parametrize(
    ("body", "metadata", "frame", "planted"),
    [
        (b"GIF89a", {}, None, None),
        (b"RIFF" + WEAPONS.encode() + b"more", {}, None, WEAPONS),
        (b"RIFF", {METADATA_KEY: WEAPONS}, 3, WEAPONS),
        (b"RIFF", {METADATA_KEY: WEAPONS, f"{METADATA_KEY}-3": SMOKING}, 3, SMOKING),
        (b"RIFF", {f"{METADATA_KEY}-3": SMOKING}, 2, None),
    ],
)
def test_a_rendition_has_the_labels_of_its_frame(
    workbench: Workbench, body: bytes, metadata: dict[str, str], frame: int | None, planted: str | None
) -> None:
    bucket, key = workbench.bucket(), "a b.webp"
    s3 = workbench.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
    function = renderer(workbench)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})

    answer = workbench.invoke(function, {"url": url, "frame": frame, "background": "white"})

    _, _, texts = jpeg.read(base64.b64decode(answer["jpeg"]))
    plants = [text for text in texts if text.startswith(VERSION)]
    assert [json.loads(text.removeprefix(VERSION)) for text in plants] == (
        [json.loads(planted.removeprefix(VERSION))] if planted else []
    )
    assert f"rendition of s3://{bucket}/{key} {frame or 0} white" in texts
