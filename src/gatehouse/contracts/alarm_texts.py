"""What an alarm tells: its section of docs/operations.md, and the first command to run there.

The stacks write it into alarms' descriptions, and the command reads it from them.
"""

import re
from collections.abc import Mapping
from typing import Final

#: Places in a first command: the lane's name, and the logical name of the function that the alarm is about.
_LANE: Final = "LANE"
_FUNCTION: Final = "FUNCTION"

_ERRORS: Final = f"logs --function {_FUNCTION} --errors"
_OUTCOMES_ERRORS: Final = "logs --function Outcomes --errors"
_RESULTS: Final = "logs --function ResultsWriterResults --pattern"
_SWEEPER: Final = "logs --function Sweeper --pattern"

#: By the section's heading: what is typed behind `gatehouse` first.
FIRST_COMMANDS: Final[Mapping[str, str]] = {
    "Uploads in a dead-letter queue": f"queue show --lane {_LANE} --queue dead-letter",
    "Undelivered events": f"queue show --lane {_LANE} --queue undelivered",
    "Events lost": "reconcile --since 1d --report found.jsonl",
    "Backfill stopped": f"queue show --lane {_LANE} --queue backfill",
    "Uploads wait too long": f"logs --function {_FUNCTION} --pattern '{{ $.counts.UploadsBatched > 1000 }}'",
    "Work stands still": "doctor",
    "The batcher keeps failing": _ERRORS,
    "Active policy unknown": "policy status",
    "Verdicts missing": f"{_RESULTS} '{{ $.counts.VerdictsMissing > 0 }}'",
    "Result lines unmatched": (
        f"{_RESULTS} '{{ $.counts.UnmatchedResultLines > 0 || $.counts.UploadsUnanswered > 0 }}'"
    ),
    "Uploads failed": "batch list --since 1d",
    "Adapter ignored": "adapter list",
    "Model version changed": f"{_RESULTS} '{{ $.message = \"another model answered\" }}'",
    "Unknown label seen": f"{_RESULTS} '{{ $.message = \"unknown labels\" }}'",
    "Flagged share unusual": "policy status",
    "Bulk Analysis refused": f"{_RESULTS} '{{ $.message = \"image engine took over\" }}'",
    "The Analyzer keeps failing": _ERRORS,
    "The Analyzer is stopped as a loop": "doctor",
    "Analysis is throttled": "doctor",
    "Rekognition's calls fail": "doctor",
    "Chunks wait too long": "status",
    "Batches failed": "batch list",
    "Batches aborted": "batch list --status aborted",
    "Flags undelivered": "doctor",
    "Outcomes keeps failing": _OUTCOMES_ERRORS,
    "Changes announced late": _OUTCOMES_ERRORS,
    "Changes given up": "queue show --queue changes",
    "Changes unreadable": "logs --function Outcomes --pattern '{ $.message = \"unreadable\" }'",
    "Revocation late": "logs --function Outcomes --pattern '{ $.message = \"not tagged\" }'",
    "Approved images stay closed": "logs --function Outcomes --pattern '{ $.message = \"not opened\" }'",
    "Events not sent": "queue show --queue events",
    "Results keeps failing": f"{_RESULTS} '{{ $.message = \"not settled\" }}'",
    "Uploads stuck": f"{_SWEEPER} '{{ $.message = \"batch stuck\" }}'",
    "Batches overdue": f"{_SWEEPER} '{{ $.message = \"batch overdue\" }}'",
    "The sweeper keeps failing": f"{_SWEEPER} '{{ $.message = \"batch not swept\" }}'",
    "The sweeper does not run": "doctor",
    "The renderer keeps failing": "logs --function Renderer --errors",
    "Decoders are stopped": "logs --function Renderer --pattern '{ $.message = \"refused\" }'",
}

_FIRST: Final = re.compile(r" First: gatehouse (?P<command>.+)\.$")


def section_link(heading: str) -> str:
    """The link to a section of the operations guide, with the anchor that GitHub generates from its heading."""
    return "docs/operations.md#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def first_command(heading: str, *, lane: str | None = None, function: str | None = None) -> str:
    """What is typed behind `gatehouse` first when an alarm of this section rings.

    Args:
        lane: the lane that the alarm is about; must be given if the section is about lanes.
        function: the logical name of the function that it is about, such as `DefaultLaneBatcher`; likewise.

    Raises:
        KeyError: there is no such section, or it needs a lane or a function.
    """
    command = FIRST_COMMANDS[heading]
    for place, value in ((_LANE, lane), (_FUNCTION, function)):
        if place in command:
            if value is None:
                raise KeyError(f"{heading} needs its {place.lower()}")
            command = command.replace(place, value)
    return command


def alarm_text(meaning: str, heading: str, *, lane: str | None = None, function: str | None = None) -> str:
    """An alarm's description: what it means, its section, and the first command. Arguments as in `first_command`."""
    command = first_command(heading, lane=lane, function=function)
    return f"{meaning} See {section_link(heading)} First: gatehouse {command}."


def read_alarm_text(text: str) -> tuple[str, str | None]:
    """What an alarm means, with its section; and what is typed behind `gatehouse` first, or None if it says none."""
    found = _FIRST.search(text)
    return (text[: found.start()], found["command"]) if found else (text, None)
