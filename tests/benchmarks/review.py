"""Measures the review page: from a key to the next picture, and a fight over uploads.

    python -m tests.benchmarks.review [keys|fight] [--uploads N]

`keys` decides 200 uploads by keyboard in Chromium, as fast as pictures are painted, and prints the median and the 95th
percentile of the time from key to picture. `fight` has two browsers and a script decide the same 500 uploads. Both fail
if a decision is wrong, doubled or lost. Both run on the local cloud, so AWS's latency is not in the times: the next
pictures are loaded before they are needed, and no call is waited for between a key and a picture.
"""

import argparse
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo.pipeline import DemoUpload
from demo.synthesis import synthesize
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.review.act_run import ActReport, ActRun
from gatehouse.cli.review.named_upload import NamedUpload
from gatehouse.moderation.decision import Act, Decision, decide
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item
from localcloud.cloud import LocalCloud
from localcloud.endpoint import command_line_environment
from localcloud.rekognition.planted_labels import plant
from tests.browser.chrome import browser
from tests.e2e.pipeline import Pipeline
from tests.review.conftest import KIM, MO, Served, drawn, serving
from tests.review.visit import visit

KEYS, FIGHT = 200, 500
SCRIPT = Person("script")
#: A label that the shipped policy has people look at.
_LOOKED_AT = "Middle Finger"

#: What is left of the reviewer's waiting: the time between two marks that the page sets itself.
_TIMES = """() => {
  const times = [];
  let key = null;
  for (const mark of performance.getEntriesByType("mark").sort((a, b) => a.startTime - b.startTime)) {
    if (mark.name === "decided") key = mark.startTime;
    else if (mark.name === "shown" && key !== null) { times.push(mark.startTime - key); key = null; }
  }
  return times;
}"""


def measure_keys(pipeline: Pipeline, folder: Path, count: int) -> None:
    """Decide by keyboard: every third upload is blocked, the others are approved."""
    wanted = {_key(n): "BLOCKED" if n % 3 == 0 else "APPROVED" for n in range(count)}
    _fill(pipeline, {_key(n): drawn(n, (1200, 900)) for n in range(count)})
    with serving(folder / "mo", MO, wait_seconds=5) as served, browser(folder) as chrome, visit(chrome, served) as mo:
        mo.go()
        for _ in range(count):
            mo.page.wait_for_selector(".upload[data-seen=yes]")
            name = mo.name
            mo.press("b" if wanted[name] == "BLOCKED" else "a")
            mo.page.wait_for_selector(f".state, .upload:not(:has(.name:has-text('{name}')))")
        times = sorted(mo.page.evaluate(_TIMES))
    items = pipeline.verdicts()
    assert {item["key"]: item["status"] for item in items} == wanted, "a decision is wrong or lost"
    assert all(len(item["history"]) == 1 for item in items), "a decision is doubled"
    at_95 = times[int(len(times) * 0.95)]
    print(f"{count} uploads decided by keyboard, none wrong or lost")
    print(f"from key to next picture painted: median {statistics.median(times):.0f} ms, 95% below {at_95:.0f} ms")


def fight(pipeline: Pipeline, folder: Path, count: int) -> None:
    """Two browsers and a script decide the same uploads: Mo approves, Kim blocks, the script blocks."""
    verdicts = _fill(pipeline, {_key(n): drawn(n % 7, (320, 240)) for n in range(count)})
    with ExitStack() as stack:
        chrome = stack.enter_context(browser(folder))
        pages = {
            key: stack.enter_context(visit(chrome, stack.enter_context(serving(folder / person.id, person))))
            for key, person in (("a", MO), ("b", KIM))
        }
        script = threading.Thread(target=_decide_all, args=(next(iter(pages.values())).served, verdicts))
        for page in pages.values():
            page.go()
        script.start()
        while pages:
            for key, each in list(pages.items()):
                if _next(each.page) is None:
                    if not script.is_alive():
                        del pages[key]
                    continue
                each.press(key)
        script.join()
    items = pipeline.verdicts()
    assert [len(item.get("history", [])) for item in items] == [1] * count, "an upload has no decision, or two"
    by = Counter(str(item["decided_by"]) for item in items)
    print(f"{count} uploads, each with exactly one decision: {dict(by)}")


def _key(number: int) -> str:
    return f"{number:04}.jpg"


def _fill(pipeline: Pipeline, pictures: Mapping[str, bytes]) -> list[Verdict]:
    """Upload pictures that the policy holds for people; returns their verdicts."""
    labels = {"ModerationLabels": [{"Name": _LOOKED_AT, "Confidence": 90.0}]}
    pipeline.upload_many(DemoUpload(key, plant(body, labels)) for key, body in pictures.items())
    items = pipeline.wait_for_verdicts(len(pictures), deadline=600)
    assert {item["status"] for item in items} == {Status.REVIEW}
    return [verdict_from_item(item) for item in items]


def _next(page: Page) -> str | None:
    """The upload on the stage, when it is painted; None if nothing is left."""
    page.wait_for_selector(".upload[data-seen=yes], .state h2")
    shown = page.locator(".upload .name bdi")
    return shown.inner_text() if shown.count() else None


def _decide_all(served: Served, verdicts: list[Verdict]) -> None:
    """Block the uploads, the newest first, as `review block --file` does."""

    def act(at: str) -> Act:
        return decide(Status.BLOCKED, SCRIPT, Decision("spam", None), at)

    bench = served.bench
    table = OperatorsVerdictTable(bench.table._client, bench.deployment.verdict_table)
    run = ActRun(act, table, bench.uploads, bench.deployment.verdict_retention, bench.clock)
    names = [NamedUpload(v.upload.object, v.upload.version, seen=(v.status, v.revision)) for v in reversed(verdicts)]
    run.run(names, ActReport(), rate=15.0)


@contextmanager
def _deployed() -> Iterator[tuple[Pipeline, Path]]:
    """The shipped settings on the local cloud, which AWS calls of this process go to."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        synthesize(folder / "cdk.out")
        with LocalCloud.start() as cloud:
            for variable, value in command_line_environment(cloud.endpoint).items():
                patch.setenv(variable, value)
            yield Pipeline(cloud, cloud.deploy(folder / "cdk.out")), folder


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.review", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("keys", "fight"))
    parser.add_argument("--uploads", type=int, metavar="N", help=f"default {KEYS} and {FIGHT}")
    options = parser.parse_args(arguments)
    for name, run, count in (("keys", measure_keys, KEYS), ("fight", fight, FIGHT)):
        if options.what in (None, name):
            with _deployed() as (pipeline, folder):
                run(pipeline, folder, options.uploads or count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
