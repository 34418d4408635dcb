"""`policy judge`: judges an answer from Rekognition by a policy."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.policy.explanation_report import explanation_document, policy_words, reason_line, show_explanation
from gatehouse.cli.policy.policy_source import SOURCE_HELP, read_policy_file, sources_of
from gatehouse.moderation.analysis import Analysis, ResultLineError, parse_answer, parse_result_line
from gatehouse.moderation.policy.explanation import explain

_STDIN = "-"


@about_deployment
def judge(
    invocation: Invocation,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help=f"The policy: {SOURCE_HELP}.")],
    answer: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER",
            help="A file with an answer from DetectModerationLabels, or one line of a job's results; - for stdin.",
        ),
    ],
) -> None:
    """Judge an answer from Rekognition by a policy, and explain it. Works offline if POLICY is a file."""
    out = invocation.out
    analysis = _analysis(answer)
    found = read_policy_file(policy)
    if found is None:
        found = sources_of(invocation).resolve(policy)
    explanation = explain(analysis, found)
    judgment = explanation.judgment
    out.document(explanation_document(explanation, found))
    out.say(f"{judgment.status} under {policy_words(found)}", style="bold")
    for reason in judgment.reasons:
        out.say(f"  {reason_line(reason)}")
    out.say()
    show_explanation(out, explanation)


def _analysis(source: str) -> Analysis:
    where = "The input on stdin" if source == _STDIN else source
    try:
        content = sys.stdin.buffer.read() if source == _STDIN else Path(source).read_bytes()
        text = content.decode("utf-8-sig")
        document = json.loads(text)
        if isinstance(document, dict) and "source-ref" in document:
            analysis = parse_result_line(text).analysis
        else:
            analysis = parse_answer(document)
    except OSError as error:
        raise CommandError(f"{where} can't be read: {error.strerror}; name a file, or - for stdin.") from error
    except ResultLineError as error:
        raise CommandError(f"{where} is not an answer from DetectModerationLabels: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{where} is not one JSON document: {error}; use one line of a result file.") from error
    if analysis is None:
        raise CommandError(f"{where} says that the image could not be analyzed; there is nothing to judge.")
    return analysis
