"""A run of decisions: people, changes of the policy, a deploy, overwrites and faults, all at the same time."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from gatehouse.aws.verdict_table import Item, identity_of
from gatehouse.cli.aws.verdict_table import Selection
from gatehouse.moderation.decision import Act, Decision, DecisionRefusedError, appeal, decide, report
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS
from tests.chaos import evidence
from tests.chaos.cloud import hasten, sweep
from tests.chaos.decision_check import Decided, holds_the_table, violations
from tests.chaos.decision_plan import MILDER, STRICTER, DecisionStretch, compose, write_policy
from tests.chaos.ledger import Ledger
from tests.chaos.observation import Observation
from tests.chaos.random_run import POISONED
from tests.chaos.reviewer import Attempt, CommandReviewer, Hold, Holder, Reviewer
from tests.chaos.stage import upload_all
from tests.chaos.strikes import OUTCOMES
from tests.chaos.table_run import verdict_counts
from tests.chaos.watch import Watch
from tests.e2e.pipeline import Pipeline
from tests.e2e.subscriber import Subscriber
from tests.e2e.terminal import Terminal

#: Makes a policy file the active version, publishes what changes, and returns once nothing is left to be judged by it.
Apply = Callable[[Path], None]

_SETTLE_SECONDS = 600.0
#: A flag that has not come for so long, while nothing else moves, is taken for lost.
_QUIET_SECONDS = 45.0
_POLL_SECONDS = 0.5
#: Seconds between two acts of a person, and acts on what a list shows before it is read again.
_PAUSE_SECONDS = 0.1
_ACTS_A_LIST = 5
#: What goes on at a time: three people, uploads and a deploy.
_AT_ONCE = 5
#: Seconds for which somebody looks at an upload.
_HOLD_SECONDS = (1.0, 2.0, 4.0)
#: People leave one in so many objects to the policies.
_LEFT_TO_POLICIES = 3
#: One in so many acts is on a verdict as it was seen some time ago, or its answer is lost.
_STALE, _LOST = 4, 10
#: Verdicts there are of so many of the uploads before the next ones are made.
_UNDER_WAY = 0.7


@dataclass(frozen=True, slots=True)
class DecisionRun:
    """What became of a run.

    Attributes:
        acts: by cause, of those that were acknowledged.
        refused: acts that came too late, on what was another verdict by then.
        held: review claims of a third person.
        lost: writes whose answers were lost.
        replayed: flags of changes that a policy made.
        flags: that were received, and how many are different.
        events: how many different ones were received, or are kept.
        struck: faults that struck.
    """

    seed: int
    uploads: int
    seconds: float
    verdicts: Mapping[str, int]
    by_people: int
    acts: Mapping[str, int]
    refused: int
    held: int
    lost: int
    replayed: int
    highest_revision: int
    flags: int
    different_flags: int
    events: int
    struck: Mapping[str, int]
    violations: list[str]
    evidence: Path | None


@dataclass(slots=True)
class _Acts:
    """What people did."""

    done: list[Verdict] = field(default_factory=list)
    refused: list[Verdict] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def add(self, attempt: Attempt) -> None:
        """Write down what became of an act."""
        (self.done if attempt.is_done else self.refused).append(attempt.after)


def by_command(pipeline: Pipeline, folder: Path, constants: Mapping[str, float] | None = None) -> Callable[..., None]:
    """`gatehouse policy apply` at a terminal, again and again until it has nothing left to do."""
    terminal = Terminal(pipeline, folder, constants=constants)

    def apply(policy: Path, publish: bool = True) -> None:
        arguments = ("policy", "apply", str(policy), "--yes", *(("--publish",) if publish else ()))
        # 1: a deploy began or came in between; 3: uploads were still being analyzed.
        while (done := terminal.run(*arguments)).returncode:
            assert done.returncode in (1, 3), f"{done.stdout}\n{done.stderr}"

    return apply


def run(
    pipeline: Pipeline,
    seed: int,
    uploads: int,
    *,
    later: Path,
    folder: Path,
    apply: Apply,
    policies: Sequence[str] = (MILDER,),
) -> DecisionRun:
    """Let everything happen; wait until nothing does any more; check it.

    Args:
        later: the cloud assembly that is deployed meanwhile.
        folder: for the policies' files.
        policies: the versions by which what no person decided may have been judged in the end.
    """
    began = time.monotonic()
    cloud, stretches, ledger, acts = pipeline.cloud, compose(seed, uploads), Ledger(), _Acts()
    subscriber = Subscriber(pipeline, {"status": sorted(FINAL)})
    alice, bob, carol = Reviewer(pipeline, "alice"), CommandReviewer(pipeline, "bob"), Holder(pipeline, "carol")
    held = frozenset(key for stretch in stretches for key in stretch.held)
    over = threading.Event()
    with Watch(pipeline.verdicts) as watch, ThreadPoolExecutor(_AT_ONCE) as threads:
        observation = Observation(pipeline, watch)
        at_work: list[Future[None]] = [
            threads.submit(_review, alice, random.Random(f"{seed} alice"), acts, over),
            threads.submit(_review_by_command, bob, random.Random(f"{seed} bob"), acts, over),
            threads.submit(_hold, carol, random.Random(f"{seed} carol"), held, acts, over),
        ]
        try:
            uploading = threads.submit(_upload, pipeline, stretches, ledger)
            pipeline.wait_until(lambda: len(acts.done) >= uploads // 10, _SETTLE_SECONDS, "the first acts")
            deploying = threads.submit(_deploy, pipeline, later)
            apply(write_policy(folder, STRICTER))
            deploying.result()
            uploading.result()
            apply(write_policy(folder, MILDER))
            pipeline.wait_until(lambda: len(acts.done) >= uploads, _SETTLE_SECONDS, "acts")
        finally:
            over.set()
        for each in at_work:
            each.result()
        faults = cloud.all_faults()
        cloud.clear_faults()
        flags = _settle(pipeline, observation, ledger, subscriber)
        observed = observation.of(("",))
        cloud.reset_rekognition()
    decided = Decided(replace(observed, announced=flags), acts.done, acts.refused, policies, acts.holds)
    found = violations(ledger, decided)
    name = f"decisions --uploads {uploads} --seed {seed}"
    return DecisionRun(
        seed=seed,
        uploads=len(ledger),
        seconds=time.monotonic() - began,
        verdicts=verdict_counts(observed),
        by_people=sum(str(item.get("decided_by")).startswith("person:") for item in observed.items),
        acts=Counter(act.history[-1].cause.value for act in acts.done),
        refused=len(acts.refused),
        held=len(acts.holds),
        lost=alice.answers_lost + bob.answers_lost,
        replayed=len({flag["id"] for flag in flags if flag["cause"] == "policy"}),
        highest_revision=max((int(item.get("revision", 0)) for item in observed.items), default=0),
        flags=len(flags),
        different_flags=len({flag["id"] for flag in flags}),
        events=len({event["id"] for event in observed.events}),
        struck=Counter(
            str(fault.get("delivery") or f"{fault['action']} {fault['caller']}") for fault in faults if fault["fired"]
        ),
        violations=found,
        evidence=evidence.keep(pipeline, name, ledger, decided.observed, faults, found) if found else None,
    )


def _upload(pipeline: Pipeline, stretches: Sequence[DecisionStretch], ledger: Ledger) -> None:
    """Upload stretch by stretch, each when most of what came before has its verdicts."""
    for stretch in stretches:
        pipeline.cloud.faults(*stretch.faults)
        pipeline.cloud.rekognition(fail_images=list(stretch.poisoned))
        ledger.failing |= dict.fromkeys(stretch.poisoned, POISONED)
        upload_all(pipeline, stretch.uploads, ledger)
        pipeline.wait_until(
            lambda: sum(item[STATUS] in FINAL for item in pipeline.verdicts()) >= _UNDER_WAY * len(ledger),
            _SETTLE_SECONDS,
            "verdicts of most uploads",
        )


def _deploy(pipeline: Pipeline, assembly: Path) -> None:
    """Deploy, as it is done while the pipeline works; and have Outcomes begin anew, too."""
    pipeline.cloud.deploy(assembly)
    hasten(pipeline)
    functions = pipeline.cloud.client("lambda")
    for function in functions.list_functions()["Functions"]:
        if OUTCOMES in function["FunctionName"]:
            functions.update_function_configuration(
                FunctionName=function["FunctionName"], MemorySize=2 * function["MemorySize"]
            )


def _settle(
    pipeline: Pipeline, observation: Observation, ledger: Ledger, subscriber: Subscriber
) -> list[Mapping[str, Any]]:
    """Wait until nothing is to be done any more; the sweeper comes by where only it helps. Returns all flags."""
    flags: list[Mapping[str, Any]] = []
    moved = time.monotonic()
    while time.monotonic() < moved + _QUIET_SECONDS:
        is_still, items = observation.is_still(), pipeline.verdicts()
        now = subscriber.flags()
        if len(now) > len(flags) or not is_still:
            moved = time.monotonic()
        flags = list(now)
        is_final = len(items) >= len(ledger) and all(item[STATUS] in FINAL for item in items)
        announced = {event["id"] for event in observation.announced(("",))}
        if is_still and is_final and holds_the_table(flags, items) and announced >= {flag["id"] for flag in flags}:
            break
        if is_still and not is_final:
            sweep(pipeline)
        time.sleep(_POLL_SECONDS)
    observation.tidy()
    return flags


def _review(reviewer: Reviewer, chance: random.Random, acts: _Acts, over: threading.Event) -> None:
    """List what waits and what stands, look at some of it, and act on it, until it is over."""
    seen: dict[tuple[str, str], list[Verdict]] = {}
    number = 0
    while not over.wait(_PAUSE_SECONDS):
        listed = [identity for identity in _listed(reviewer, chance) if _is_for_people(identity[0])]
        for identity in chance.sample(listed, min(len(listed), _ACTS_A_LIST)):
            if over.wait(_PAUSE_SECONDS):
                return
            verdict = _seen(reviewer, chance, seen, identity)
            if verdict is None:
                continue
            number += 1
            reviewer.answers_to_lose = int(chance.randrange(_LOST) == 0)
            act = _act(chance, reviewer.person, verdict.status, f"{reviewer.person.id} {number}")
            try:
                acts.add(reviewer.write(verdict, act(iso(datetime.now(UTC)))))
            except DecisionRefusedError:
                continue  # nobody decides on an appeal of their own decision, or on what somebody else looks at


def _review_by_command(reviewer: CommandReviewer, chance: random.Random, acts: _Acts, over: threading.Event) -> None:
    """The same, by the command: it lists, and does one thing about several of those uploads at once."""
    seen: dict[tuple[str, str], list[Verdict]] = {}
    number = 0
    while not over.wait(_PAUSE_SECONDS * _ACTS_A_LIST):
        listed = [identity for identity in _listed(reviewer, chance) if _is_for_people(identity[0])]
        chosen = chance.sample(listed, min(len(listed), _ACTS_A_LIST))
        verdicts = [verdict for each in chosen if (verdict := _seen(reviewer, chance, seen, each))]
        if not verdicts:
            continue
        number += 1
        reviewer.answers_to_lose = sum(chance.randrange(_LOST) == 0 for _ in verdicts)
        act = _act(chance, reviewer.person, verdicts[0].status, f"{reviewer.person.id} {number}")
        for attempt in reviewer.act(verdicts, act):
            acts.add(attempt)


def _hold(holder: Holder, chance: random.Random, held: Collection[str], acts: _Acts, over: threading.Event) -> None:
    """Look at uploads of these keys for a while, now and then, until it is over."""
    keys = {f"s3://{holder.bucket}/{key}" for key in held}
    while not over.wait(_PAUSE_SECONDS):
        listed = [identity for identity in _listed(holder, chance) if identity[0] in keys]
        for identity in chance.sample(listed, min(len(listed), _ACTS_A_LIST)):
            if hold := holder.hold(identity, chance.choice(_HOLD_SECONDS)):
                acts.holds.append(hold)


def _seen(
    reviewer: Reviewer, chance: random.Random, seen: dict[tuple[str, str], list[Verdict]], identity: tuple[str, str]
) -> Verdict | None:
    """An upload's verdict as it is now, or at times as this person saw it earlier."""
    earlier = seen.setdefault(identity, [])
    is_stale = bool(earlier) and chance.randrange(_STALE) == 0
    verdict = chance.choice(earlier) if is_stale else reviewer.read(identity)
    if verdict is not None:
        earlier.append(verdict)
    return verdict


def _listed(reviewer: Reviewer, chance: random.Random) -> Iterator[tuple[str, str]]:
    """What waits for a person, from the index; or what has one of the other statuses, approvals by a scan."""
    status = chance.choice(
        (*FLAGGED, Status.REVIEW, Status.APPROVED, Status.APPROVED, Status.UNSUPPORTED, Status.FAILED)
    )
    today = datetime.now(UTC)
    pages: Iterator[list[Item]]
    if status is Status.APPROVED:
        pages = reviewer.table.scan(Selection(), segments=1, consistent=False)
    else:
        pages = reviewer.table.decided_since(status, iso(today - timedelta(days=1)), today.date())
    for page in pages:
        for item in page:
            if item.get(STATUS, status) == status:
                yield identity_of(item)


def _is_for_people(object_uri: str) -> bool:
    return sum(object_uri.encode()) % _LEFT_TO_POLICIES != 0


def _act(chance: random.Random, person: Person, status: Status, note: str) -> Callable[[str], Act]:
    """Something that a person may do about a verdict of this status, at a moment."""
    decision = Decision(chance.choice(("context", "false-positive", "spam")), note)
    if status is Status.BLOCKED and chance.randrange(2):
        return partial(appeal, person, decision)
    if status is Status.APPROVED and chance.randrange(2):
        return partial(report, person, decision)
    return partial(decide, chance.choice((Status.APPROVED, Status.BLOCKED)), person, decision)
