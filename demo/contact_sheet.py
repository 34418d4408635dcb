"""One HTML page of all uploads of a demo: pictures, verdicts, labels, flags. It loads nothing and runs no script."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from demo.report import number, why
from gatehouse.console import spelled_out
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS

#: Pictures on one page; the table has them all.
MOST_PICTURES = 500

_ORDER = (Status.BLOCKED, Status.REVIEW, Status.APPROVED, Status.UNSUPPORTED, Status.FAILED)

_STYLE = Path(__file__).with_suffix(".css")


def contact_sheet(
    items: Sequence[Mapping[str, Any]],
    flagged_keys: Collection[str],
    thumbnails: Mapping[str, str],
    remarks: Sequence[str],
) -> str:
    """The page.

    Args:
        items: final verdict items, of which the first 500 are shown.
        flagged_keys: keys of which a flag was received.
        thumbnails: key -> `data:` URL; a key that has none gets a plain field.
        remarks: sentences above the pictures, for example who looked at them.
    """
    counts = Counter(Status(item[STATUS]) for item in items)
    present = [status for status in _ORDER if counts[status]]
    shown_items = items[:MOST_PICTURES]
    cards = "\n".join(_card(item, item["key"] in flagged_keys, thumbnails.get(item["key"])) for item in shown_items)
    left_out = f" The first {MOST_PICTURES} are shown." if len(items) > MOST_PICTURES else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Gatehouse contact sheet</title>
<style>
{_STYLE.read_text("utf-8")}
{_filters(present)}
</style>
</head>
<body>
<header>
<h1>{_counted(len(items), "upload")}, {_counted(len(flagged_keys), "flag")} received</h1>
<p class="lead">Pictures that were not approved are blurred: click one to see it, or press Space on it.{left_out}</p>
<div class="remarks">
{"".join(f"<p>{escape(remark)}</p>" for remark in remarks)}
</div>
<fieldset aria-label="Show uploads">
<label class="choice"><input type="radio" name="show" id="show-all" checked>All <b>{len(items)}</b></label>
{_choices(present, counts)}
</fieldset>
</header>
<main>
{cards}
</main>
</body>
</html>
"""


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _filters(present: Sequence[Status]) -> str:
    """Without a script: a chosen status hides the cards of the others."""
    return "\n".join(
        f"body:has(#show-{_name(status)}:checked) article:not(.{_name(status)}) {{ display: none; }}"
        for status in present
    )


def _choices(present: Sequence[Status], counts: Mapping[Status, int]) -> str:
    return "\n".join(
        f'<label class="choice {_name(status)}"><input type="radio" name="show" id="show-{_name(status)}">'
        f"{status.capitalize()} <b>{counts[status]}</b></label>"
        for status in present
    )


def _card(item: Mapping[str, Any], is_flag_received: bool, thumbnail: str | None) -> str:
    status = Status(item[STATUS])
    key = escape(spelled_out(item["key"]))
    flag, flag_class = ("flag received", "flag received") if is_flag_received else ("no flag", "flag")
    return f"""<article class="{_name(status)}">
{_picture(thumbnail, key, is_veiled=status != Status.APPROVED)}
<div class="words">
<div class="verdict"><span class="status">{status}</span><span class="{flag_class}">{flag}</span></div>
<h2><bdi>{key}</bdi></h2>
<p class="why">{escape(why(item))}</p>
{_labels(item)}
{_details(item)}
</div>
</article>"""


def _picture(thumbnail: str | None, key: str, *, is_veiled: bool) -> str:
    if thumbnail is None:
        return '<div class="picture">no preview</div>'
    image = f'<img src="{thumbnail}" alt="{key}" loading="lazy">'
    if not is_veiled:
        return f'<div class="picture">{image}</div>'
    return (
        f'<label class="picture veiled"><input type="checkbox" aria-label="Show {key}">{image}'
        '<span class="show" aria-hidden="true">Show</span><span class="hide" aria-hidden="true">Hide</span></label>'
    )


def _labels(item: Mapping[str, Any]) -> str:
    fired = {reason["label"] for reason in item.get("reasons", [])}
    found = sorted(item.get("labels", []), key=lambda label: -float(label["confidence"]))
    bars = "\n".join(
        f'<li{" class=fired" if label["name"] in fired else ""} style="--confidence: {float(label["confidence"])}%">'
        f"<span>{escape(spelled_out(label['name']))}</span><span>{number(label['confidence'])}</span></li>"
        for label in found
    )
    return f"<ul>\n{bars}\n</ul>" if bars else ""


def _details(item: Mapping[str, Any]) -> str:
    content_types = ", ".join(found["name"] for found in item.get("content_types", []))
    frames = item.get("frames")
    details = {
        "Content type": content_types,
        "Frames": f"{frames['judged']} of {frames['total']} judged" if frames else "",
        "Model": item.get("model_version"),
    }
    lines = "".join(
        f"<div><dt>{name}</dt><dd>{escape(spelled_out(text))}</dd></div>" for name, text in details.items() if text
    )
    return f"<dl>{lines}</dl>" if lines else ""


def _name(status: Status) -> str:
    return status.lower()
