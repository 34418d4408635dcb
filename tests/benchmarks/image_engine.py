"""How the image engine does: `python -m tests.benchmarks.image_engine rate|auto|kill|fast|flood|poison`.

Everything runs on the local cloud, whose Rekognition and machine are none of AWS's. So what is printed are counts, and
ratios of two things measured here: of a rate to the one that was permitted, of a latency to the same one idle.
"""

import argparse
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from demo.pipeline import DemoUpload
from demo.synthesis import synthesize
from gatehouse.configuration.call_rate import CallRate
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.cloud import LocalCloud
from tests.e2e.images import BLOCKED, CLEAN, REVIEW, image
from tests.e2e.pipeline import Pipeline

#: Calls a second that the local Rekognition permits and Gatehouse is set to, if nothing else is said.
CALLS_PER_SECOND = 50

#: Latency of a call, so that calls overlap.
DETECT_SECONDS = 0.3

_LOOK_SECONDS = 0.5


#: Uploads that surely fit the 6 MB of one batch's messages.
_ONE_BATCH = 3_000


@contextmanager
def deployed(settings: str, calls_per_second: float, **switches: object) -> Iterator[Pipeline]:
    """A pipeline by these settings, on an account with this quota."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-benchmark-") as folder:
        file, assembly = Path(folder) / "gatehouse.yaml", Path(folder) / "cdk.out"
        file.write_text(settings, "utf-8")
        synthesize(assembly, settings=file)
        with LocalCloud.start() as cloud:
            pipeline = Pipeline(cloud, cloud.deploy(assembly))
            quota = {"DetectModerationLabels": calls_per_second}
            cloud.rekognition(requests_per_second=quota, detect_seconds=DETECT_SECONDS, **switches)
            yield pipeline


def calls(pipeline: Pipeline) -> Counter[str]:
    """Calls of DetectModerationLabels so far, by their answers."""
    return Counter(pipeline.cloud.rekognition_counters()["calls"].get("DetectModerationLabels", {}))


def has_settled(pipeline: Pipeline, machine: str = "StateMachineArn") -> bool:
    """Whether no upload waits for its batch, and no batch for its verdicts."""
    return pipeline.queued() == 0 and not pipeline.executions("RUNNING", machine)


def statuses(verdicts: Sequence[Mapping[str, Any]]) -> str:
    """Verdicts by status and engine, as text."""
    counts = Counter((item[STATUS], item.get("engine", "no engine")) for item in verdicts)
    return ", ".join(f"{count} {status} ({engine})" for (status, engine), count in sorted(counts.items()))


def rate(uploads: int, calls_per_second: float, batch_size: int) -> None:
    """How much of the permitted rate is used while there is enough to do, and whether throttling costs a verdict."""
    settings = (
        f"image_engine: {{calls_per_second: {calls_per_second}}}\n"
        f"lanes: {{default: {{engine: image, max_wait: 300, batch_size: {batch_size}}}}}\n"
    )
    with deployed(settings, calls_per_second) as pipeline:
        with pipeline.gathered():
            pipeline.upload_many(DemoUpload(f"{n:05}.jpg", BLOCKED if n % 10 == 0 else CLEAN) for n in range(uploads))
        answered: list[tuple[float, int]] = []
        while not answered or answered[-1][1] < uploads:
            time.sleep(_LOOK_SECONDS)
            answered.append((time.monotonic(), calls(pipeline)["OK"]))
        pipeline.wait_until(lambda: has_settled(pipeline), 300, "the last verdicts")
        verdicts = pipeline.verdicts()
        answers = calls(pipeline)
        batches = len(pipeline.executions())
    steady = [look for look in answered if 0.1 * uploads <= look[1] <= 0.9 * uploads]
    (began, first), (ended, last) = steady[0], steady[-1]
    ratio = (last - first) / (ended - began) / calls_per_second
    refused = sum(count for answer, count in answers.items() if answer != "OK")
    print(f"{uploads} uploads in {batches} batches, all open at once")
    print(f"  calls OK / permitted, between the first and the last tenth: {ratio:.1%}")
    print(f"  calls refused / calls: {refused / answers.total():.2%}; calls: {dict(answers)}")
    print(f"  verdicts: {statuses(verdicts)}; FAILED: {sum(item[STATUS] == Status.FAILED for item in verdicts)}")


def auto(uploads: int, calls_per_second: float, seed: int) -> None:
    """Whether `auto` on an account without Bulk Analysis ends as `bulk` does on an account with it."""
    bodies = _assorted(uploads, random.Random(seed))
    found: dict[str, dict[str, Any]] = {}
    for engine, refusal in ((Engine.BULK, False), (Engine.AUTO, "closed")):
        settings = (
            f"image_engine: {{calls_per_second: {calls_per_second}}}\n"
            f"lanes: {{default: {{engine: {engine}, max_wait: 300}}}}\n"
        )
        with deployed(settings, calls_per_second, refuse_bulk=refusal) as pipeline:
            with pipeline.gathered():
                pipeline.upload_many(DemoUpload(key, body) for key, body in bodies.items())
            pipeline.wait_until(partial(has_settled, pipeline), 1200, "all verdicts")
            verdicts = pipeline.verdicts()
            jobs = pipeline.cloud.rekognition_counters()["jobs_started"]
            paid = sum(pipeline.analyzed().values())
            flags = len({flag["id"] for flag in pipeline.flags()})
        found[engine] = {item["key"]: _essence(item) for item in verdicts}
        print(f"engine {engine}, Bulk Analysis {'closed' if refusal else 'open'}: {len(verdicts)} verdicts")
        print(f"  {statuses(verdicts)}; {flags} flags; {jobs} jobs, {paid} images paid")
    same = sum(found[Engine.BULK].get(key) == found[Engine.AUTO].get(key) for key in bodies)
    print(f"the same verdict, reasons, labels and error's code (seed {seed}): {same} of {uploads}")
    for key in [key for key in bodies if found[Engine.BULK].get(key) != found[Engine.AUTO].get(key)][:5]:
        print(f"  {key}: {found[Engine.BULK].get(key)} / {found[Engine.AUTO].get(key)}")


def kill(uploads: int, calls_per_second: float, kills: int, seed: int) -> None:
    """What Analyzers that die at random points cost: nothing lost, and a chunk paid again for each at most."""
    settings = (
        f"image_engine: {{calls_per_second: {calls_per_second}}}\n"
        "lanes: {default: {engine: image, max_wait: 300, batch_size: 1000}}\n"
    )
    chance, chunk = random.Random(seed), CallRate(calls_per_second).chunk_size
    points = ("rekognition:DetectModerationLabels", "s3:PutObject", "states:SendTaskSuccess", "s3:GetObject")
    with deployed(settings, calls_per_second) as pipeline:
        with pipeline.gathered():
            pipeline.upload_many(DemoUpload(f"{n:05}.jpg", BLOCKED if n % 10 == 0 else CLEAN) for n in range(uploads))
        died: Counter[str] = Counter()
        while not has_settled(pipeline):
            if not pipeline.cloud.armed_faults() and died.total() < kills:
                call, when = chance.choice(points), chance.choice(("before", "after"))
                nth = chance.randint(1, chunk if call.startswith("rekognition") else 2)
                fault = {"caller": "Analyzer", "call": call, "when": when, "nth": nth, "action": "kill"}
                pipeline.cloud.clear_faults()
                pipeline.cloud.faults(fault)
                died[f"{when} {call}"] += 1
            time.sleep(_LOOK_SECONDS)
        left = pipeline.cloud.armed_faults()
        verdicts = pipeline.wait_for_verdicts(uploads, deadline=300)
        flags = {flag["object"]["key"] for flag in pipeline.flags()}
        pipeline.wait_until(lambda: pipeline.queued("ChunkQueueUrl") == 0, 300, "an empty chunk queue")
        paid = pipeline.analyzed()
    again = sum(paid.values()) - len(paid)
    expected = {f"{n:05}.jpg": Status.BLOCKED if n % 10 == 0 else Status.APPROVED for n in range(uploads)}
    right = sum(item[STATUS] == expected[item["key"]] for item in verdicts)
    dead = died.total() - len(left)
    print(f"{uploads} uploads, {dead} Analyzers killed (seed {seed}): {dict(died)}, of which not fired: {len(left)}")
    print(f"  verdicts: {statuses(verdicts)}; right: {right} of {uploads}")
    print(f"  flags: {len(flags)} of {sum(status is Status.BLOCKED for status in expected.values())}")
    print(f"  analyses / uploads: {sum(paid.values()) / uploads:.3f}; paid again: {again}, {again / dead:.1f} a kill")
    print(f"  most often paid for one upload: {max(paid.values())}; a chunk has {chunk} uploads at most")


def fast(uploads: int, calls_per_second: float, rounds: int) -> None:
    """What a running backfill does to the time until a fast upload's verdict."""
    settings = (
        f"image_engine: {{calls_per_second: {calls_per_second}}}\n"
        "lanes:\n"
        "  default: {prefixes: [backfill/], priority: backfill, engine: image, max_wait: 300}\n"
        "  fast: {prefixes: [fast/], priority: fast}\n"
    )
    with deployed(settings, calls_per_second) as pipeline:
        _latency(pipeline, "fast/first.jpg")  # starts the functions
        idle = [_latency(pipeline, f"fast/idle-{n}.jpg") for n in range(rounds)]
        with pipeline.gathered():
            pipeline.upload_many(DemoUpload(f"backfill/{n:05}.jpg", CLEAN) for n in range(uploads))
        pipeline.wait_until(lambda: len(pipeline.analyzed("backfill/")) > uploads // 100, 300, "the backfill to run")
        began = len(pipeline.analyzed("backfill/"))
        busy = [_latency(pipeline, f"fast/busy-{n}.jpg") for n in range(rounds)]
        ended = len(pipeline.analyzed("backfill/"))
        running = len(pipeline.executions("RUNNING"))
    ratio = statistics.median(busy) / statistics.median(idle)
    print(f"a fast upload's time to its verdict, medians of {rounds}, with a backfill of {uploads} / idle: {ratio:.2f}")
    print(f"  slowest with backfill / median idle: {max(busy) / statistics.median(idle):.2f}")
    print(f"  slowest idle / median idle: {max(idle) / statistics.median(idle):.2f}")
    print(f"  backfill meanwhile: from image {began} to {ended} of {uploads}, {running} executions running at the end")


def flood(uploads: int, calls_per_second: float, rounds: int) -> None:
    """What a flood under one prefix does to the time until other uploads of the same lane have their verdict.

    All arrive within a batching window, as on AWS; here they could not be made as fast.
    """
    settings = (
        f"image_engine: {{calls_per_second: {calls_per_second}}}\nlanes: {{default: {{engine: image, max_wait: 60}}}}\n"
    )
    quiet = [f"users/{n}/busy.jpg" for n in range(rounds)]
    with deployed(settings, calls_per_second) as pipeline:
        _latency(pipeline, "users/0/first.jpg")  # starts the functions
        idle = [_latency(pipeline, f"users/{n}/idle.jpg") for n in range(rounds)]
        with pipeline.gathered():
            for n, key in enumerate(quiet):
                pipeline.upload_many(DemoUpload(f"flood/{n}/{m:04}.jpg", CLEAN) for m in range(uploads // rounds))
                pipeline.upload(key, CLEAN)
        began = time.monotonic()
        busy: dict[str, float] = {}
        while len(busy) < rounds:
            for key in quiet:
                item = pipeline.verdict(key)
                if key not in busy and item is not None and item[STATUS] != Status.PENDING:
                    busy[key] = time.monotonic() - began
            time.sleep(0.05)
        pipeline.wait_until(partial(has_settled, pipeline), 1200, "the end of the flood")
        whole = time.monotonic() - began
        batches = Counter(item["batch_id"] for item in pipeline.verdicts("flood/"))
    usual, p95 = statistics.median(idle), sorted(busy.values())[math.ceil(0.95 * rounds) - 1]
    print(f"{rounds} quiet uploads in a flood of {uploads} under one prefix: time to the verdict")
    print(f"  p95 / median idle: {p95 / usual:.1f}; p95 / the whole flood's: {p95 / whole:.2f}")
    print(f"  the flood's batches by size: {sorted(batches.values(), reverse=True)}")


def poison(uploads: int, calls_per_second: float, rounds: int) -> None:
    """What one image that Rekognition always fails on costs the others of its batch."""
    settings = (
        f"image_engine: {{calls_per_second: {calls_per_second}}}\nlanes: {{default: {{engine: image, max_wait: 1}}}}\n"
    )
    with deployed(settings, calls_per_second) as pipeline:
        _batch_latency(pipeline, "warm", uploads)
        alone = [_batch_latency(pipeline, f"alone-{n}", uploads - 1) for n in range(rounds)]
        poisoned = [f"beside-{n}/poison.jpg" for n in range(rounds)]
        pipeline.cloud.rekognition(fail_images=poisoned)
        beside = [_batch_latency(pipeline, f"beside-{n}", uploads - 1, poisoned[n]) for n in range(rounds)]
        pipeline.wait_until(partial(has_settled, pipeline), 600, "the end of the last pass")
        failed = sum(item[STATUS] == Status.FAILED for item in pipeline.verdicts())
        answers = calls(pipeline)
    ratios = [each / statistics.median(alone) for each in beside]
    print(f"time to the verdicts of {uploads - 1} uploads, beside one that always fails / alone, {rounds} rounds:")
    print(f"  median {statistics.median(ratios):.2f}, slowest {max(ratios):.2f}")
    print(f"  FAILED: {failed} of {rounds}, after {answers['InternalServerError'] / rounds:.1f} calls each")


def _batch_latency(pipeline: Pipeline, name: str, uploads: int, *beside: str) -> float:
    """Seconds from some uploads of one batch to the last of their verdicts; those beside them are not waited for."""
    wanted = {f"{name}/{n:03}.jpg" for n in range(uploads)}
    began = time.monotonic()
    with pipeline.gathered():
        pipeline.upload_many(DemoUpload(key, CLEAN) for key in (*wanted, *beside))
    while wanted - {item["key"] for item in pipeline.verdicts() if item[STATUS] != Status.PENDING}:
        time.sleep(0.02)
    return time.monotonic() - began


def _latency(pipeline: Pipeline, key: str) -> float:
    """Seconds from an upload to its final verdict."""
    began = time.monotonic()
    pipeline.upload(key, BLOCKED)
    while (item := pipeline.verdict(key)) is None or item[STATUS] == Status.PENDING:
        if time.monotonic() - began > 300:
            raise AssertionError(f"no verdict for {key}")
        time.sleep(0.02)
    assert item[STATUS] == Status.BLOCKED, item
    return time.monotonic() - began


def _assorted(uploads: int, chance: random.Random) -> dict[str, bytes]:
    """Images that each rule of the policy has something to say about, and some that nobody can analyze."""
    kinds = [CLEAN, BLOCKED, REVIEW, image("Smoking", 55.0), image("Weapons", 45.0), b"not an image", CLEAN[:40], b""]
    weights = [60, 8, 8, 8, 8, 4, 3, 1]
    return {f"{n:05}.jpg": body for n, body in enumerate(chance.choices(kinds, weights, k=uploads))}


def _essence(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a verdict says, whoever analyzed the image."""
    said = {name: item.get(name) for name in (STATUS, "reasons", "labels", "content_types", "policy")}
    return {**said, "error": item.get("error", {}).get("code")}


def main() -> None:
    """Run one benchmark, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.image_engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", help="all of them, if none is named")
    defaults = {"rate": 10_000, "auto": 10_000, "kill": 3_000, "fast": 10_000, "flood": 10_000, "poison": 25}
    parsers = {name: commands.add_parser(name) for name in defaults}
    for name, uploads in defaults.items():
        parsers[name].add_argument("--uploads", type=int, default=uploads)
        parsers[name].add_argument("--calls-per-second", type=float, default=CALLS_PER_SECOND)
    parsers["auto"].add_argument("--seed", type=int, default=1)
    parsers["kill"].add_argument("--seed", type=int, default=1)
    parsers["kill"].add_argument("--kills", type=int, default=20)
    parsers["fast"].add_argument("--rounds", type=int, default=15)
    parsers["flood"].add_argument("--rounds", type=int, default=10)
    parsers["poison"].add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for options in [asked] if asked.command else [parser.parse_args([name]) for name in defaults]:
        _run(options)


def _run(options: argparse.Namespace) -> None:
    if options.command == "rate":
        for uploads, batch_size in ((_ONE_BATCH, 10_000), (options.uploads, options.uploads // 10)):
            rate(uploads, options.calls_per_second, batch_size)
    elif options.command == "auto":
        auto(options.uploads, options.calls_per_second, options.seed)
    elif options.command == "kill":
        kill(options.uploads, options.calls_per_second, options.kills, options.seed)
    else:
        measure = {"fast": fast, "flood": flood, "poison": poison}[options.command]
        measure(options.uploads, options.calls_per_second, options.rounds)


if __name__ == "__main__":
    main()
