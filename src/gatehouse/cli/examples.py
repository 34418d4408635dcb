"""Examples that stand at the end of each command's help; tests/cli/test_help.py parses every one."""

from collections.abc import Mapping
from typing import Final

from gatehouse.cli.command_name import COMMAND

_BATCH = "0123456789abcdef0123456789abcdef"
_ADAPTER = "arn:aws:rekognition:eu-west-1:123456789012:project/shop/version/first/1764500000000"
_VERSION = "00000000000000000000000055aed6dcd90281e5"

#: By the command's path: what is typed behind `gatehouse`.
EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "verdict": (
        "verdict incoming/cat.jpg",
        "verdict incoming/cat.jpg --watch",
        "verdict incoming/cat.jpg --version-id 3HL4kqtJlcpXroDTDmJ",
        "verdict s3://bucket/incoming/cat.jpg --history --output json",
    ),
    "list": (
        "list --since 12h",
        "list --status FAILED --lane default --limit 20",
        "list --status APPROVED --prefix incoming/ --since 7d --output json",
    ),
    "upload": (
        "upload cat.jpg --prefix incoming/",
        "upload cat.jpg dog.png --no-wait",
        "upload banner.png --overwrite --timeout 10 --output json",
    ),
    "export": (
        "export --since 30d --status REVIEW --status BLOCKED --format csv --to flagged.csv",
        "export --since 2026-11-01 --until 2026-12-01 --to november.jsonl",
    ),
    "gate policy": ("gate policy", "gate policy --remove"),
    "gate fill": ("gate fill --dry-run", "gate fill --yes"),
    "gate check": ("gate check", "gate check --repair --no-probe", "gate check --output json"),
    "review open": ("review open", "review open --port 8010 --name Kim"),
    "review list": (
        "review list --since 7d",
        "review list --reason Alcohol --output json",
        "review list --samples --output json",
    ),
    "review show": ("review show incoming/cat.jpg",),
    "review approve": (
        f"review approve incoming/cat.jpg@{_VERSION} --reason context",
        "review approve --file waiting.json --reason false-positive --dry-run",
    ),
    "review block": ('review block incoming/cat.jpg --reason policy-violation --note "an advert for a casino"',),
    "review confirm": (
        f"review confirm incoming/cat.jpg@{_VERSION}",
        "review confirm --file samples.json --dry-run",
    ),
    "review appeal": ('review appeal incoming/cat.jpg --note "the owner says it is a toy"',),
    "review report": (
        'review report incoming/cat.jpg --note "two visitors complained"',
        "review report --file complaints.txt --yes",
    ),
    "review history": ("review history incoming/cat.jpg",),
    "review stats": ("review stats --since 30d", "review stats --lane default --thresholds --output json"),
    "status": ("status", "status --watch", "status --output json"),
    "doctor": ("doctor", "doctor --before-deploy --region eu-west-1", "doctor --output json"),
    "logs": (
        "logs --errors --since 1h",
        f"logs --batch {_BATCH}",
        """logs --function Sweeper --pattern '{ $.message = "batch stuck" }'""",
    ),
    "moderate start": (
        "moderate start --dry-run",
        "moderate start --prefix incoming/ --suffix .jpg --suffix .png --until 2026-11-01 --max-cost 500",
        "moderate start --inventory inventory/manifest.json --yes --output json",
    ),
    "moderate status": ("moderate status", "moderate status --output json"),
    "moderate pause": ("moderate pause",),
    "moderate resume": ("moderate resume", "moderate resume --max-cost 1500 --yes"),
    "moderate cancel": ("moderate cancel",),
    "queue list": ("queue list",),
    "queue show": ("queue show --lane default --queue dead-letter", "queue show --lane default --output json"),
    "queue redrive": ("queue redrive --dry-run", "queue redrive --reason never-claimed --prefix incoming/ --limit 100"),
    "queue drop": ("queue drop --reason malformed",),
    "batch list": ("batch list --since 1d", "batch list --status running"),
    "batch show": (f"batch show {_BATCH}",),
    "batch resubmit": (f"batch resubmit {_BATCH} --dry-run",),
    "jobs list": ("jobs list", "jobs list --since 30d --status FAILED --output json"),
    "jobs show": (f"jobs show {_BATCH * 2} --results 100",),
    "retry": ("retry --status FAILED --since 1d --dry-run", "retry --status FAILED --code NotAnalyzed"),
    "policy validate": ("policy validate", "policy validate policies/standard.yaml"),
    "policy status": ("policy status",),
    "policy diff": ("policy diff standard policies/standard.yaml --since 2d",),
    "policy apply": (
        "policy apply policies/standard.yaml --since 30d",
        "policy apply policies/standard.yaml --publish",
    ),
    "policy explain": ("policy explain incoming/cat.jpg", "policy explain s3://bucket/cat.jpg --policy strict.yaml"),
    "policy judge": ("policy judge standard answer.json",),
    "adapter export": (
        "adapter export --to s3://training/first --since 90d --dry-run",
        "adapter export --to s3://training/first --label spam=Gambling",
    ),
    "adapter train": ("adapter train --manifest s3://training/first/manifest.jsonl --project shop --version first",),
    "adapter list": ("adapter list", "adapter list --output json"),
    "adapter compare": (f"adapter compare {_ADAPTER} --policy standard",),
    "reconcile": (
        "reconcile",
        "reconcile --prefix incoming/ --since 7d --report found.jsonl",
        "reconcile --inventory inventory/2026-11-25T01-00Z/manifest.json",
    ),
    "upload-again": ("upload-again incoming/cat.jpg", "upload-again --report found.jsonl"),
    "completion": ("completion bash",),
}


#: Of the groups, likewise: how one goes about it.
GROUP_EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "review": (
        "review list --since 7d",
        "review open",
        f"review approve incoming/cat.jpg@{_VERSION} --reason context",
        "review block incoming/cat.jpg --reason policy-violation",
    ),
    "policy": (
        "policy explain incoming/cat.jpg",
        "policy validate policies/standard.yaml",
        "policy diff standard policies/standard.yaml --since 30d",
        "policy apply policies/standard.yaml",
    ),
    "gate": (
        "gate fill",
        "gate check",
        "gate check --repair --no-probe",
        "gate policy",
    ),
    "adapter": (
        "adapter export --to s3://training/first --since 90d",
        "adapter train --manifest s3://training/first/manifest.jsonl --project shop --version first",
        f"adapter compare {_ADAPTER} --policy standard",
    ),
    "queue": ("queue list", "queue show --lane default", "queue redrive --dry-run", "queue redrive"),
    "batch": ("batch list --since 1d", f"batch show {_BATCH}", f"batch resubmit {_BATCH} --dry-run"),
    "jobs": ("jobs list", f"jobs show {_BATCH * 2}"),
    "moderate": (
        "moderate start --dry-run",
        "moderate start --prefix incoming/ --max-cost 500",
        "moderate status",
        "moderate resume",
    ),
}


def epilog(path: str) -> str:
    r"""What stands below a command's or a group's help. `\b` in front of a paragraph keeps its lines as they are."""
    lines = "\n".join(f"  {COMMAND} {example}" for example in (EXAMPLES.get(path) or GROUP_EXAMPLES[path]))
    return f"\b\nExamples:\n{lines}"
