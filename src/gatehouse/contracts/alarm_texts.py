"""What an alarm tells: its name, how urgent it is, its section of docs/operations.md, and the first command there.

The stacks write it into alarms' names and descriptions, and the command reads it from them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How soon somebody has to act. The more urgent one comes first."""

    #: Now: uploads get no verdict, are approved by the wrong rules, or what is no longer approved can be read.
    PAGE = "page"
    #: In working hours: it is slower or dearer than it should be, or wants a decision.
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Section:
    """What docs/operations.md says first about its alarms.

    Attributes:
        first_command: with the places for a lane and a function still in it; see `first_command`.
    """

    severity: Severity
    first_command: str


@dataclass(frozen=True, slots=True)
class AlarmText:
    """What stands in an alarm's description.

    Attributes:
        severity: None if it does not say.
        meaning: with the link to its section.
        first_command: what is typed behind `gatehouse` first; None if it does not say.
    """

    severity: Severity | None
    meaning: str
    first_command: str | None


#: The key of the tag that says it, too, for whoever sorts alarms by tags.
SEVERITY_TAG: Final = "gatehouse-severity"

#: Where the docs are, for whoever has the checkout.
_DOCS: Final = "docs"

#: Places in a first command: the lane's name, and the logical name of the function that the alarm is about.
_LANE: Final = "LANE"
_FUNCTION: Final = "FUNCTION"

_ERRORS: Final = f"logs --function {_FUNCTION} --errors"
_OUTCOMES_ERRORS: Final = "logs --function Outcomes --errors"
_RESULTS: Final = "logs --function ResultsWriterResults --pattern"
_SWEEPER: Final = "logs --function Sweeper --pattern"


def _page(first_command: str) -> Section:
    return Section(Severity.PAGE, first_command)


def _ticket(first_command: str) -> Section:
    return Section(Severity.TICKET, first_command)


#: By the section's heading: how urgent its alarms are, and what is typed behind `gatehouse` first.
SECTIONS: Final[Mapping[str, Section]] = {
    "Uploads in a dead-letter queue": _page(f"queue show --lane {_LANE} --queue dead-letter"),
    "Undelivered events": _page(f"queue show --lane {_LANE} --queue undelivered"),
    "Events lost": _page("reconcile --since 1d --report found.jsonl"),
    "Backfill stopped": _ticket(f"queue show --lane {_LANE} --queue backfill"),
    "Uploads wait too long": _ticket(f"logs --function {_FUNCTION} --pattern '{{ $.counts.UploadsBatched > 1000 }}'"),
    "Work stands still": _page("doctor"),
    "The batcher keeps failing": _page(_ERRORS),
    "Active policy unknown": _page("policy status"),
    "Verdicts missing": _page(f"{_RESULTS} '{{ $.counts.VerdictsMissing > 0 }}'"),
    "Result lines unmatched": _ticket(
        f"{_RESULTS} '{{ $.counts.UnmatchedResultLines > 0 || $.counts.UploadsUnanswered > 0 }}'"
    ),
    "Uploads failed": _page("batch list --since 1d"),
    "Adapter ignored": _ticket("adapter list"),
    "Model version changed": _ticket(f"{_RESULTS} '{{ $.message = \"another model answered\" }}'"),
    "Unknown label seen": _ticket(f"{_RESULTS} '{{ $.message = \"unknown labels\" }}'"),
    "Flagged share unusual": _ticket("policy status"),
    "Bulk Analysis refused": _ticket(f"{_RESULTS} '{{ $.message = \"image engine took over\" }}'"),
    "The Analyzer keeps failing": _page(_ERRORS),
    "The Analyzer is stopped as a loop": _page("doctor"),
    "Analysis is throttled": _ticket("doctor"),
    "Rekognition's calls fail": _page("doctor"),
    "Chunks wait too long": _page("status"),
    "Batches failed": _ticket("batch list"),
    "Batches aborted": _ticket("batch list --status aborted"),
    "Flags undelivered": _page("doctor"),
    "Outcomes keeps failing": _page(_OUTCOMES_ERRORS),
    "Changes announced late": _page(_OUTCOMES_ERRORS),
    "Changes given up": _page("queue show --queue changes"),
    "Changes unreadable": _ticket("logs --function Outcomes --pattern '{ $.message = \"unreadable\" }'"),
    "Revocation late": _page("logs --function Outcomes --pattern '{ $.message = \"not tagged\" }'"),
    "Approved images stay closed": _ticket("logs --function Outcomes --pattern '{ $.message = \"not opened\" }'"),
    "Events not sent": _ticket("queue show --queue events"),
    "Results keeps failing": _page(f"{_RESULTS} '{{ $.message = \"not settled\" }}'"),
    "Uploads stuck": _page(f"{_SWEEPER} '{{ $.message = \"batch stuck\" }}'"),
    "Batches overdue": _ticket(f"{_SWEEPER} '{{ $.message = \"batch overdue\" }}'"),
    "The sweeper keeps failing": _ticket(f"{_SWEEPER} '{{ $.message = \"batch not swept\" }}'"),
    "The sweeper does not run": _ticket("doctor"),
    "The renderer keeps failing": _ticket("logs --function Renderer --errors"),
    "Decoders are stopped": _ticket("logs --function Renderer --pattern '{ $.message = \"refused\" }'"),
}

_SEVERITY: Final = re.compile(rf"\[(?P<severity>{'|'.join(Severity)})\] ")
_FIRST: Final = re.compile(r" First: gatehouse (?P<command>.+)\.$")


def alarm_name(deployment: str, what: str) -> str:
    """An alarm's name. No deployment's name contains a space, so another deployment's alarms begin differently."""
    return f"{alarm_prefix(deployment)}{what}"


def alarm_prefix(deployment: str) -> str:
    """How the names of a deployment's alarms begin."""
    return f"{deployment} "


def section_link(heading: str, docs_url: str | None = None) -> str:
    """The link to a section of the operations guide, with the anchor that GitHub generates from its heading.

    Args:
        docs_url: the address of the docs; None names the file.
    """
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"{docs_url or _DOCS}/operations.md#{anchor}"


def first_command(heading: str, *, lane: str | None = None, function: str | None = None) -> str:
    """What is typed behind `gatehouse` first when an alarm of this section rings.

    Args:
        lane: the lane that the alarm is about; must be given if the section is about lanes.
        function: the logical name of the function that it is about, such as `DefaultLaneBatcher`; likewise.

    Raises:
        KeyError: there is no such section, or it needs a lane or a function.
    """
    command = SECTIONS[heading].first_command
    for place, value in ((_LANE, lane), (_FUNCTION, function)):
        if place in command:
            if value is None:
                raise KeyError(f"{heading} needs its {place.lower()}")
            command = command.replace(place, value)
    return command


def alarm_text(
    meaning: str, heading: str, *, lane: str | None = None, function: str | None = None, docs_url: str | None = None
) -> str:
    """An alarm's description: how urgent it is, what it means, its section, and the first command.

    Arguments as in `first_command` and `section_link`.
    """
    command = first_command(heading, lane=lane, function=function)
    severity = SECTIONS[heading].severity
    return f"[{severity}] {meaning} See {section_link(heading, docs_url)} First: gatehouse {command}."


def read_alarm_text(text: str) -> AlarmText:
    """What an alarm's description says."""
    severity = None
    if urgent := _SEVERITY.match(text):
        severity = Severity(urgent["severity"])
        text = text[urgent.end() :]
    if first := _FIRST.search(text):
        return AlarmText(severity, text[: first.start()], first["command"])
    return AlarmText(severity, text, None)
