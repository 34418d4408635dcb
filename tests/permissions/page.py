"""The tables of docs/permissions.md, made of the template and the sources.

`python -m tests.permissions.page` writes them. A test fails while the page says anything else.
"""

import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from local.synthesis import synthesize
from tests.permissions.bench import SETTINGS
from tests.permissions.granted import Template, permissions, roles
from tests.permissions.needed import needs
from tests.permissions.sources import ROOT

PAGE = ROOT / "docs" / "permissions.md"
BEGIN, END = "<!-- roles: written by python -m tests.permissions.page -->", "<!-- end of roles -->"

_VARIANT = re.compile(r"(Default|Live|Fast|Backfill)(?=Lane|Images|Analysis)")
_PRIORITIES = {"Default": "live", "Live": "live", "Fast": "fast", "Backfill": "backfill"}
_TITLES = {
    "LaneBatcher": "Batcher, a role for each lane",
    "ImagesAnalyzer": "Analyzer, a role for each priority",
    "AnalysisStateMachine": "Workflow, a role for each priority",
    "ResultsWriterResults": "Results",
}

#: Priorities that have it, its resources, why -> the actions.
_Names = tuple[str, ...]
_Rows = Mapping[tuple[_Names, _Names, _Names], list[str]]


def role_tables(template: Template) -> str:
    """What each kind of role may do, on what, and who needs it, in Markdown."""
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for role, logical_id in sorted(roles(template).items()):
        variant = _VARIANT.match(role)
        kind = _VARIANT.sub("", role).removesuffix("Role")
        kinds[kind][_PRIORITIES[variant.group()] if variant else ""] = logical_id
    parts = [f"### {_TITLES.get(kind, kind)}\n\n{_table(template, of)}" for kind, of in sorted(kinds.items())]
    return "\n\n".join(parts)


def replaced(page: str, tables: str) -> str:
    """The page with other tables."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


def _table(template: Template, of: Mapping[str, str]) -> str:
    lines = ["| may | on | because |", "| --- | --- | --- |"]
    for (priorities, resources, reasons), actions in _rows(template, of).items():
        only = "" if set(priorities) == set(of) else f" ({_listed(priorities)} only)"
        lines.append(f"| {_code(actions)}{only} | {_code(resources)} | {_listed(reasons)} |")
    return "\n".join(lines)


def _rows(template: Template, of: Mapping[str, str]) -> _Rows:
    held: dict[tuple[str, _Names, _Names], list[str]] = defaultdict(list)
    for priority, role in of.items():
        reasons = needs(template, role)
        resources: dict[tuple[str, str], list[str]] = defaultdict(list)
        for permission in sorted(permissions(template, role)):
            resources[permission.action, permission.on].append(_shown(permission.resource))
        for (action, on), names in resources.items():
            held[action, tuple(names), tuple(reasons[action, on])].append(priority)
    rows: dict[tuple[_Names, _Names, _Names], list[str]] = defaultdict(list)
    for (action, on_names, why), priorities in sorted(held.items()):
        rows[tuple(priorities), on_names, why].append(action)
    return rows


def _shown(resource: str) -> str:
    text = re.sub(r"arn:\*:\w+:\*:\*:(parameter/)?", "", resource)
    return re.sub(r"<(\w+)>", r"\1", re.sub(r"<\w+PolicyParameter>", "the lane's PolicyParameter", text))


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" if re.fullmatch(r"\w+\.\w+", name) else name for name in names)


def main() -> None:
    """Write the tables into the page."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-permissions-") as folder:
        settings = Path(folder) / "gatehouse.yaml"
        settings.write_text(SETTINGS, encoding="utf-8")
        synthesize(Path(folder) / "cdk.out", settings=settings)
        template = json.loads((Path(folder) / "cdk.out" / "gatehouse-pipeline.template.json").read_text("utf-8"))
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), role_tables(template)), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is up to date.\n")


if __name__ == "__main__":
    main()
