"""`review approve`, `block`, `appeal`, `report`: a person's act about uploads that are named, or in a file."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import INTERRUPTED, CommandError
from gatehouse.cli.invocation import DryRun, Invocation, Yes, options_of
from gatehouse.cli.output import Output
from gatehouse.cli.progress import Countdown, progress
from gatehouse.cli.review.act_run import Acted, ActReport, ActRun, Outcome
from gatehouse.cli.review.named_upload import NamedUpload, named_uploads
from gatehouse.cli.review.reviewer import DisplayName, Note, reviewer
from gatehouse.cli.review.verdict_report import who
from gatehouse.moderation.decision import Act, Decision
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status

CLOCK = Clock()

_STDIN = "-"

NamesFile = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="Also the uploads in this file: one per line, or the output of `review list --output json` or a part of "
        "it; - for stdin.",
        show_default=False,
    ),
]
Rate = Annotated[float, typer.Option(min=0.01, metavar="N", help="Uploads a second, at most.")]
_DEFAULT_RATE = 50.0
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Decide even what another person has decided."),
]


@dataclass(frozen=True, slots=True)
class ActRequest:
    """What every act's command line says.

    Attributes:
        file: a path, `-` for standard input, or None.
    """

    file: str | None
    note: str | None
    name: str | None
    dry_run: bool
    yes: bool
    rate: float


def _request(
    file: NamesFile = None,
    note: Note = None,
    name: DisplayName = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    rate: Rate = _DEFAULT_RATE,
) -> ActRequest:
    return ActRequest(file, note, name, dry_run, yes, rate)


#: A command that acts on uploads: its first parameter is an `ActRequest`.
about_uploads = options_of(_request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """What a person wants of uploads.

    Attributes:
        act: what they do, at a moment in ISO 8601.
        status: that uploads get by it.
        reason: the code, of a deployment.
        names_versions: whether each upload has to be named by its version.
        replaces, unanalyzed: see `ActRun`.
    """

    act: Callable[[Person, Decision, str], Act]
    status: Status
    reason: Callable[[Deployment], str]
    names_versions: bool = False
    replaces: bool = False
    unanalyzed: bool = False

    def run(self, invocation: Invocation, request: ActRequest, uploads: Sequence[str] | None) -> None:
        """Act on the uploads that are named, and report.

        Raises:
            CommandError, DecisionRefusedError: nothing is named, or nobody may act so.
            typer.Exit: always; with 1 if an upload did not become what the person wants.
        """
        out, connection = invocation.out, invocation.connection
        if not uploads and request.file is None:
            raise CommandError("No upload is named. Write OBJECT@VERSION, or --file with a file of them.")
        asks = not (request.yes or request.dry_run)
        if request.file == _STDIN and asks:
            raise CommandError(
                "With --file -, there is no way to ask you for confirmation. Add --yes, or --dry-run to see what would "
                "happen."
            )
        out.ensure_answerable(yes=not asks)
        found = invocation.deployment
        decision = Decision(self.reason(found), request.note)
        names = self._names(found, request.file, uploads or ())
        person = reviewer(invocation, request.name)

        def act(at: str) -> Act:
            return self.act(person, decision, at)

        act(iso(CLOCK.now()))  # an invalid act is refused before anything is read or asked
        run = ActRun.of(
            *(connection, found, act, CLOCK),
            dry_run=request.dry_run,
            replaces=self.replaces,
            unanalyzed=self.unanalyzed,
        )
        intention = f"{self.status} by {who(person.decided_by, person.name)}, reason {decision.reason}"
        looked = None
        if asks:
            looked = ActReport()
            _run(out, replace(run, dry_run=True), names, looked)
            names = self._confirmed(out, looked, intention)
        elif request.yes:
            out.tell(f"{_uploads(len(names))} {'is' if len(names) == 1 else 'are'} named, to become {intention}.")
        report = ActReport()
        try:
            _run(out, run, names, report, None if request.dry_run else request.rate)
        except KeyboardInterrupt:
            out.tell("Interrupted. What was done stays done; run the same command again to go on with the rest.")
            raise typer.Exit(INTERRUPTED) from None
        finally:  # report what was done, whatever ended it
            if looked is not None:
                report = looked.after(report)
            head = {"dry_run": request.dry_run, "status": self.status.value, "reason": decision.reason}
            named = len(names) if looked is None else len(looked.uploads)
            out.document({**head, "by": person.decided_by, "named": named, **report.to_document()})
            self._show(out, report, is_dry=request.dry_run)
            for one in () if looked is not None and not names else report.explained:
                out.tell(f"  {one.name}: {one.why}")
        raise typer.Exit(1 if report.undone else 0)

    def _names(self, deployment: Deployment, file: str | None, written: Sequence[str]) -> list[NamedUpload]:
        """What is named, each once.

        Raises:
            CommandError: nothing is, or something that is not an upload.
        """
        bucket = deployment.upload_bucket
        names = [NamedUpload.parse(one, bucket) for one in written]
        if file is not None:
            names += named_uploads(_read(file), bucket)
        if not names:
            raise CommandError(
                f"{'The input' if file == _STDIN else file} names no upload, so nothing was changed. If it is from "
                f"`{COMMAND} review list`, nothing matched: list again with other options, such as a longer --since."
            )
        return list(dict.fromkeys(named.exactly if self.names_versions else named for named in names))

    def _confirmed(self, out: Output, looked: ActReport, intention: str) -> list[NamedUpload]:
        """The uploads that the person agreed to, as they were when it was asked.

        Raises:
            typer.Exit, CommandError: see `Output.confirm`.
        """
        ready = looked.done
        if ready:
            out.tell(f"{_uploads(len(ready))} will become {intention}: {_origins(ready)}.")
            if unanalyzed := sum(not one.is_analyzed for one in ready):
                out.tell(f"Never analyzed, by any engine: {unanalyzed:,}.")
        if already := looked.counts[Outcome.ALREADY]:
            out.tell(f"So already, by you and for this reason: {already:,}.")
        if undone := looked.undone:
            out.tell(f"Left as they are: {len(undone):,}.")
        for one in looked.explained:
            out.tell(f"  {one.name}: {one.why}")
        if ready:
            out.confirm()
        return [NamedUpload(*one.identity, seen=one.seen) for one in ready if one.identity]

    def _show(self, out: Output, report: ActReport, *, is_dry: bool) -> None:
        counts = report.counts
        if done := report.done:
            out.say(f"{'Would be ' if is_dry else ''}{self.status}: {len(done):,} ({_origins(done)}).", style="green")
        if already := counts[Outcome.ALREADY]:
            out.say(f"Already {self.status} by you, for this reason: {already:,}.")
        if lost := counts[Outcome.LOST]:
            out.say(
                f"Left alone, because they are not what you saw: {lost:,}. See what became of them with `{COMMAND} "
                "review show`, then decide again.",
                style="yellow",
            )
        if refused := counts[Outcome.REFUSED]:
            out.say(f"Refused: {refused:,}.", style="yellow")


def _run(out: Output, run: ActRun, names: Sequence[NamedUpload], report: ActReport, rate: float | None = None) -> None:
    """Run with progress."""
    done = "checked" if run.dry_run else "done"
    countdown = Countdown(len(names))
    with progress(out.progress) as tell:
        run.run(
            names,
            report,
            rate,
            lambda count: tell(f"{count:,} of {_uploads(len(names))} {done}{countdown.after(count)}"),
        )


def _origins(done: Sequence[Acted]) -> str:
    """How many of them had which status."""
    counts = Counter(one.seen[0].value for one in done if one.seen)
    return ", ".join(f"{count:,} from {status}" for status, count in sorted(counts.items()))


def _uploads(count: int) -> str:
    return f"{count:,} {'upload' if count == 1 else 'uploads'}"


def _read(file: str) -> str:
    """The content of a file.

    Raises:
        CommandError: it can't be read, or is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode() if file == _STDIN else Path(file).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} can't be read ({error}). Name a file of UTF-8 text.") from error
