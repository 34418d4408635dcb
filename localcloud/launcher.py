"""`python -m localcloud.launcher`: runs the local cloud, one process on 127.0.0.1.

It runs ministack as a library, with the patches in `localcloud.patches` and our own Rekognition. IAM is enforced. When
it is ready, it writes one JSON line, `{"endpoint": "http://127.0.0.1:PORT", "pid": ...}`, to standard output. It stops
on SIGTERM, on SIGINT and when the process that started it ends. Its Lambda workers and its files are removed with it.

Do not import ministack, boto3 or a patch here at module level: they read the environment when they are imported, and it
has to be replaced first.
"""

import argparse
import asyncio
import concurrent.futures
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from localcloud.browser_guard import Application, Receive, Scope, Send, guarded
from localcloud.process_environment import local_cloud_environment, replace_environment

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
REKOGNITION_ADMIN_PATH = "/_gatehouse/rekognition"

_PARENT_POLL_SECONDS = 0.5
# Lambda invocations, Step Functions tasks and blocking handlers share the loop's thread pool.
_WORKER_THREADS = 64


@dataclass(frozen=True, slots=True)
class LauncherOptions:
    """The command line's options.

    Attributes:
        port: 0 picks a free one.
        time_scale: the factor for all waiting: the waits and retry pauses of Step Functions, its tasks' waits for their
            tokens, the pauses before asynchronous invocations and streams' batches are retried, the batching windows
            of event source mappings, the visibility timeouts of their queues and the maximum age of their streams'
            records. 1.0 is AWS's own time.
        auth: enforce IAM.
        parent_pid: the local cloud ends when this process ends.
        ready_file: a file for the readiness line, in addition to standard output.
        log_file: a file for the log; without it, only errors are logged, to standard error.
    """

    port: int
    time_scale: float
    auth: bool
    parent_pid: int
    ready_file: Path | None
    log_file: Path | None


def parse_options(arguments: Sequence[str] | None = None) -> LauncherOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m localcloud.launcher", description="Run the local cloud on 127.0.0.1."
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 picks a free port (default: %(default)s)")
    parser.add_argument(
        "--time-scale",
        type=_time_scale,
        default=1.0,
        metavar="FACTOR",
        help="multiplies waiting, not work: the waits, retry pauses and task tokens' timeouts of Step Functions, "
        "batching windows, the visibility timeouts of queues that feed a Lambda function, and the retry pauses and "
        "maximum ages of streams that do; 0.02 turns a minute into 1.2 s (default: %(default)s)",
    )
    parser.add_argument("--no-auth", dest="auth", action="store_false", help="allow everything to everybody")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="also write the readiness line here")
    parser.add_argument("--log-file", type=Path, metavar="PATH", help="log here; otherwise only errors are logged")
    parser.add_argument(
        "--parent-pid", type=int, metavar="PID", help="stop when this process ends (default: the one that started it)"
    )
    parsed = parser.parse_args(arguments)
    return LauncherOptions(
        port=parsed.port,
        time_scale=parsed.time_scale,
        auth=parsed.auth,
        parent_pid=parsed.parent_pid or os.getppid(),
        ready_file=parsed.ready_file,
        log_file=parsed.log_file,
    )


def _time_scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the process is stopped. Returns the exit status; 2 if the port is in use."""
    options = parse_options(arguments)
    try:
        listener = socket.create_server((HOST, options.port), backlog=1024)
    except OSError as error:
        print(
            f"Can't listen on {HOST}:{options.port} ({error.strerror}). Stop the program using it, or use --port 0.",
            file=sys.stderr,
        )
        return 2
    log_file = options.log_file.absolute() if options.log_file else None
    ready_file = options.ready_file.absolute() if options.ready_file else None
    data = Path(tempfile.mkdtemp(prefix="gatehouse-local-cloud-"))
    port = listener.getsockname()[1]
    replace_environment(
        local_cloud_environment(os.environ, port=port, data=data, time_scale=options.time_scale, auth=options.auth)
    )
    tempfile.tempdir = str(data)
    _configure_logging(log_file)
    try:
        asyncio.run(_serve(listener, options.parent_pid, lambda: _announce(port, ready_file)))
    finally:
        _end_workers()
        shutil.rmtree(data, ignore_errors=True)
    # ministack's threads may still wait for a Lambda function or a task token; they no longer matter.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _configure_logging(log_file: Path | None) -> None:
    level = logging.INFO if log_file else logging.ERROR
    handler = logging.FileHandler(log_file) if log_file else logging.StreamHandler()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s [%(name)s] %(message)s", handlers=[handler])


def _announce(port: int, ready_file: Path | None) -> None:
    line = json.dumps({"endpoint": f"http://{HOST}:{port}", "pid": os.getpid()}) + "\n"
    if ready_file:
        unfinished = ready_file.with_name(f".{ready_file.name}.{os.getpid()}")
        unfinished.write_text(line)
        unfinished.replace(ready_file)
    sys.stdout.write(line)
    sys.stdout.flush()


async def _serve(listener: socket.socket, parent_pid: int, announce: Callable[[], None]) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.errorlog = logging.getLogger("hypercorn.error")

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = asyncio.create_task(_stop_with_parent(parent_pid, stop))
    application = _with_lifespan(_application(int(os.environ["GATEWAY_PORT"])), announce)

    async def stopped() -> None:
        await stop.wait()
        # Running invocations would keep their requests, and so the server, open until they end.
        await asyncio.to_thread(_end_workers)

    await serve(cast(Any, application), config, shutdown_trigger=stopped)
    watch.cancel()


async def _stop_with_parent(parent_pid: int, stop: asyncio.Event) -> None:
    is_parent = os.getppid() == parent_pid
    while os.getppid() == parent_pid if is_parent else _exists(parent_pid):
        await asyncio.sleep(_PARENT_POLL_SECONDS)
    stop.set()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def _application(port: int) -> Application:
    from ministack import app as ministack

    from localcloud import patches
    from localcloud.admin_path import at_path
    from localcloud.faults import strikes
    from localcloud.faults.injection import injected
    from localcloud.patches import permission_log
    from localcloud.rekognition import service as rekognition

    patches.install()
    strikes.install()
    application = at_path(permission_log.ADMIN_PATH, permission_log.administer, injected(ministack.app))
    application = at_path(REKOGNITION_ADMIN_PATH, rekognition.handle_admin, application)
    return guarded(application, port)


def _with_lifespan(application: Application, announce: Callable[[], None]) -> Application:
    """Handle the server's lifespan events instead of ministack.

    ministack's own start-up also runs scripts found in `/docker-entrypoint-initaws.d` and `/etc/localstack`, removes
    Docker containers and opens an MQTT port, which users of this repository do not expect.
    """

    async def with_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        while True:
            message: MutableMapping[str, Any] = await receive()
            if message["type"] == "lifespan.startup":
                _start_ministack()
                await send({"type": "lifespan.startup.complete"})
                announce()
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return

    return with_lifespan


def _start_ministack() -> None:
    from ministack import app as ministack
    from ministack.services import eventbridge, scheduler

    loop = asyncio.get_running_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(_WORKER_THREADS, "local-cloud"))
    ministack._MAIN_LOOP = loop
    eventbridge.start_scheduler()
    scheduler.start_scheduler()


def _end_workers() -> None:
    from ministack.core import lambda_runtime

    lambda_runtime.reset()


if __name__ == "__main__":
    sys.exit(main())
