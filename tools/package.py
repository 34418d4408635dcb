"""Builds the distributions of the command in dist/. On a build server, for a tag, only if the tag names the version.

python -m tools.package
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class PackageError(Exception):
    """The tag and what would be built disagree; the message says what to change."""


def check_tag(environment: Mapping[str, str], root: Path = ROOT) -> None:
    """Hold the tag that GitHub builds, if it builds one, against the version and the newest release notes.

    Raises:
        PackageError: they differ.
    """
    if environment.get("GITHUB_REF_TYPE") != "tag":
        return
    tag = environment["GITHUB_REF_NAME"]
    version = _first(r'^__version__ = "(.+)"$', root / "src" / "gatehouse" / "__init__.py")
    notes = _first(r"^## (\d\S*) - ", root / "CHANGELOG.md")
    if tag != f"v{version}":
        raise PackageError(f"the tag is {tag}, but src/gatehouse/__init__.py says {version}; tag v{version}")
    if notes != version:
        raise PackageError(f"the newest notes in CHANGELOG.md are about {notes}; write those of {version}")


def _first(pattern: str, file: Path) -> str | None:
    found = re.search(pattern, file.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else None


def main() -> int:
    """Check and build; the exit status."""
    try:
        check_tag(os.environ)
    except PackageError as error:
        print(f"Nothing was built: {error}.", file=sys.stderr)
        return 1
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    return subprocess.run([sys.executable, "-m", "build", "--no-isolation"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
