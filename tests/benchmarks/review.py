"""Measures the review page: from a key to the next picture, and a fight over uploads.

    python -m tests.benchmarks.review [keys|fight] [--uploads N]

`keys` decides 200 uploads by keyboard in Chromium, as fast as pictures are painted, and prints the median and the 95th
percentile of the time from key to picture. `fight` has two browsers and a script decide the same 500 uploads. Both fail
if a decision is wrong, doubled or lost. The deployment is in memory, so AWS's latency is not in the times: the next
pictures are loaded before they are needed, and no call is waited for between a key and a picture.
"""

import argparse
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.review.act_run import ActReport, ActRun
from gatehouse.cli.review.named_upload import NamedUpload
from gatehouse.moderation.decision import Act, Decision, decide
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from localcloud.process_environment import REGION
from tests.browser.chrome import browser
from tests.cli.conftest import deployment_in_memory
from tests.review.conftest import KIM, MO, Served, Uploads, call_one_at_a_time, drawn, look_back_one_day, serving
from tests.review.visit import visit

KEYS, FIGHT = 200, 500
SCRIPT = Person("script")

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


def measure_keys(uploads: Uploads, folder: Path, count: int) -> None:
    """Decide by keyboard: every third upload is blocked, the others are approved."""
    wanted = {}
    for n in range(count):
        key = f"{n:04}.jpg"
        wanted[key] = "BLOCKED" if n % 3 == 0 else "APPROVED"
        uploads.put(key, body=drawn(n, (1200, 900)))
    with serving(folder / "mo", MO, wait_seconds=5) as served, browser(folder) as chrome, visit(chrome, served) as mo:
        mo.go()
        for _ in range(count):
            mo.page.wait_for_selector(".upload[data-seen=yes]")
            name = mo.name
            mo.press("b" if wanted[name] == "BLOCKED" else "a")
            mo.page.wait_for_selector(f".state, .upload:not(:has-text('{name}'))")
        times = sorted(mo.page.evaluate(_TIMES))
    _check(uploads, wanted)
    at_95 = times[int(len(times) * 0.95)]
    print(f"{count} uploads decided by keyboard, none wrong or lost")
    print(f"from key to next picture painted: median {statistics.median(times):.0f} ms, 95% below {at_95:.0f} ms")


#: A table in memory takes a minute to list hundreds of uploads to two pages at once.
_MEMORY_IS_SLOW_MS = 300_000


def fight(uploads: Uploads, folder: Path, count: int) -> None:
    """Two browsers and a script decide the same uploads: Mo approves, Kim blocks, the script blocks."""
    verdicts = [uploads.put(f"{n:04}.jpg", body=drawn(n % 7, (320, 240))) for n in range(count)]
    with ExitStack() as stack:
        chrome = stack.enter_context(browser(folder))
        pages = {
            key: stack.enter_context(visit(chrome, stack.enter_context(serving(folder / person.id, person))))
            for key, person in (("a", MO), ("b", KIM))
        }
        script = threading.Thread(target=_decide_all, args=(next(iter(pages.values())).served, verdicts))
        for page in pages.values():
            page.page.set_default_timeout(_MEMORY_IS_SLOW_MS)
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
    items = uploads.deployed.items().values()
    assert [len(item.get("history", [])) for item in items] == [1] * count, "an upload has no decision, or two"
    by = Counter(str(item["decided_by"]) for item in items)
    print(f"{count} uploads, each with exactly one decision: {dict(by)}")


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


def _check(uploads: Uploads, wanted: dict[str, str]) -> None:
    items = uploads.deployed.items().values()
    assert {item["key"]: item["status"] for item in items} == wanted, "a decision is wrong or lost"
    assert all(len(item["history"]) == 1 for item in items), "a decision is doubled"


@contextmanager
def _deployment() -> Iterator[tuple[Uploads, Path]]:
    """A deployment in memory, as the tests have it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_DEFAULT_REGION", REGION)):
            patch.setenv(name, value)
        patch.chdir(folder)
        call_one_at_a_time(patch)
        look_back_one_day(patch)
        with deployment_in_memory(patch) as deployed:
            yield Uploads(deployed), Path(folder)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.review", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("keys", "fight"))
    parser.add_argument("--uploads", type=int, metavar="N", help=f"default {KEYS} and {FIGHT}")
    options = parser.parse_args(arguments)
    for name, run, count in (("keys", measure_keys, KEYS), ("fight", fight, FIGHT)):
        if options.what in (None, name):
            with _deployment() as (uploads, folder):
                run(uploads, folder, options.uploads or count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
