"""Cloud assemblies written by hand, so that the deployer can be tested without Node."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_ASSET_BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"


class AssemblyBuilder:
    """Writes `manifest.json`, templates and asset manifests as aws-cdk-lib lays them out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._artifacts: dict[str, Any] = {}

    def stack(
        self,
        name: str,
        resources: Mapping[str, Any],
        *,
        outputs: Mapping[str, Any] | None = None,
        needs: Sequence[str] = (),
        files: Mapping[str, Path] | None = None,
    ) -> "AssemblyBuilder":
        """Add a stack that depends on the stacks `needs`; `files` are published as key -> file, or folder to zip."""
        template = {
            "Resources": dict(resources),
            "Outputs": dict(outputs or {}),
            "Parameters": {
                "BootstrapVersion": {
                    "Type": "AWS::SSM::Parameter::Value<String>",
                    "Default": "/cdk-bootstrap/hnb659fds/version",
                }
            },
        }
        text = json.dumps(template)
        key = f"{name}-{abs(hash(text))}.json"
        (self.folder / f"{name}.template.json").write_text(text, encoding="utf-8")
        sources = {key: self.folder / f"{name}.template.json"} | dict(files or {})
        asset_manifest = {
            "version": "55.0.0",
            "files": {
                object_key: {
                    "source": {
                        "path": str(path.relative_to(self.folder)),
                        "packaging": "zip" if path.is_dir() else "file",
                    },
                    "destinations": {"here": {"bucketName": _ASSET_BUCKET, "objectKey": object_key}},
                }
                for object_key, path in sources.items()
            },
        }
        (self.folder / f"{name}.assets.json").write_text(json.dumps(asset_manifest), encoding="utf-8")
        self._artifacts[f"{name}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{name}.assets.json", "requiresBootstrapStackVersion": 6},
        }
        self._artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackTemplateAssetObjectUrl": f"s3://{_ASSET_BUCKET}/{key}",
                "requiresBootstrapStackVersion": 6,
                "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
            },
            "dependencies": [*needs, f"{name}.assets"],
        }
        return self

    def artifact(self, name: str, kind: str) -> "AssemblyBuilder":
        """Add an artifact of some other type."""
        self._artifacts[name] = {"type": kind, "properties": {}}
        return self

    def write(self) -> Path:
        """Write the manifest; returns the folder."""
        manifest = {"version": "55.0.0", "artifacts": self._artifacts}
        (self.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return self.folder
