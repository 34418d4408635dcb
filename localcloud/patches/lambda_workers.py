"""Lambda workers have their own environment and identity, and end with the launcher.

AWS: a function sees its own variables and the runtime's, nothing of a host; an environment that dies is gone.
ministack 1.5.33: the worker process inherits the server's whole environment, talks in the server's locale, can't be
distinguished from another worker of its function, and outlives a server that was killed while its handler ran. It is
started in the folder of its function's code.

Replaces `lambda_runtime.subprocess` (only `Popen` is used) and inserts lines before
`lambda_runtime._PYTHON_WORKER_SCRIPT`.

A worker signs its requests with the credentials of its function's role, which all workers of a function share. To
identify the worker that sent a request, each gets an application id that the AWS SDKs add to `User-Agent`.
"""

import os
import re
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from localcloud.patches.seam import Seam, check
from localcloud.process_environment import WORKER_VARIABLES

SEAMS = (
    Seam("ministack.core.lambda_runtime", "subprocess.Popen"),
    Seam("ministack.core.lambda_runtime", "_PYTHON_WORKER_SCRIPT"),
    Seam("ministack.core.lambda_runtime", "_detect_runtime_binary", ("runtime",)),
    Seam("ministack.core.lambda_runtime", "Worker._spawn", ("self",)),
)

_WORKER_ID = re.compile(r"app/(gatehouse-worker-[0-9a-f]{32})")

# Not every system can signal the parent's death, and Linux's signal depends on the thread that started the process,
# which ministack ends long before the worker.
_END_WITH_LAUNCHER = """
def _end_with_launcher():
    import os, threading, time
    launcher = os.getppid()
    def watch():
        while os.getppid() == launcher:
            time.sleep(1)
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()
_end_with_launcher()
"""


@dataclass(frozen=True, slots=True)
class LambdaWorker:
    """A running execution environment of a Lambda function."""

    function: str
    process: "subprocess.Popen[str]"


_workers: dict[str, LambdaWorker] = {}
_workers_lock = Lock()


def install() -> None:
    """Start Lambda workers in their own environment."""
    check(SEAMS)
    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": _start})
    lambda_runtime._PYTHON_WORKER_SCRIPT = _END_WITH_LAUNCHER + lambda_runtime._PYTHON_WORKER_SCRIPT


def worker_of(user_agent: str) -> LambdaWorker | None:
    """The worker that sent a request with this `User-Agent`; None if it was not a worker."""
    worker = _WORKER_ID.search(user_agent)
    return _workers.get(worker.group(1)) if worker else None


def worker_environment(environment: Mapping[str, str], launcher: Mapping[str, str]) -> dict[str, str]:
    """The part of `environment` for a worker: its own variables, and those of the launcher that it needs to run."""
    return {
        name: value
        for name, value in environment.items()
        if name in WORKER_VARIABLES or launcher.get(name) != value or name in _CREDENTIALS_AND_REGION
    }


# A worker's own values may equal the launcher's.
_CREDENTIALS_AND_REGION = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"})


def _start(command: list[str], *, env: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    worker = f"gatehouse-worker-{uuid.uuid4().hex}"
    process: subprocess.Popen[str] = subprocess.Popen(
        command,
        env={**worker_environment(env, os.environ), "AWS_SDK_UA_APP_ID": worker},
        # A log line the server's locale can't decode would end ministack's reader, and a full pipe the worker.
        **{**options, "encoding": "utf-8", "errors": "replace"},
    )
    with _workers_lock:
        for ended in [name for name, known in _workers.items() if known.process.returncode is not None]:
            del _workers[ended]
        _workers[worker] = LambdaWorker(env["AWS_LAMBDA_FUNCTION_NAME"], process)
    return process
