"""Real waits of a live policy change, divided by `PART`: the functions' and the command's keep their proportion.

A function looks at the pointer again after half a minute, and `policy apply` waits for a minute. No clock of the local
cloud drives these waits.
"""

import shutil
from pathlib import Path

from gatehouse.cli.aws.policy_parameters import FOLLOWED_AFTER
from gatehouse.cli.policy.replay_run import AWAIT_SECONDS, LOOK_SECONDS
from lambdas.batcher.active_policies import MAX_AGE

PART = 5

#: What `Terminal` replaces in the command.
COMMAND_CONSTANTS = {
    "gatehouse.cli.policy.apply_run.FOLLOWED_AFTER": FOLLOWED_AFTER / PART,
    "gatehouse.cli.policy.replay_run.LOOK_SECONDS": LOOK_SECONDS / PART,
    "gatehouse.cli.policy.replay_run.AWAIT_SECONDS": AWAIT_SECONDS / PART,
}


def with_short_waits(assembly: Path, folder: Path) -> Path:
    """A copy of a cloud assembly, in `folder`, whose batchers look at the pointer more often."""
    copy = folder / "short-waits.cdk.out"
    shutil.copytree(assembly, copy)
    (module,) = copy.glob("asset.*/lambdas/batcher/active_policies.py")
    text = module.read_text("utf-8")
    assert text.count(f"MAX_AGE = {MAX_AGE}\n") == 1
    module.write_text(text.replace(f"MAX_AGE = {MAX_AGE}\n", f"MAX_AGE = {MAX_AGE / PART}\n"), "utf-8")
    return copy
