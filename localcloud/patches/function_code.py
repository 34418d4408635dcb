"""A function's code is unpacked once, and all its environments run in that folder.

AWS: the environments of a function have the same code, which they can't write.
ministack 1.5.33: unpacks a copy for each worker it starts. Python then compiles every module of it again, and with the
unpacking that is half of the time in which a worker starts.

Replaces `lambda_runtime.zipfile` (only `ZipFile` and the names of errors are used). Python keeps what it compiled in
the shared folder.
"""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from localcloud.patches.foreign_packages import remove_foreign_packages
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.core.lambda_runtime", "zipfile.ZipFile"),
    Seam("ministack.core.lambda_runtime", "Worker._spawn", ("self",)),
)

_FOLDER = "function-code"

_unpacking = Lock()


def install() -> None:
    """Unpack code once."""
    check(SEAMS)
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(zipfile), "ZipFile": _Code})


class _Code(zipfile.ZipFile):
    """A function's package, which is unpacked where others of the same content already are."""

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        """Have the empty folder `path` be a link to the unpacked package."""
        with open(str(self.filename), "rb") as package:
            name = hashlib.file_digest(package, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir()) / _FOLDER / name
        with _unpacking:
            if not shared.is_dir():
                unpacked = shared.with_suffix(".part")
                shutil.rmtree(unpacked, ignore_errors=True)
                super().extractall(unpacked, members, pwd)
                remove_foreign_packages(unpacked)
                unpacked.rename(shared)
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(shared, target_is_directory=True)
