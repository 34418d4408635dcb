"""The deployer, against a running local cloud and assemblies written by hand."""

import io
import json
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import deployer
from localcloud.assembly import AssemblyError, zip_folder
from localcloud.cloud import LocalCloud
from localcloud.deployer import DeployError, NotLoopbackError, deploy
from tests.localcloud.assemblies import AssemblyBuilder


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud.start() as cloud:
        yield cloud


def queue(timeout: int = 30) -> dict[str, object]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": timeout}}


def url_of(logical_id: str) -> dict[str, object]:
    return {"Url": {"Value": {"Ref": logical_id}}}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://cloudformation.us-east-1.amazonaws.com",
        "http://localhost.example.com:4566",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0:4566",
        "http://192.168.0.1:4566",
        "http://[::ffff:127.0.0.1]:4566",
        "http://127.0.0.1:port",
        "ftp://127.0.0.1",
        "127.0.0.1:4566",
        "",
    ],
)
def test_an_endpoint_that_is_not_this_machine_is_refused_before_any_request(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a connection or a look-up was tried")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    assembly = AssemblyBuilder(tmp_path).stack("one", {"Queue": queue()}).write()

    with pytest.raises(NotLoopbackError, match="make deploy"):
        deploy(assembly, endpoint)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10"])
def test_every_loopback_address_is_accepted(host: str, cloud: LocalCloud, tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="make synth"):
        deploy(tmp_path, cloud.endpoint.replace("127.0.0.1", host))


def test_the_users_credentials_profile_and_proxy_take_no_part(
    cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-does-not-exist")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUSERSOWNKEY00000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-key-of-the-local-cloud")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "not-a-token-of-the-local-cloud")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")

    assembly = AssemblyBuilder(tmp_path).stack("isolated", {"Queue": queue()}, outputs=url_of("Queue")).write()

    assert deploy(assembly, cloud.endpoint)["isolated"]["Url"].startswith("http")


def test_stacks_are_deployed_after_those_they_need_and_their_outputs_returned(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    assembly = (
        AssemblyBuilder(tmp_path)
        .stack(
            "order-last",
            {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}},
            outputs={"Imported": {"Value": {"Fn::ImportValue": "order-first-url"}}},
            needs=["order-first"],
        )
        .stack(
            "order-first",
            {"Queue": queue()},
            outputs={"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "order-first-url"}}},
        )
        .write()
    )

    outputs = deploy(assembly, cloud.endpoint)

    assert list(outputs) == ["order-first", "order-last"]
    assert outputs["order-last"]["Imported"] == outputs["order-first"]["Url"]


def test_a_changed_template_updates_the_stack_in_place(cloud: LocalCloud, tmp_path: Path) -> None:
    before = AssemblyBuilder(tmp_path / "1").stack("changing", {"Queue": queue(30)}, outputs=url_of("Queue")).write()
    after = AssemblyBuilder(tmp_path / "2").stack("changing", {"Queue": queue(45)}, outputs=url_of("Queue")).write()

    url = deploy(before, cloud.endpoint)["changing"]["Url"]
    lines: list[str] = []
    outputs = deploy(after, cloud.endpoint, on_progress=lines.append)

    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "45"}
    assert outputs["changing"]["Url"] == url
    assert lines[-1] == "changing: updated"


def test_deploying_the_same_assembly_again_changes_nothing_and_publishes_nothing(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    assembly = AssemblyBuilder(tmp_path).stack("same", {"Queue": queue()}, outputs=url_of("Queue")).write()

    first = deploy(assembly, cloud.endpoint)
    lines: list[str] = []
    second = deploy(assembly, cloud.endpoint, on_progress=lines.append)

    assert second == first
    assert lines == ["same: updating", "same: no changes"]


def test_a_failing_stack_is_reported_with_its_resources_and_can_be_deployed_once_mended(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    broken_resource = queue(timeout=999_999)
    broken = AssemblyBuilder(tmp_path / "1").stack("mended", {"Bad": broken_resource, "Queue": queue()}).write()
    sound = AssemblyBuilder(tmp_path / "2").stack("mended", {"Queue": queue()}, outputs=url_of("Queue")).write()

    with pytest.raises(DeployError, match=r"(?s)mended.*Bad \(AWS::SQS::Queue\): .*VisibilityTimeout"):
        deploy(broken, cloud.endpoint)

    assert "Url" in deploy(sound, cloud.endpoint)["mended"]


def test_a_template_over_the_size_of_a_request_is_deployed(cloud: LocalCloud, tmp_path: Path) -> None:
    resources = {f"Parameter{number}": padded_parameter(number) for number in range(20)}
    assembly = AssemblyBuilder(tmp_path).stack("large", resources).write()
    assert (assembly / "large.template.json").stat().st_size > 51_200

    deploy(assembly, cloud.endpoint)

    assert cloud.client("ssm").get_parameter(Name="/large/7")["Parameter"]["Value"] == "7" * 3000


def padded_parameter(number: int) -> dict[str, object]:
    properties = {"Name": f"/large/{number}", "Type": "String", "Value": str(number)[0] * 3000}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties}


def test_a_folder_is_published_as_a_zip_and_a_file_as_it_is(cloud: LocalCloud, tmp_path: Path) -> None:
    builder = AssemblyBuilder(tmp_path)
    folder = tmp_path / "asset.code"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "handler.py").write_text("code", encoding="utf-8")
    (tmp_path / "asset.txt").write_text("text", encoding="utf-8")
    builder.stack("files", {"Queue": queue()}, files={"code.zip": folder, "text.txt": tmp_path / "asset.txt"})

    deploy(builder.write(), cloud.endpoint)

    bucket = "cdk-hnb659fds-assets-000000000000-us-east-1"
    published = {
        key: cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() for key in ("code.zip", "text.txt")
    }
    assert published["text.txt"] == b"text"
    assert zipfile.ZipFile(io.BytesIO(published["code.zip"])).read("package/handler.py") == b"code"


def test_a_zip_does_not_depend_on_times_or_on_the_order_of_creation(tmp_path: Path) -> None:
    for folder, names in (("one", ["b.py", "a/c.py"]), ("two", ["a/c.py", "b.py"])):
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
    (tmp_path / "two" / "b.py").touch()

    assert zip_folder(tmp_path / "one") == zip_folder(tmp_path / "two")


def test_stacks_that_need_each_other_are_refused(tmp_path: Path) -> None:
    builder = AssemblyBuilder(tmp_path)
    builder.stack("a", {"Queue": queue()}, needs=["b"]).stack("b", {"Queue": queue()}, needs=["a"])

    with pytest.raises(AssemblyError, match="cycle"):
        deploy(builder.write(), "http://127.0.0.1:1")


def test_an_assembly_with_a_stage_or_a_container_image_is_refused(tmp_path: Path) -> None:
    stage = AssemblyBuilder(tmp_path / "stage").artifact("prod", "cdk:cloud-assembly").write()
    image = AssemblyBuilder(tmp_path / "image").stack("one", {"Queue": queue()}).write()
    asset_manifest = image / "one.assets.json"
    document = json.loads(asset_manifest.read_text(encoding="utf-8")) | {"dockerImages": {"hash": {}}}
    asset_manifest.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(AssemblyError, match="stage"):
        deploy(stage, "http://127.0.0.1:1")
    with pytest.raises(AssemblyError, match="container images"):
        deploy(image, "http://127.0.0.1:1")


def test_the_command_line_prints_outputs_as_json_and_tells_refusal_from_failure(
    cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assembly = AssemblyBuilder(tmp_path).stack("line", {"Queue": queue()}, outputs=url_of("Queue")).write()

    assert deployer.main([str(assembly), "--endpoint", cloud.endpoint]) == 0
    assert set(json.loads(capsys.readouterr().out)["line"]) == {"Url"}
    assert deployer.main([str(assembly), "--endpoint", "https://example.com"]) == 2
    assert "loopback" in capsys.readouterr().err
    assert deployer.main([str(assembly), "--endpoint", "http://127.0.0.1:1"]) == 1
    assert "make local" in capsys.readouterr().err
