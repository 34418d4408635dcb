"""The renderer's own asset, compiled for another processor, runs in the local cloud and reads what a URL gives it."""

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from gatehouse.contracts.render_call import RenderAnswer, RenderRequest
from gatehouse.contracts.renderer_environment import RendererEnvironment
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import RefusalCode, RefusedError
from localcloud.patches.foreign_packages import remove_foreign_packages
from stacks.constructs.function_code import assemble_renderer
from stacks.lambda_dependencies import HEIC_REQUIREMENTS, RENDERER_REQUIREMENTS, install_dependencies
from tests.localcloud.workbench import Workbench, unique


@pytest.fixture(scope="module")
def function(workbench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A renderer whose role may do nothing at all."""
    folder = tmp_path_factory.mktemp("asset")
    decoders = [install_dependencies(file, compiled=True) for file in (RENDERER_REQUIREMENTS, HEIC_REQUIREMENTS)]
    assemble_renderer(folder / "code", [install_dependencies(), *decoders])
    archive = shutil.make_archive(str(folder / "code"), "zip", folder / "code")
    name = unique("renderer")
    workbench.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=workbench.role("lambda.amazonaws.com", ("none:None", "*")),
        Handler="lambdas.renderer.handler.handler",
        Code={"ZipFile": Path(archive).read_bytes()},
        Timeout=60,
        Environment={
            "Variables": {
                **RendererEnvironment(heic=True).to_variables(),
                "POWERTOOLS_SERVICE_NAME": "renderer",
                "POWERTOOLS_METRICS_NAMESPACE": "Gatehouse",
            }
        },
    )
    return name


def render(workbench: Workbench, function: str, bucket: str, key: str) -> RenderAnswer:
    url = workbench.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return RenderAnswer.parse(workbench.invoke(function, RenderRequest(url).to_document()))


def test_a_presigned_object_is_rendered(workbench: Workbench, function: str) -> None:
    bucket, key = workbench.bucket(), "a b+c%41/é.jpg"
    file = io.BytesIO()
    Image.new("RGB", (200, 100), (200, 30, 30)).save(file, "WEBP")
    workbench.client("s3").put_object(Bucket=bucket, Key=key, Body=file.getvalue())

    answer = render(workbench, function, bucket, key)

    assert answer.description is not None
    assert (answer.description.format, answer.description.width) == (ImageFormat.WEBP, 200)
    assert Image.open(io.BytesIO(answer.jpeg)).size == (200, 100)


def test_an_object_that_is_gone_is_told(workbench: Workbench, function: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render(workbench, function, workbench.bucket(), "nothing")

    assert refused.value.code is RefusalCode.GONE


def test_only_what_was_compiled_for_another_python_is_taken_out(tmp_path: Path) -> None:
    foreign, ours = "_fast.cpython-313-aarch64-none.so", "_fast.abi3.so"
    for name in ("foreign/sub", "foreign.libs", "ours", "pure"):
        (tmp_path / name).mkdir(parents=True)
    for name in (f"foreign/sub/{foreign}", f"ours/{ours}", "pure/module.py", foreign, "module.py"):
        (tmp_path / name).touch()
    (tmp_path / "foreign.libs" / "libfast-1234.so.1").touch()

    assert remove_foreign_packages(tmp_path) == ["_fast.cpython-313-aarch64-none.so", "foreign"]
    assert {path.name for path in tmp_path.iterdir()} == {"foreign.libs", "ours", "pure", "module.py"}
