"""One HTML page of all uploads of a demo: pictures, verdicts, labels, flags. It loads nothing and runs no script."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

from demo.report import number, why
from gatehouse.console import spelled_out
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS

#: Pictures on one page; the table has them all.
MOST_PICTURES = 500

_ORDER = (Status.BLOCKED, Status.REVIEW, Status.APPROVED, Status.UNSUPPORTED, Status.FAILED)

_STYLE = """
:root { color-scheme: light dark; --page: #f6f6f3; --card: #fff; --text: #1d2125; --soft: #5b636b; --line: #d9dad5;
  --approved: #1a7f4b; --review: #8f5a00; --blocked: #b3261e; --unsupported: #5b636b; --failed: #86319c }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; --card: #1f2226; --text: #e8e9ea; --soft: #a4abb2;
  --line: #343940; --approved: #62c992; --review: #e3ad4f; --blocked: #ff8a80; --unsupported: #a4abb2;
  --failed: #d9a0ea } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif }
header, main, footer { max-width: 1280px; margin: 0 auto; padding: 0 16px }
header { padding-top: 24px }
h1 { font-size: 22px; margin: 0 0 4px }
p { margin: 0 0 8px; color: var(--soft) }
fieldset { border: 0; margin: 16px 0; padding: 0; display: flex; flex-wrap: wrap; gap: 8px }
fieldset label { border: 1px solid var(--line); border-radius: 99px; padding: 4px 12px; cursor: pointer;
  background: var(--card) }
fieldset input { margin: 0 6px 0 0; accent-color: currentColor }
fieldset label:has(:checked) { border-color: currentColor; font-weight: 600 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(280px, 100%), 1fr)); gap: 16px }
article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  display: flex; flex-direction: column }
.picture { position: relative; aspect-ratio: 4 / 3; background: var(--page); display: grid; place-items: center;
  overflow: hidden; color: var(--soft) }
.picture img { width: 100%; height: 100%; object-fit: contain }
.hidden img { filter: blur(24px) grayscale(1); transform: scale(1.1) }
.hidden:has(:checked) img { filter: none; transform: none }
.hidden { cursor: pointer }
.hidden span { position: absolute; left: 8px; bottom: 8px; padding: 2px 10px; border-radius: 99px;
  background: var(--card); color: var(--text); font-size: 13px; border: 1px solid var(--line) }
.hidden input { margin: 0 6px 0 0 }
.words { padding: 12px }
h2 { font-size: 15px; margin: 0 0 6px; overflow-wrap: anywhere }
.status { font-size: 12px; font-weight: 700; letter-spacing: .04em }
.why { margin: 6px 0; overflow-wrap: anywhere }
ul { list-style: none; margin: 8px 0 0; padding: 0; font-size: 13px }
li { display: grid; grid-template-columns: 1fr auto; gap: 0 8px; margin-bottom: 6px; overflow-wrap: anywhere }
meter { grid-column: 1 / -1; width: 100%; height: 8px }
small { color: var(--soft); display: block; margin-top: 8px }
:focus-visible { outline: 3px solid #3b82f6; outline-offset: 2px }
footer { padding-top: 16px; padding-bottom: 32px }
"""


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
        remarks: sentences below the pictures, for example who looked at them.
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
<style>{_STYLE}{_filters(present)}</style>
</head>
<body>
<header>
<h1>{len(items)} uploads, {len(flagged_keys)} flags</h1>
<p>What was flagged is blurred until you click it, or press Space on it.{left_out}</p>
<fieldset aria-label="Show">
<label><input type="radio" name="show" id="show-all" checked>all {len(items)}</label>
{_choices(present, counts)}
</fieldset>
</header>
<main>
{cards}
</main>
<footer>
{"".join(f"<p>{escape(remark)}</p>" for remark in remarks)}
</footer>
</body>
</html>
"""


def _filters(present: Sequence[Status]) -> str:
    """Without a script: a chosen status hides the cards of the others."""
    rules = (
        f"body:has(#show-{_name(status)}:checked) article:not(.{_name(status)}) {{ display: none }}"
        for status in present
    )
    colors = (f".{_name(status)} .status {{ color: var(--{_name(status)}) }}" for status in present)
    return "\n".join((*rules, *colors))


def _choices(present: Sequence[Status], counts: Mapping[Status, int]) -> str:
    return "\n".join(
        f'<label><input type="radio" name="show" id="show-{_name(status)}">{status} {counts[status]}</label>'
        for status in present
    )


def _card(item: Mapping[str, Any], is_flag_received: bool, thumbnail: str | None) -> str:
    status = Status(item[STATUS])
    key = escape(spelled_out(item["key"]))
    flag = "flag received" if is_flag_received else "no flag"
    return f"""<article class="{_name(status)}">
{_picture(thumbnail, key, is_blurred=status in FLAGGED)}
<div class="words">
<h2>{key}</h2>
<div class="status">{status}</div>
<p class="why">{escape(why(item))}</p>
{_labels(item)}
<small>{"; ".join(escape(remark) for remark in (*_remarks(item), flag))}</small>
</div>
</article>"""


def _picture(thumbnail: str | None, key: str, *, is_blurred: bool) -> str:
    if thumbnail is None:
        return '<div class="picture">no preview</div>'
    image = f'<img src="{thumbnail}" alt="{key}" loading="lazy">'
    if not is_blurred:
        return f'<div class="picture">{image}</div>'
    return (
        f'<label class="picture hidden">{image}<span><input type="checkbox" aria-label="Show {key}">show</span></label>'
    )


def _labels(item: Mapping[str, Any]) -> str:
    found = sorted(item.get("labels", []), key=lambda label: -float(label["confidence"]))
    bars = "\n".join(
        f"<li><span>{escape(label['name'])}</span><span>{number(label['confidence'])}</span>"
        f'<meter min="0" max="100" value="{float(label["confidence"])}"></meter></li>'
        for label in found
    )
    return f"<ul>\n{bars}\n</ul>" if bars else ""


def _remarks(item: Mapping[str, Any]) -> list[str]:
    content_types = ", ".join(found["name"] for found in item.get("content_types", []))
    frames = item.get("frames")
    return [
        *([content_types] if content_types else []),
        *([f"{frames['judged']} of {frames['total']} frames judged"] if frames else []),
        *([f"model {item['model_version']}"] if item.get("model_version") else []),
    ]


def _name(status: Status) -> str:
    return status.lower()
