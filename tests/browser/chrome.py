"""A real browser: the one that CHROME names, the packaged Chromium, or an installed Chrome."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from demo.synthesis import ROOT

UNPACKED = ROOT / ".cache" / "chromium"
AXE = ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"

#: Finds the fonts of the machine, and those of the package where the machine has none.
_FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--no-zygote", "--disable-dev-shm-usage")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser without a window.

    Args:
        folder: for what it needs to write.
    """
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(**_how(folder))
        try:
            yield found
        finally:
            found.close()


def _how(folder: Path) -> dict[str, Any]:
    if named := os.environ.get("CHROME"):
        return {"executable_path": named, "args": list(_OPTIONS)}
    if sys.platform != "linux":
        return {"channel": "chrome"}
    assert (UNPACKED / "chromium").is_file(), "Chromium is missing: python3 -m tools.set_up browser"
    fonts = folder / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=UNPACKED / "fonts", cache=folder / "fonts"), "utf-8")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(fonts),
    }
    return {"executable_path": str(UNPACKED / "chromium"), "args": list(_OPTIONS), "env": environment}
