"""Reads a synthesized cloud assembly (`cdk.out`): its stacks in dependency order, and the files to publish."""

import graphlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The earliest time that a ZIP entry can have. Any fixed time would do: the bytes must always be the same.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class AssemblyError(ValueError):
    """The folder is not a cloud assembly that can be deployed to the local cloud."""


@dataclass(frozen=True, slots=True)
class FileAsset:
    """A file, or a folder to zip, that is published to `bucket`/`key` before its stack is deployed."""

    path: Path
    zipped: bool
    bucket: str
    key: str

    def body(self) -> bytes:
        """The bytes to publish. A folder with the same content always produces the same ZIP."""
        return zip_folder(self.path) if self.zipped else self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack: the location of its published template, and the bootstrap version parameter that it reads.

    Attributes:
        is_protected: whether it is not to be deleted.
    """

    name: str
    template_bucket: str
    template_key: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    assets: tuple[FileAsset, ...]
    bootstrap_version: int | None
    bootstrap_parameter: str | None
    is_protected: bool


def read_assembly(folder: Path, account: str, region: str) -> tuple[Stack, ...]:
    """The stacks of the assembly in `folder`, each after the stacks it depends on.

    `account` and `region` replace the placeholders in bucket names and keys. The layout is the one
    aws-cdk-lib writes (cloud assembly schema 55). Raises AssemblyError if there is none, if it contains
    something unsupported (container images, stages) or if stacks depend on each other in a cycle.
    """
    manifest_file = folder / "manifest.json"
    if not manifest_file.is_file():
        raise AssemblyError(f"{folder} contains no manifest.json; run `make synth` first")
    artifacts: dict[str, Any] = json.loads(manifest_file.read_text(encoding="utf-8")).get("artifacts", {})

    def fill(text: str) -> str:
        return (
            text.replace("${AWS::AccountId}", account)
            .replace("${AWS::Region}", region)
            .replace("${AWS::Partition}", "aws")
        )

    for name, artifact in artifacts.items():
        if artifact["type"] == "cdk:cloud-assembly":
            raise AssemblyError(f"{name} is a stage; the local cloud deploys the stacks of one assembly only")

    stacks = {name: artifact for name, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"}
    order: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name, artifact in stacks.items():
        order.add(name, *(needed for needed in artifact.get("dependencies", []) if needed in stacks))
    try:
        names = list(order.static_order())
    except graphlib.CycleError as error:
        raise AssemblyError(f"stacks depend on each other in a cycle: {' -> '.join(error.args[1])}") from None

    return tuple(_stack(folder, name, artifacts, fill) for name in names)


def _stack(folder: Path, name: str, artifacts: Mapping[str, Any], fill: Callable[[str], str]) -> Stack:
    artifact = artifacts[name]
    properties = artifact["properties"]
    assets: list[FileAsset] = []
    for needed in artifact.get("dependencies", []):
        if artifacts[needed]["type"] == "cdk:asset-manifest":
            asset_manifest = folder / artifacts[needed]["properties"]["file"]
            assets.extend(_file_assets(folder, asset_manifest, fill))
    address = fill(properties.get("stackTemplateAssetObjectUrl", "")).removeprefix("s3://")
    bucket, _, key = address.partition("/")
    if not key:
        raise AssemblyError(f"stack {name} does not publish its template; use the default stack synthesizer")
    return Stack(
        name=properties.get("stackName", name),
        template_bucket=bucket,
        template_key=key,
        parameters=properties.get("parameters", {}),
        tags=properties.get("tags", {}),
        assets=tuple(assets),
        bootstrap_version=properties.get("requiresBootstrapStackVersion"),
        bootstrap_parameter=properties.get("bootstrapStackVersionSsmParameter"),
        is_protected=properties.get("terminationProtection", False),
    )


def _file_assets(folder: Path, asset_manifest: Path, fill: Callable[[str], str]) -> list[FileAsset]:
    document = json.loads(asset_manifest.read_text(encoding="utf-8"))
    if document.get("dockerImages"):
        raise AssemblyError(f"{asset_manifest.name} lists container images; the local cloud does not support them")
    assets: list[FileAsset] = []
    for asset in document.get("files", {}).values():
        source = asset["source"]
        if "path" not in source:
            raise AssemblyError(f"{asset_manifest.name} lists a file that a command must create first: {source}")
        assets.extend(
            FileAsset(
                path=folder / source["path"],
                zipped=source.get("packaging") == "zip",
                bucket=fill(destination["bucketName"]),
                key=fill(destination["objectKey"]),
            )
            for destination in asset["destinations"].values()
        )
    return assets


def zip_folder(folder: Path) -> bytes:
    """A folder's files as a ZIP. The same names, contents and execute bits always produce the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=_ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, so that the permissions below have the same meaning everywhere
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
