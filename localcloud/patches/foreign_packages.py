"""Packages compiled for Lambda's processor: their place is taken by those of this environment.

AWS: a function's asset holds packages compiled for its runtime and processor.
ministack 1.5.33: the function runs in a process of this machine's Python, which can't load them; and since the asset
comes first on the path, it does not look for others.

So what is compiled for another Python is taken out of the unpacked code, with its whole package. The local cloud's
environment has the same packages, of the same versions (tests/tools/test_set_up.py).
"""

import re
import shutil
import sysconfig
from pathlib import Path

#: A module that was compiled for one Python on one kind of machine (PEP 3149).
_EXTENSION = re.compile(r"\.(cpython|pypy)[^.]*(\.so|\.dylib|\.pyd)$")


def remove_foreign_packages(code: Path) -> list[str]:
    """Take the packages and modules out of a function's code that this Python can't load; returns their names."""
    removed = []
    for entry in sorted(code.iterdir()):
        if entry.is_dir() and any(_is_foreign(path) for path in entry.rglob("*")):
            shutil.rmtree(entry)
        elif _is_foreign(entry):
            entry.unlink()
        else:
            continue
        removed.append(entry.name)
    return removed


def _is_foreign(path: Path) -> bool:
    return _EXTENSION.search(path.name) is not None and not path.name.endswith(sysconfig.get_config_var("EXT_SUFFIX"))
