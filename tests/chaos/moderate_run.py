"""A run of `gatehouse moderate`: it is killed, and so are the functions, while others upload.

The objects are there before S3 sends events. Then the command is started, killed at three random points, and gone on
with; batchers, Analyzers and Results die meanwhile; and uploads come, new ones and ones over what is moderated.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from demo.pipeline import DemoUpload
from gatehouse.cli.moderate.moderation import STATE_KEY
from gatehouse.moderation.verdict_item import STATUS, VERSION
from tests.chaos.cloud import TIME_SCALE, put_quietly, queue_urls, sweep
from tests.chaos.strikes import ANALYZER, BATCHER, RESULTS
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

#: Lanes of other priorities than the backfill's, with policies that judge the same picture otherwise.
SETTINGS = """
events: {bus: verdicts}
existing_objects: true
image_engine: {calls_per_second: 15}
lanes:
  default: {policy_overrides: {kids/: strict}}
  chat: {prefixes: [chat/], priority: fast, policy: permissive}
"""
#: Key prefix -> the policy that judges under it.
POLICIES: Final = {"main/": "standard", "kids/": "strict", "chat/": "permissive"}

#: The command's waits are real, and objects may be of just now. Parts are small, so that there are many of them.
CONSTANTS: Mapping[str, float] = {
    "gatehouse.cli.moderate.start_command.HOUR_SECONDS": 0.001,
    "gatehouse.cli.moderate.count_run.PART_SIZE": 20,
    "gatehouse.cli.moderate.send_run.LEAD": 2,
    "gatehouse.cli.moderate.send_run.POLL_SECONDS": 2.0,
    "gatehouse.cli.moderate.send_run.DROPPED_AFTER": 300.0,
}

#: Runs the command, and writes down its calls now and then.
_COUNTED = """
import atexit, collections, json, sys
from gatehouse.cli.connection import Connection
made, target = collections.Counter(), sys.argv.pop(2)
def write():
    with open(target, "w") as file:
        json.dump(made, file)
def note(model, **_):
    made[model.name] += 1
    if made.total() % 100 == 0:
        write()
client_of = Connection.client
def client(self, *arguments, **options):
    client = client_of(self, *arguments, **options)
    client.meta.events.register("before-call", note)
    return client
Connection.client = client
atexit.register(write)
"""

#: A batcher looks up as many objects as on AWS, in a slower cloud; what it leaves behind comes back a few times.
_BATCHER_SECONDS, _VISIBILITY_SECONDS = 60, 20
_SWEEP_SECONDS = 15.0
_KILLS = 3
_DEADLINE_SECONDS = 3_000.0
_IDLE_UPLOADS = 10
_LIVE_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ModerateRun:
    """What became of a run.

    Attributes:
        kills: how far the command was at each kill: its phase, objects counted, sent and ended.
        live: uploads that came meanwhile; `overwrites` are those of moderated keys.
        idle_seconds, busy_seconds: median of upload to verdict, before and during the moderation.
        peak_megabytes: of the command's memory, the largest of all its runs.
        calls: of the command, all runs together, but for the last hundred of a killed one.
    """

    seed: int
    objects: int
    seconds: float
    verdicts: Mapping[str, int]
    kills: Sequence[str]
    struck: int
    live: int
    overwrites: int
    idle_seconds: float
    busy_seconds: float
    peak_megabytes: float
    calls: Mapping[str, int]
    violations: list[str]


@dataclass(slots=True)
class _Live:
    """Uploads with events, each waited for.

    Attributes:
        versions: key -> version ids, in order.
        seconds: from upload to verdict.
    """

    pipeline: Pipeline
    versions: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)

    def upload(self, key: str) -> None:
        """Upload, and wait for the verdict."""
        began = time.monotonic()
        version = self.pipeline.upload(key, CLEAN)
        self.versions[key].append(version)

        def judged() -> bool:
            newest = self.pipeline.verdict(key)
            return newest is not None and newest.get("version_id") == version and newest[STATUS] != "PENDING"

        while not judged():
            if time.monotonic() - began > _DEADLINE_SECONDS:
                return  # it is found missing in the end
            time.sleep(_LOOK_SECONDS)
        self.seconds.append(time.monotonic() - began)


class Command:
    """The command in a process that can be killed; its calls and its memory are counted."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self._folder = folder
        self._terminal = Terminal(pipeline, folder, constants=CONSTANTS)
        self.calls: Counter[str] = Counter()
        self.peak_kilobytes = 0
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, *arguments: str) -> None:
        """Start it."""
        program = _COUNTED + Terminal.WITH_CONSTANTS
        written = json.dumps(CONSTANTS)
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, written, str(self._folder / "calls.json"), *arguments, "--output", "json"],
            cwd=self._folder,
            env=self._terminal.environment,
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "out.json").open("wb"),
            stderr=(self._folder / "err.txt").open("wb"),
        )

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self.wait()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.returncode is None and not self._reaped(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""
        assert self._process
        if self._process.returncode is None:
            self._reaped(0)
        return self._process.returncode

    def told(self) -> str:
        """What it wrote on stderr."""
        return (self._folder / "err.txt").read_text("utf-8", errors="replace")

    def _reaped(self, options: int) -> bool:
        assert self._process
        identity, status, usage = os.wait4(self._process.pid, options)
        if not identity:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_kilobytes = max(self.peak_kilobytes, usage.ru_maxrss)
        calls = self._folder / "calls.json"
        if calls.exists():
            self.calls.update(json.loads(calls.read_text("utf-8") or "{}"))
            calls.unlink()
        return True


def run(pipeline: Pipeline, seed: int, objects: int, folder: Path) -> ModerateRun:
    """Let it happen, wait for the end, and check it."""
    chance, cloud = random.Random(seed), pipeline.cloud
    pipeline.let_run("Batcher", _BATCHER_SECONDS)
    for url in queue_urls(pipeline, "BackfillQueueUrl"):
        visibility = str(round(_VISIBILITY_SECONDS / TIME_SCALE))
        cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": visibility})
    bodies = (BLOCKED, *[CLEAN] * 9)
    keys = [f"{chance.choice([*POLICIES])}{n:07}.jpg" for n in range(objects)]
    old = put_quietly(pipeline, [DemoUpload(key, chance.choice(bodies)) for key in keys])
    idle, live = _Live(pipeline), _Live(pipeline)
    for n in range(_IDLE_UPLOADS):
        idle.upload(f"main/idle-{n}.jpg")
    began = time.monotonic()
    cloud.faults(*_faults(chance))
    command, stop = Command(pipeline, folder), threading.Event()
    uploads = threading.Thread(target=_upload_meanwhile, args=(live, [*old], random.Random(seed + 1), stop))
    kills: list[str] = []
    try:
        # Objects of after this are not listed, so that each of them is an upload of the run, and has an event.
        command.begin("moderate", "start", "--yes", "--min-age", "1")
        time.sleep(1.5)
        uploads.start()
        for point in sorted(chance.uniform(0.02, 0.9) for _ in range(_KILLS)):
            _wait_for(pipeline, command, point * 2 * objects)
            if not command.runs:  # it was too quick
                break
            kills.append(f"{_state(pipeline).get('phase', 'nothing')} {_progress(pipeline)}")
            command.kill()
            command.begin("moderate", "resume" if _state(pipeline) else "start", "--yes")
        end = time.monotonic() + _DEADLINE_SECONDS
        while command.runs and time.monotonic() < end:
            time.sleep(_SWEEP_SECONDS)
            sweep(pipeline)
    finally:
        stop.set()
        if uploads.ident:
            uploads.join()
        if command.runs:
            command.kill()
    told = command.told()
    if len(kills) < _KILLS:
        told += f"; it was killed {len(kills)} times only, so give it more objects"
    found = (
        []
        if command.wait() == 0 and len(kills) == _KILLS
        else [f"the command ended with {command.wait()}: {told[-500:]}"]
    )
    pipeline.wait_until(lambda: not pipeline.pending(), 300, "end of everything")
    struck = sum(fault["fired"] for fault in cloud.all_faults())
    cloud.clear_faults()
    verdicts = pipeline.verdicts()
    found += violations(pipeline, verdicts, old, [live, idle])
    return ModerateRun(
        seed=seed,
        objects=objects,
        seconds=time.monotonic() - began,
        verdicts=Counter(item[STATUS] for item in verdicts),
        kills=kills,
        struck=struck,
        live=sum(map(len, live.versions.values())),
        overwrites=sum(len(versions) for key, versions in live.versions.items() if key in old),
        idle_seconds=median(idle.seconds),
        busy_seconds=median(live.seconds) if live.seconds else 0.0,
        peak_megabytes=command.peak_kilobytes / 1024,
        calls=command.calls,
        violations=found,
    )


def violations(
    pipeline: Pipeline, items: Sequence[Mapping[str, Any]], old: Mapping[str, str], uploads: Sequence[_Live]
) -> list[str]:
    """What is not as it has to be, a sentence each."""
    found = []
    by_key: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        by_key[item["key"]].append(item)
    newest = dict(old)
    for live in uploads:
        newest |= {key: versions[-1] for key, versions in live.versions.items()}
    stored = Counter(old.keys())
    for live in uploads:
        stored.update({key: len(versions) for key, versions in live.versions.items()})
    analyzed = pipeline.analyzed()
    for key, version in newest.items():
        entries = by_key.get(key, [])
        versions = Counter(item.get("version_id") for item in entries)
        if key in old and versions[old[key]] != 1:
            found.append(f"{key}: {versions[old[key]]} verdicts of what was there before")
        if any(count > 1 for count in versions.values()):
            found.append(f"{key}: a version has two verdicts")
        if entries and max(entries, key=lambda item: str(item[VERSION])).get("version_id") != version:
            found.append(f"{key}: its newest version is hidden")
        if analyzed.get(key, 0) != stored[key]:
            found.append(f"{key}: {stored[key]} versions, {analyzed.get(key, 0)} analyses paid")
        expected = next(policy for prefix, policy in POLICIES.items() if key.startswith(prefix))
        judged_by = {item["policy"]["name"] for item in entries if item.get("policy")}
        if judged_by != {expected}:
            found.append(f"{key}: judged by {judged_by or 'no policy'}, not {expected}")
    return found


def _faults(chance: random.Random) -> list[dict[str, object]]:
    """Kills of functions at calls where nothing is paid twice for: never between an answer of Rekognition's and its
    being written down."""
    places = (
        (BATCHER, "states:StartExecution", "before"),
        (BATCHER, "dynamodb:TransactWriteItems", "after"),
        (BATCHER, "dynamodb:Query", "before"),
        (ANALYZER, "states:SendTaskSuccess", "before"),
        (RESULTS, "dynamodb:TransactWriteItems", "after"),
    )
    return [
        {"caller": caller, "call": call, "when": when, "nth": chance.randint(1, 3)} for caller, call, when in places
    ]


def _upload_meanwhile(live: _Live, old: Sequence[str], chance: random.Random, stop: threading.Event) -> None:
    """New objects, and every third time one over what is moderated."""
    n = 0
    while not stop.wait(_LIVE_PAUSE_SECONDS):
        n += 1
        live.upload(chance.choice(old) if n % 3 == 0 else f"main/live-{n}.jpg")


def _state(pipeline: Pipeline) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(pipeline.work_object(STATE_KEY))
    except pipeline.cloud.client("s3").exceptions.NoSuchKey:
        return {}
    return state


def _progress(pipeline: Pipeline) -> int:
    """Objects counted, and those that ended: twice the number of objects in the end."""
    state = _state(pipeline)
    return int(state.get("listed", 0)) + int(state.get("done", 0))


def _wait_for(pipeline: Pipeline, command: Command, progress: float) -> None:
    end = time.monotonic() + _DEADLINE_SECONDS
    while command.runs and _progress(pipeline) < progress and time.monotonic() < end:
        time.sleep(0.2)
