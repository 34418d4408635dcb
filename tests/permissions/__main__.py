"""`make permissions`: take each permission away in turn, and see what notices.

    python -m tests.permissions [PART ...]     only roles with one of these parts in their names

Ends with status 1 if a permission could be taken away and nobody noticed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from demo.synthesis import synthesize
from gatehouse.console import console_for
from localcloud.cloud import LocalCloud
from tests.e2e.pipeline import Pipeline
from tests.permissions.bench import SETTINGS, TIME_SCALE, hurry
from tests.permissions.granted_roles import DeployedPermission
from tests.permissions.proof import Proof, Removal
from tests.permissions.unchecked import reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of all permissions. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.permissions", description=__doc__)
    parser.add_argument("part", nargs="*", help="of the names of the roles to look at (default: all)")
    parts = parser.parse_args(arguments).part
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-permissions-") as folder:
        settings = Path(folder) / "gatehouse.yaml"
        settings.write_text(SETTINGS, encoding="utf-8")
        synthesize(Path(folder) / "cdk.out", settings=settings)
        with LocalCloud.start(time_scale=TIME_SCALE) as cloud:
            pipeline = Pipeline(cloud, cloud.deploy(Path(folder) / "cdk.out"))
            hurry(cloud)
            removals, unchecked = _prove(Proof(pipeline), parts)
    return _report(removals, unchecked, time.monotonic() - began)


def _prove(proof: Proof, parts: Sequence[str]) -> tuple[list[Removal], list[DeployedPermission]]:
    def is_wanted(permission: DeployedPermission) -> bool:
        return not parts or any(part in permission.role for part in parts)

    walks = []
    for walk in proof.walk():
        walks.append(walk)
        _tell(f"with every permission, {walk.lane.name}: {walk.scenario.name}")
    wanted = [permission for permission in proof.permissions() if is_wanted(permission)]
    removals = []
    for n, permission in enumerate(wanted, start=1):
        removals.append(proof.remove(permission, walks))
        _tell(
            f"{n} of {len(wanted)}, without {' '.join(_names(permission))}: {removals[-1].noticed or 'nobody notices'}"
        )
    return removals, [permission for permission in proof.unchecked() if is_wanted(permission)]


def _tell(progress: str) -> None:
    sys.stderr.write(f"{progress}\n")


def _report(removals: Sequence[Removal], unchecked: Sequence[DeployedPermission], seconds: float) -> int:
    console = console_for()
    table = Table(title="Permissions, each taken away in turn", title_justify="left", box=box.ASCII2, expand=True)
    for column, ratio in (("Role", 4), ("Action", 4), ("Resource", 5), ("Scenario", 3), ("Noticed by", 4)):
        table.add_column(column, overflow="fold", ratio=ratio)
    table.add_column("Denied call", overflow="fold", ratio=6)
    for removal in removals:
        table.add_row(*_names(removal.permission), removal.scenario or "none needs it", *_noticed(removal))
    for permission in unchecked:
        table.add_row(*_names(permission), "", Text("template only", "dim"), Text(reason(permission.action), "dim"))
    console.print(table)
    survivors = [removal for removal in removals if not removal.is_proven]
    roles = {permission.role for permission in (*unchecked, *(removal.permission for removal in removals))}
    console.print(
        f"{len(removals)} permissions of {len(roles)} roles were taken away in turn; "
        f"{len(removals) - len(survivors)} were noticed, {len(survivors)} were not. "
        f"{len(unchecked)} are checked in the template only. {seconds / 60:.0f} minutes."
    )
    for removal in survivors:
        console.print(f"Nobody noticed: {' '.join(_names(removal.permission))}", style="bold red")
    return 1 if survivors else 0


def _names(permission: DeployedPermission) -> tuple[str, str, str]:
    return permission.role.removesuffix("Role"), permission.action, permission.shown


def _noticed(removal: Removal) -> tuple[Text, Text]:
    noticed = Text(removal.noticed or "nobody", "" if removal.is_proven else "bold red")
    return noticed, Text(removal.denied or "none")


if __name__ == "__main__":
    sys.exit(main())
