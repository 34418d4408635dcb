"""Whether both engines give pictures of ten formats the same verdicts, with every frame accounted for.

    python -m tests.benchmarks.formats [--uploads 1000]

deploys a lane for each engine on the local cloud, with IAM enforced, uploads the same pictures to both, and compares:
the statuses with what is planted, the engines with each other, frames and renditions with the files, and the analyses
that were paid with one a frame. A frame may be paid for once more only for a call whose answer the Analyzer did not
get: on a busy machine some take longer than it waits. Prints a table and every difference; exit status 1 if there is
one.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.pipeline import DemoUpload
from demo.synthesis import synthesize
from gatehouse.contracts.function_metrics import AnalyzerMetric
from gatehouse.moderation.status import Status
from localcloud.cloud import LocalCloud
from localcloud.rekognition.planted_labels import plant
from tests.e2e.pipeline import Pipeline
from tests.unit.lambdas.drawn_pictures import animated, drawn, frames, heic, written

_SETTINGS: Final = """
image_engine: {calls_per_second: 250}
lanes:
  default: {engine: bulk, formats: [avif, bmp, gif, heic, jpeg, png, tiff, webp]}
  image: {prefixes: [image/], engine: image, formats: [avif, bmp, gif, heic, jpeg, png, tiff, webp]}
"""
_ENGINES: Final = ("bulk", "image")
_SECONDS_AN_UPLOAD: Final = 30.0
#: AWS's waits, whole: with shorter ones a chunk goes to a second Analyzer while the first one still works on it, and is
#: paid twice.
_TIME_SCALE: Final = 1.0

_PLANTED: Final[Mapping[Status, Mapping[str, float]]] = {
    Status.APPROVED: {},
    Status.BLOCKED: {"Weapon Violence": 99.0},
    Status.REVIEW: {"Graphic Violence": 85.0},
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A file of a format.

    Attributes:
        frames: distinct ones, each of which is paid for once as a rendition; 0 where Rekognition reads the file itself.
    """

    suffix: str
    body: bytes
    frames: int


def kinds() -> Sequence[Kind]:
    """Ten formats, two of them as Rekognition reads them."""
    return (
        Kind("jpg", written(drawn(), "JPEG"), 0),
        Kind("png", written(drawn(), "PNG"), 0),
        Kind("webp", written(drawn(), "WEBP"), 1),
        Kind("avif", written(drawn(), "AVIF"), 1),
        Kind("heic", heic(), 1),
        Kind("tif", written(drawn(), "TIFF"), 1),
        Kind("bmp", written(drawn(), "BMP"), 1),
        Kind("gif", animated("GIF", frames(3)), 3),
        Kind("apng", animated("PNG", frames(2)), 2),
        Kind("moving.webp", animated("WEBP", frames(4), lossless=True), 4),
    )


def uploads(count: int) -> Iterator[tuple[str, Kind, Status, bytes]]:
    """Name, kind, right status and bytes, so many."""
    every, statuses = kinds(), list(_PLANTED)
    for number in range(count):
        kind, status = every[number % len(every)], statuses[number // len(every) % len(statuses)]
        labels = [{"Name": name, "Confidence": confidence} for name, confidence in _PLANTED[status].items()]
        body = plant(kind.body, {"ModerationLabels": labels}) if labels else kind.body
        yield f"{number:05}.{kind.suffix}", kind, status, body


def compare(pipeline: Pipeline, count: int) -> tuple[str, list[str]]:
    """Upload, wait, compare: the table in Markdown, and each difference."""
    expected = {name: (kind, status) for name, kind, status, _ in uploads(count)}
    for engine in _ENGINES:
        pipeline.upload_many(DemoUpload(f"{engine}/{name}", body) for name, _, _, body in uploads(count))
    items = {
        engine: {
            item["key"].removeprefix(f"{engine}/"): item
            for item in pipeline.wait_for_verdicts(count, f"{engine}/", deadline=120 + _SECONDS_AN_UPLOAD * count)
        }
        for engine in _ENGINES
    }
    renditions = pipeline.rendered()
    lost = sum(sum(line.get(AnalyzerMetric.CALLS_FAILED, ())) for line in pipeline.logged("Analyzer"))
    problems = [
        f"{engine}/{name}: {problem}"
        for engine in _ENGINES
        for name, (kind, status) in expected.items()
        for problem in _problems(
            items[engine][name], _frames(engine, kind, status), status, renditions.get(f"{engine}/{name}", 0)
        )
    ]
    frames = sum(_frames(engine, kind, status) for engine in _ENGINES for kind, status in expected.values())
    twice = sum(renditions.values()) - frames
    if twice > lost:
        problems.append(f"{twice} frames were paid for twice, and only {lost:.0f} answers were lost")
    return f"{_table(expected, items, renditions)}\n\n{twice} frames paid for twice, {lost:.0f} answers lost.", problems


def _frames(engine: str, kind: Kind, status: Status) -> int:
    """Frames that are looked at: a job flags an animated PNG by its first one; the others are needed to approve it."""
    return 0 if (engine, kind.suffix) == ("bulk", "apng") and status is not Status.APPROVED else kind.frames


def _problems(item: Mapping[str, Any], frames: int, status: Status, paid: int) -> Iterator[str]:
    if item["status"] != status:
        yield f"{item['status']}, not {status}"
    if paid < frames:
        yield f"{paid} renditions were paid, not {frames}"
    judged = item.get("frames", {"total": 0, "judged": 0})
    if {int(number) for number in judged.values()} != {frames}:
        yield f"the verdict says {judged} of {frames} frames"


def _table(
    expected: Mapping[str, tuple[Kind, Status]],
    items: Mapping[str, Mapping[str, Mapping[str, Any]]],
    renditions: Mapping[str, int],
) -> str:
    lines = ["| format | uploads to each engine | verdicts alike | renditions paid |", "| --- | ---: | ---: | ---: |"]
    of_suffix = Counter(kind.suffix for kind, _ in expected.values())
    for suffix, count in of_suffix.items():
        names = [name for name, (kind, _) in expected.items() if kind.suffix == suffix]
        alike = sum(items["bulk"][name]["status"] == items["image"][name]["status"] for name in names)
        paid = sum(renditions.get(f"{engine}/{name}", 0) for engine in _ENGINES for name in names)
        lines.append(f"| {suffix} | {count} | {alike} | {paid} |")
    return "\n".join(lines)


def main() -> int:
    """Deploy, compare, report; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.formats", description=__doc__.splitlines()[0])
    parser.add_argument("--uploads", type=int, default=1_000, help="to each engine (default: %(default)s)")
    count = parser.parse_args().uploads
    with tempfile.TemporaryDirectory(prefix="gatehouse-formats-") as folder:
        settings, assembly = Path(folder) / "gatehouse.yaml", Path(folder) / "cdk.out"
        settings.write_text(_SETTINGS, encoding="utf-8")
        synthesize(assembly, settings=settings)
        with LocalCloud.start(time_scale=_TIME_SCALE) as cloud:
            shown, problems = compare(Pipeline(cloud, cloud.deploy(assembly)), count)
    print(shown)
    print("\n".join(problems) or "No difference.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
