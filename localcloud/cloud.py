"""The local cloud as a context manager: starts it, deploys to it, calls it, and always stops it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.deployer import Outputs, deploy
from localcloud.endpoint import local_client

# A fiftieth of AWS's waits, so that a verdict takes seconds. Real waits would say nothing about AWS either.
TIME_SCALE = 0.02

_ROOT = Path(__file__).resolve().parent.parent
_START_DEADLINE_SECONDS = 60.0
_STOP_DEADLINE_SECONDS = 10.0
_POLL_SECONDS = 0.02
_LOG_TAIL_LINES = 30
_STATUS_PORT_TAKEN = 2  # the launcher's exit status

# The launcher sees only these variables of the caller's environment: none with AWS credentials or settings.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE")


class CloudError(Exception):
    """The local cloud did not start, or refused an administrative request; the message says why."""


class PortTakenError(CloudError):
    """Another program uses the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken by another program")


class LocalCloud:
    """A running local cloud, from `LocalCloud.start`. Threads can share the clients that it returns."""

    def __init__(self, endpoint: str, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.endpoint = endpoint
        self.log = log
        self._process = process
        self._clients: dict[str, Any] = {}

    @classmethod
    @contextlib.contextmanager
    def start(
        cls, port: int = 0, time_scale: float = TIME_SCALE, environment: Mapping[str, str] | None = None
    ) -> Iterator["LocalCloud"]:
        """Run the launcher (IAM enforced, this machine only) until the block ends, and then delete all its files.

        `port` 0 picks a free one. `time_scale` multiplies all waiting (`localcloud.launcher.LauncherOptions`), but not
        work. `environment` adds variables for the launcher, such as GATEHOUSE_REKOGNITION_*.
        Raises PortTakenError, or CloudError with the end of its log if it is not ready within a minute.
        """
        with tempfile.TemporaryDirectory(prefix="gatehouse-", ignore_cleanup_errors=True) as folder:
            work = Path(folder)
            ready_file, log = work / "ready.json", work / "launcher.log"
            options = ["--port", str(port), "--time-scale", str(time_scale), "--parent-pid", str(os.getpid())]
            files = ["--ready-file", str(ready_file), "--log-file", str(log)]
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "localcloud.launcher", *options, *files],
                    cwd=work,
                    env=_launcher_environment(work, environment or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # we handle Ctrl-C, and can end its Lambdas as one group
                )
            try:
                yield cls(_wait_until_ready(process, port, ready_file, log), log, process)
            finally:
                _stop(process)

    def wait(self) -> int:
        """Block until the local cloud ends by itself; returns its exit status."""
        return self._process.wait()

    def client(self, service: str, connections: int = 10) -> Any:
        """A boto3 client of `service` as the cloud's administrator; always the same one."""
        key = f"{service}/{connections}"
        if key not in self._clients:
            self._clients[key] = local_client(service, self.endpoint, connections=connections)
        return self._clients[key]

    def deploy(self, assembly: Path, on_progress: Callable[[str], None] | None = None) -> Outputs:
        """Deploy the cloud assembly in folder `assembly`; returns stack name -> outputs. Raises as `deploy` does."""
        return deploy(assembly, self.endpoint, on_progress=on_progress)

    def faults(self, *faults: Mapping[str, object]) -> None:
        """Arm each of `faults` (fields: see `localcloud.faults.call_fault` and `localcloud.faults.delivery_fault`)."""
        for fault in faults:
            self._administer("POST", "/_gatehouse/faults", fault)

    def armed_faults(self) -> list[dict[str, Any]]:
        """The faults that are still armed, with how many times they have struck (`fired`)."""
        return [fault for fault in self.all_faults() if fault["fired"] < fault["times"]]

    def all_faults(self) -> list[dict[str, Any]]:
        """All faults armed since they were last cleared, with how many times each has struck (`fired`)."""
        faults: list[dict[str, Any]] = self._administer("GET", "/_gatehouse/faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._administer("DELETE", "/_gatehouse/faults")

    def record_permissions(self) -> None:
        """Begin to record IAM's decisions; earlier records are deleted."""
        self._administer("POST", "/_gatehouse/permissions", {})

    def permission_decisions(self) -> list[dict[str, Any]]:
        """IAM's decisions since `record_permissions`: caller, action, resource, allowed, count.

        The caller is a role's or user's name; more in `localcloud.patches.permission_log`.
        """
        decisions: list[dict[str, Any]] = self._administer("GET", "/_gatehouse/permissions")["decisions"]
        return decisions

    def stop_recording_permissions(self) -> None:
        """Stop recording, and delete the records."""
        self._administer("DELETE", "/_gatehouse/permissions")

    def rekognition(self, **settings: object) -> None:
        """Change how the local Rekognition behaves, e.g. `concurrent_jobs=1` (see `localcloud.rekognition.service`)."""
        self._administer("POST", "/_gatehouse/rekognition", settings)

    def reset_rekognition(self) -> None:
        """Reset the local Rekognition's settings to those at its start."""
        self._administer("DELETE", "/_gatehouse/rekognition")

    def rekognition_counters(self) -> dict[str, Any]:
        """The local Rekognition's counters: jobs started, and images analyzed by source reference."""
        counters: dict[str, Any] = self._administer("GET", "/_gatehouse/rekognition")
        return counters

    def _administer(self, method: str, path: str, document: Mapping[str, object] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the endpoint is the loopback address of our own process
            self.endpoint + path,
            method=method,
            data=None if document is None else json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            raise CloudError(
                f"{method} {path} {document}: {error.code} {error.read().decode(errors='replace')}"
            ) from None
        return json.loads(answer) if answer else None


def _launcher_environment(work: Path, additions: Mapping[str, str]) -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {"PYTHONPATH": str(_ROOT), "TMPDIR": str(work)} | dict(additions)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, ready_file: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if ready_file.is_file():
            endpoint: str = json.loads(ready_file.read_text(encoding="utf-8"))["endpoint"]
            return endpoint
        if process.poll() == _STATUS_PORT_TAKEN:
            raise PortTakenError(port)
        if process.poll() is not None:
            raise CloudError(f"the local cloud stopped with status {process.returncode}:\n{_tail(log)}")
        time.sleep(_POLL_SECONDS)
    raise CloudError(f"the local cloud was not ready after {_START_DEADLINE_SECONDS:.0f} seconds:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the launcher, and any of its processes that are still running."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_STOP_DEADLINE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
