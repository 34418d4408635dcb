"""The environment of the local cloud's process, built from scratch so that no user settings reach it.

The emulator and the Lambda workers read many environment variables, and boto3 reads a profile, files under `HOME` and
the instance metadata service. None of these must lead to a real account. So the launcher replaces its environment
before it imports anything that reads it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

REGION = "us-east-1"
ACCOUNT = "000000000000"
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - the emulator's well-known key, not a secret

# Needed to run the interpreter, and nothing more.
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
_KEPT_PREFIX = "GATEHOUSE_"

# The launcher's variables that a Lambda worker sees in addition to the function's own.
WORKER_VARIABLES = frozenset(
    {
        *_KEPT,
        "HOME",
        "TMPDIR",
        "NO_PROXY",
        "PYTHONUTF8",
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_XRAY_DAEMON_ADDRESS",
    }
)


def local_cloud_environment(
    user: Mapping[str, str], *, port: int, data: Path, time_scale: float, auth: bool
) -> dict[str, str]:
    """The launcher's complete environment.

    Args:
        user: the environment the launcher was started with. `PATH`, the locale and `GATEHOUSE_*` are taken from it.
        port: the port of the local cloud on 127.0.0.1.
        data: the launcher's own directory; also `HOME` and `TMPDIR`, so that nothing is read or left elsewhere.
        time_scale: the factor for the waits of Step Functions and everything else that is scaled.
        auth: whether IAM is enforced.
    """
    kept = {name: value for name, value in user.items() if name in _KEPT or name.startswith(_KEPT_PREFIX)}
    return {
        **kept,
        "HOME": str(data),
        "TMPDIR": str(data),
        "PYTHONUTF8": "1",
        "NO_PROXY": "*",
        # numpy's libraries, for the small model: on a busy machine, more threads are slower.
        "OPENBLAS_NUM_THREADS": "1",
        "VECLIB_MAXIMUM_THREADS": "1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Traces go to an unused UDP port, never to a daemon that the user may run for a real account.
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{port}",
        # ministack's settings. A Docker socket that does not exist keeps it from touching the user's containers.
        "AUTH": "true" if auth else "false",
        "DOCKER_HOST": f"unix://{data}/no-docker.sock",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(data / "s3"),
        "STATE_DIR": str(data / "state"),
        "SFN_WAIT_SCALE": repr(time_scale),
    }


def replace_environment(environment: Mapping[str, str]) -> None:
    """Replace this process's environment by `environment`."""
    os.environ.clear()
    os.environ.update(environment)
