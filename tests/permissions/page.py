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

from demo.synthesis import synthesize
from tests.permissions.bench import LANES, SETTINGS
from tests.permissions.granted import Template, permissions, roles
from tests.permissions.needed import needs
from tests.permissions.sources import ROOT

PAGE = ROOT / "docs" / "permissions.md"
BEGIN, END = "<!-- roles: written by python -m tests.permissions.page -->", "<!-- end of roles -->"

_VARIANT = re.compile(r"(Default|Live|Fast|Backfill)(?=Lane|Images|Analysis)")
_PRIORITIES = {"Default": "live", "Live": "live", "Fast": "fast", "Backfill": "backfill"}
#: In the order of the page; what is not here comes last, by its name.
_TITLES = {
    "LaneBatcher": "Batcher, a role for each lane",
    "AnalysisStateMachine": "Workflow, a role for each priority",
    "ImagesAnalyzer": "Analyzer, a role for each priority",
    "Renderer": "Renderer",
    "ResultsWriterResults": "Results",
    "Sweeper": "Sweeper",
    "Outcomes": "Outcomes",
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
    order = [*(kind for kind in _TITLES if kind in kinds), *sorted(set(kinds) - set(_TITLES))]
    return "\n\n".join(f"### {_TITLES.get(kind, kind)}\n\n{_table(template, kinds[kind])}" for kind in order)


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
            held[action, tuple(dict.fromkeys(names)), tuple(reasons[action, on])].append(priority)
    rows: dict[tuple[_Names, _Names, _Names], list[str]] = defaultdict(list)
    for (action, on_names, why), priorities in sorted(held.items()):
        rows[tuple(priorities), on_names, why].append(action)
    return rows


def _shown(resource: str) -> str:
    """A resource as all roles of a kind have it: what is one lane's own is named so."""
    text = re.sub(r"arn:\*:\w+:\*:\*:(parameter/)?", "", resource)
    text = re.sub(r"<\w+PolicyParameter>", "PolicyParameter of the lane", text)
    text = re.sub(rf"(?<=open/)({'|'.join(lane.name for lane in LANES)})(?=/)", "lane", text)
    return re.sub(r"<(\w+)>", r"\1", text)


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
