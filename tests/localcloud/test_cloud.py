"""Starting and stopping the local cloud: nothing may be left, however its user ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.synthesis import ROOT
from localcloud.cloud import CloudError, LocalCloud, PortTakenError


def is_listening(endpoint: str) -> bool:
    host, _, port = endpoint.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def wait_until_gone(endpoint: str) -> None:
    deadline = time.monotonic() + 30
    while is_listening(endpoint):
        assert time.monotonic() < deadline, f"{endpoint} still answers"
        time.sleep(0.05)


def test_two_clouds_run_at_once_on_ports_of_their_own_and_share_nothing() -> None:
    with LocalCloud.start() as one, LocalCloud.start() as two:
        one.client("s3").create_bucket(Bucket="only-in-one")

        assert one.endpoint != two.endpoint
        assert two.client("s3").list_buckets()["Buckets"] == []


def test_a_stopped_cloud_leaves_neither_process_nor_file() -> None:
    with LocalCloud.start() as cloud:
        endpoint, folder = cloud.endpoint, cloud.log.parent
        assert is_listening(endpoint)

    assert not is_listening(endpoint)
    assert not folder.exists()


def test_a_cloud_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "from localcloud.cloud import LocalCloud\nimport time\n"
        "with LocalCloud.start() as cloud:\n    print(cloud.endpoint, flush=True)\n    time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        endpoint = owner.stdout.readline().strip()
        assert is_listening(endpoint)
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()

    wait_until_gone(endpoint)


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} is taken"), LocalCloud.start(port=port):
            pass


def test_a_cloud_that_does_not_start_says_what_its_log_ended_with() -> None:
    environment = {"GATEHOUSE_REKOGNITION_NO_SUCH_SETTING": "1"}

    no_such_setting = pytest.raises(CloudError, match="GATEHOUSE_REKOGNITION_NO_SUCH_SETTING")
    with no_such_setting, LocalCloud.start(environment=environment):
        pass
