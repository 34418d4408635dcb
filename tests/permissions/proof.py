"""The proof: take each permission away in turn, run a scenario that needs it, and see it noticed.

Which scenario needs a permission is not written down anywhere. Each is run once with all permissions, and what was
asked of IAM meanwhile says so.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from localcloud.cloud import LocalCloud
from tests.e2e.pipeline import Pipeline
from tests.permissions.bench import BUS, LANES, Bench, Lane, NoticedError
from tests.permissions.granted_roles import DeployedPermission, GrantedRoles
from tests.permissions.scenarios import SCENARIOS, Scenario
from tests.permissions.unchecked import is_checked

#: An outcome may take so many times as long as with every permission, and so many seconds at least.
_PATIENCE = 2.0
_LEAST_PATIENCE = 4.0

#: Every scenario in every lane that has it.
WALKS = tuple((lane, scenario) for lane in LANES for scenario in SCENARIOS if lane.has_bulk or not scenario.needs_bulk)

Decision = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Walk:
    """A scenario in a lane, run with every permission.

    Attributes:
        seconds: it took.
        allowed: role name, action and resource of each call that was allowed meanwhile.
    """

    scenario: Scenario
    lane: Lane
    seconds: float
    allowed: frozenset[Decision]


@dataclass(frozen=True, slots=True)
class Removal:
    """What came of taking a permission away.

    Attributes:
        scenario: in which it was noticed, or that was tried last; None if no scenario needs it.
        noticed: what a user or an alarm would see, or None.
        denied: the call that was denied, or None.
    """

    permission: DeployedPermission
    scenario: str | None = None
    noticed: str | None = None
    denied: str | None = None

    @property
    def is_proven(self) -> bool:
        """Whether it was noticed, and IAM says that this permission is why."""
        return self.noticed is not None and self.denied is not None


class Proof:
    """Takes permissions away from the roles of a deployed pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._cloud: LocalCloud = pipeline.cloud
        self._roles = GrantedRoles(self._cloud)
        self._runs = 0
        pipeline.listen(BUS)
        self._cloud.record_permissions()

    def permissions(self) -> list[DeployedPermission]:
        """All that the local cloud checks."""
        return [permission for permission in self._roles.permissions() if is_checked(permission.action)]

    def unchecked(self) -> list[DeployedPermission]:
        """All that it does not."""
        return [permission for permission in self._roles.permissions() if not is_checked(permission.action)]

    def walk(self, ways: Iterable[tuple[Lane, Scenario]] = WALKS) -> Iterator[Walk]:
        """Run scenarios with every permission.

        Raises:
            NoticedError: one does not end as it should.
        """
        for lane, scenario in ways:
            before, began = self._decisions(is_allowed=True), time.monotonic()
            scenario.run(self._bench(lane, scenario.name))
            yield Walk(scenario, lane, time.monotonic() - began, self._since(before, is_allowed=True))

    def remove(self, permission: DeployedPermission, walks: Sequence[Walk]) -> Removal:
        """Take a permission away in the walks that need it, the quickest first, until one notices."""
        removal = Removal(permission)
        for walk in sorted(walks, key=lambda walk: walk.seconds):
            if any(permission.matches(*decision) for decision in walk.allowed):
                removal = self._remove_in(permission, walk)
                if removal.is_proven:
                    break
        return removal

    def _remove_in(self, permission: DeployedPermission, walk: Walk) -> Removal:
        bench = self._bench(walk.lane, walk.scenario.name, walk.seconds)
        before = self._decisions(is_allowed=False)

        def denied() -> list[str]:
            return [
                f"{action} on {self._roles.shown(resource)}"
                for role, action, resource in sorted(self._since(before, is_allowed=False))
                if permission.matches(role, action, resource)
            ]

        bench.denied = denied
        noticed = None
        try:
            with self._roles.without(permission):
                try:
                    walk.scenario.run(bench)
                except NoticedError as sign:
                    noticed = str(sign)
        finally:
            bench.clear()
        return Removal(permission, walk.scenario.name, noticed, next(iter(denied()), None))

    def _bench(self, lane: Lane, scenario: str, seconds: float = 0.0) -> Bench:
        self._runs += 1
        prefix = f"{lane.prefix}{scenario.replace(' ', '-')}-{self._runs}/"
        return Bench(self._pipeline, lane, prefix, max(_LEAST_PATIENCE, _PATIENCE * seconds))

    def _decisions(self, *, is_allowed: bool) -> dict[Decision, int]:
        return {
            (decision["caller"], decision["action"], decision["resource"]): decision["count"]
            for decision in self._cloud.permission_decisions()
            if decision["allowed"] is is_allowed
        }

    def _since(self, before: dict[Decision, int], *, is_allowed: bool) -> frozenset[Decision]:
        now = self._decisions(is_allowed=is_allowed)
        return frozenset(decision for decision, count in now.items() if count > before.get(decision, 0))
