"""The launcher as a process: what it takes from its surroundings, and what it leaves behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.localcloud.workbench import Workbench, eventually

_ROOT = Path(__file__).parents[2]
# What a user who works with AWS has in the shell.
_USER = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAUSER",
    "AWS_SECRET_ACCESS_KEY": "user-secret",
    "AWS_SESSION_TOKEN": "user-token",
    "AWS_ENDPOINT_URL": "https://example.com",
    "AWS_CA_BUNDLE": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "DATABASE_PASSWORD": "user-password",
}


@contextlib.contextmanager
def launched(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A launcher whose files all lie under `folder`, and its endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud.launcher", "--port", "0", *arguments],
        cwd=_ROOT,
        env={**os.environ, **_USER, "TMPDIR": str(folder), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        yield process, ready["endpoint"]
    finally:
        process.kill()
        process.communicate()


def running_function(endpoint: str, source: str) -> Any:
    """What a new function, now warm, returned."""
    workbench = Workbench(endpoint)
    return workbench.invoke(workbench.function(textwrap.dedent(source)), {})


PID_FUNCTION = "import os\ndef handler(event, context): return os.getpid()"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split() if Path("/proc").is_dir() else True


def test_nothing_of_the_users_environment_reaches_a_function(tmp_path: Path) -> None:
    with launched(tmp_path) as (_, endpoint):
        seen = running_function(endpoint, "import os\ndef handler(event, context): return dict(os.environ)")
    assert not {name for name in _USER if seen.get(name) == _USER[name]}
    assert seen["AWS_ENDPOINT_URL"] == endpoint
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert Path(seen["HOME"]) != Path.home()


def test_a_function_sees_none_of_the_emulators_settings(tmp_path: Path) -> None:
    with launched(tmp_path) as (_, endpoint):
        seen = running_function(endpoint, "import os\ndef handler(event, context): return sorted(os.environ)")
    assert not {"AUTH", "GATEWAY_PORT", "SFN_WAIT_SCALE", "DOCKER_HOST", "PYTHONPATH"} & set(seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_launcher_its_workers_and_its_files(tmp_path: Path, number: signal.Signals) -> None:
    with launched(tmp_path) as (process, endpoint):
        worker = running_function(endpoint, PID_FUNCTION)
        assert alive(worker)
        process.send_signal(number)
        assert process.wait(10) == 0
    eventually(lambda: not alive(worker))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_launcher_takes_its_workers_along(tmp_path: Path) -> None:
    endless = """
        import os, threading, time
        def handler(event, context):
            threading.Thread(target=lambda: time.sleep(600)).start()
            return os.getpid()
    """
    with launched(tmp_path) as (process, endpoint):
        worker = running_function(endpoint, endless)
        process.kill()
        process.wait(10)
        eventually(lambda: not alive(worker))


def test_the_launcher_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    parent = """
        import subprocess, sys, time
        process = subprocess.Popen([sys.executable, "-m", "localcloud.launcher", "--port", "0"], stdout=subprocess.PIPE)
        print(process.stdout.readline().decode(), end="", flush=True)
        time.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(parent)],
        cwd=_ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        worker = running_function(ready["endpoint"], PID_FUNCTION)
    finally:
        process.kill()
        process.communicate()
    eventually(lambda: not alive(ready["pid"]))
    eventually(lambda: not alive(worker))
    assert list(tmp_path.iterdir()) == []


def test_the_launcher_ends_with_a_process_it_is_told_of(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        try:
            with launched(tmp_path, "--parent-pid", str(other.pid)) as (process, _):
                other.kill()
                other.wait()
                assert process.wait(10) == 0
        finally:
            other.kill()


def test_a_taken_port_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "localcloud.launcher", "--port", str(port)],
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_ready_file_has_the_line_of_standard_output(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    with launched(tmp_path, "--ready-file", str(ready_file)) as (process, endpoint):
        assert json.loads(ready_file.read_text()) == {"endpoint": endpoint, "pid": process.pid}


def test_without_auth_everybody_may_do_everything(tmp_path: Path) -> None:
    with launched(tmp_path, "--no-auth") as (_, endpoint):
        session = boto3.Session(aws_access_key_id="AKIANOBODY", aws_secret_access_key="x", region_name="us-east-1")
        assert session.client("sqs", endpoint_url=endpoint).list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},  # an image on a page
        {"Sec-Fetch-Site": "same-origin"},  # a script of an HTML file in a bucket
        {"Host": "example.com"},
        {"Host": "example.com:{port}"},
        {"Host": "127.0.0.1.example.com:{port}"},
        {"Host": "localhost:{port}.example.com"},
        {"Host": ""},
    ],
    ids=str,
)
def test_requests_of_web_pages_are_refused(workbench: Workbench, headers: dict[str, str]) -> None:
    port = workbench.endpoint.rpartition(":")[2]
    sent = {name: value.replace("{port}", port) for name, value in headers.items()}
    request = urllib.request.Request(f"{workbench.endpoint}/health", headers=sent)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=5)
    assert refusal.value.code == 403


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}], ids=str)
def test_requests_of_programs_and_of_the_address_bar_are_served(workbench: Workbench, headers: dict[str, str]) -> None:
    request = urllib.request.Request(f"{workbench.endpoint}/health", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def test_only_the_loopback_interface_is_listened_on(workbench: Workbench) -> None:
    port = int(workbench.endpoint.rsplit(":", 1)[1])
    # Every 127.x.y.z address is loopback, but only 127.0.0.1 is bound.
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=2):
        pass
