"""The fault table as people read it."""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tests.chaos.decision_run import DecisionRun
from tests.chaos.gate_run import GateRun
from tests.chaos.moderate_run import ModerateRun
from tests.chaos.random_run import RandomRun
from tests.chaos.table_run import Played


def fault_table(console: Console, played: Iterable[Played]) -> list[Played]:
    """Print rows as they come, and at the end the table with its size and result; returns them."""
    rows: list[Played] = []
    for one in played:
        rows.append(one)
        told = "holds" if not one.violations else " | ".join(one.violations)
        console.print(f"{len(rows):4} {one.row.name}: {told}", markup=False, soft_wrap=True)
        if one.evidence:
            console.print(f"     what explains it: {one.evidence}", markup=False, soft_wrap=True)
    console.print(_table(rows, plain=not console.is_terminal))
    broken = [one for one in rows if one.violations]
    uploads, analyses = sum(one.uploads for one in rows), sum(one.analyses for one in rows)
    steps = len({one.row.step for one in rows})
    console.print(
        f"{len(rows)} rows at {steps} steps, {uploads} uploads, {sum(one.flags for one in rows)} flags, "
        f"{analyses} analyses: {sum(len(one.violations) for one in broken)} violations in {len(broken)} rows",
        soft_wrap=True,
    )
    return rows


def random_run(console: Console, run: RandomRun) -> RandomRun:
    """Print what became of a randomized run; returns it."""
    struck = ", ".join(f"{count} {name}" for name, count in sorted(run.struck.items()))
    _print(
        console,
        f"{run.uploads} uploads, {sum(run.verdicts.values())} verdicts: {statuses(run.verdicts)}",
        f"{run.flagged_uploads} uploads flagged, {run.flags} flags received",
        f"{run.analyses} analyses, {run.leftovers} of them of leftovers",
        f"faults that struck: {struck}; that met no call: {run.idle}",
        f"calls throttled: {run.throttled}; of images that never have an answer: {statuses(run.poisoned) or 'none'}",
        f"final verdicts watched while the run went on: {run.watched}",
        *(f"VIOLATED {sentence}" for sentence in run.violations),
        *([f"what explains it: {run.evidence}"] if run.evidence else []),
        f"seed {run.seed}: {len(run.violations)} violations",
    )
    return run


def decision_run(console: Console, run: DecisionRun) -> DecisionRun:
    """Print what became of a run of decisions; returns it."""
    _print(
        console,
        f"{run.uploads} uploads, {sum(run.verdicts.values())} verdicts: {statuses(run.verdicts)}",
        f"decided by people: {run.by_people}; highest revision: {run.highest_revision}",
        f"acts: {statuses(run.acts)}; too late: {run.refused}; held for a look: {run.held}; answers lost: {run.lost}",
        f"changed by policies: {run.replayed}",
        f"{run.flags} flags received, {run.different_flags} different ones; {run.events} different events",
        f"faults that struck: {statuses(run.struck)}",
        *(f"VIOLATED {sentence}" for sentence in run.violations),
        *([f"what explains it: {run.evidence}"] if run.evidence else []),
        f"seed {run.seed}: {len(run.violations)} violations in {run.seconds:.0f} s",
    )
    return run


def moderate_run(console: Console, run: ModerateRun) -> ModerateRun:
    """Print what became of a run of `gatehouse moderate`; returns it."""
    calls = ", ".join(f"{count:,} {name}" for name, count in sorted(run.calls.items()))
    _print(
        console,
        f"{run.objects:,} objects from before, {run.live:,} uploads meanwhile, {run.overwrites:,} of them over them",
        f"verdicts: {statuses(run.verdicts)}",
        f"the command was killed at: {'; '.join(run.kills)}; functions were killed {run.struck} times",
        f"upload to verdict, median: {run.idle_seconds:.2f} s idle, {run.busy_seconds:.2f} s meanwhile",
        f"the command: {run.peak_megabytes:.0f} MB at most; calls: {calls}",
        *(f"VIOLATED {sentence}" for sentence in run.violations[:50]),
        f"seed {run.seed}: {len(run.violations)} violations in {run.seconds:.0f} s",
    )
    return run


def gate_run(console: Console, run: GateRun) -> GateRun:
    """Print what became of a run against the gate; returns it."""
    late = sum(delay > 0 for delay in run.delays)
    delays = f"p50 {run.percentile(0.5):.2f} s, p99 {run.percentile(0.99):.2f} s"
    _print(
        console,
        f"{run.uploads:,} uploads: {statuses(run.statuses)}; Outcomes was struck {run.struck} times",
        f"{run.reads:,} reads by a reader with broad rights, {run.answered:,} of them answered; "
        f"each version at least {run.least:,} times",
        f"{run.revoked:,} approvals taken back, {run.replayed:,} of them by a policy, {late:,} read once more; "
        f"delay: {delays}",
        *(f"VIOLATED {sentence}" for sentence in run.violations[:50]),
        f"seed {run.seed}: {len(run.violations)} violations in {run.seconds:.0f} s",
    )
    return run


def _print(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _table(rows: Sequence[Played], *, plain: bool) -> Table:
    table = Table(
        title="Faults (A approved, B blocked, R review, U unsupported, F failed, P pending)",
        title_justify="left",
        box=box.ASCII2 if plain else box.ROUNDED,
        expand=True,
    )
    table.add_column("Step", overflow="fold", ratio=4)
    table.add_column("Fault", overflow="fold", ratio=4)
    table.add_column("Lane", no_wrap=True)
    for name in ("Uploads", "Verdicts", "Flags", "Analyses"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Violations, or what is legitimate beside the usual", overflow="fold", ratio=5)
    for one in rows:
        lane = one.row.lane.rpartition("-")[0] or one.row.lane
        table.add_row(
            one.row.step,
            one.row.fault,
            lane,
            str(one.uploads),
            _initials(one.verdicts),
            str(one.flags),
            str(one.analyses),
            "\n".join(f"VIOLATED {sentence}" for sentence in one.violations) or one.row.outcome,
        )
    return table


def _initials(verdicts: Mapping[str, int]) -> str:
    """Verdicts by the first letter of their status, which is enough to tell them apart."""
    return " ".join(f"{count} {status[0]}" for status, count in sorted(verdicts.items()))


def statuses(verdicts: Mapping[str, int]) -> str:
    """Verdicts by status, as text."""
    return ", ".join(f"{count} {status}" for status, count in sorted(verdicts.items()))
