"""The pages on which people decide, and what their script asks for: what is next, holds, skips."""

from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gatehouse.aws.verdict_table import Identity
from gatehouse.cli.review.listed_uploads import ReviewSelection
from gatehouse.moderation.decision import MAX_NOTE, OTHER, DecisionRefusedError
from gatehouse.moderation.document import of_kind, text, whole
from gatehouse.moderation.moment import iso
from gatehouse.moderation.review_hold import is_held_by_another
from gatehouse.moderation.status import Status
from gatehouse.review.bench import AGES, DEFAULT_AGE, STATUSES, Bench, describe
from gatehouse.review.decision_routes import decided
from gatehouse.review.desk import WAIT_SECONDS
from gatehouse.review.endpoint import answered, document
from gatehouse.review.rendering import page, rendered
from gatehouse.review.shown_upload import others
from gatehouse.review.upload_document import TILE, UPLOAD, upload_document

#: Uploads that a page may hold at once: those of a grid.
_MOST_HELD = 60
#: What a decision has for a reason until the reviewer chooses another one; the first that the deployment has.
_FIRST_REASONS = {Status.APPROVED: ("false-positive", "context"), Status.BLOCKED: ("policy-violation", "spam")}


def routes(bench: Bench) -> list[Route]:
    """The routes, for one reviewer."""

    async def review(request: Request) -> Response:
        return page("review.html", "/", _shell(bench, request))

    async def grid(request: Request) -> Response:
        return page("grid.html", "/grid", _shell(bench, request))

    @answered
    async def following(request: Request) -> Response:
        asked = await document(request)
        name, want = text(asked["page"]), min(whole(asked["want"]), _MOST_HELD)
        selection = bench.selection({key: text(value) for key, value in of_kind(asked["filters"], dict).items()})
        template = TILE if asked.get("view") == "grid" else UPLOAD

        def find() -> dict[str, Any]:
            verdicts = bench.waiting.next(name, selection, want)
            return {
                "uploads": [upload_document(bench, verdict, template) for verdict in verdicts],
                **_state(bench, selection),
            }

        return JSONResponse(await run_in_threadpool(find))

    @answered
    async def named(request: Request) -> Response:
        asked = await document(request)
        name, identity = text(asked["page"]), describe(asked)

        def find() -> Response:
            verdict = bench.verdict(identity)
            if verdict is None:
                return _told(404, "gone", "This upload has no verdict that people can decide on; it may have expired.")
            try:
                mine = bench.waiting.take(name, verdict)
            except DecisionRefusedError as error:
                return _told(409, "held", str(error))
            if mine is None:
                return _told(409, "held", "it was changed or taken a moment ago")
            return JSONResponse({"uploads": [upload_document(bench, mine, UPLOAD)]})

        return await run_in_threadpool(find)

    @answered
    async def keep(request: Request) -> Response:
        asked = await document(request)
        name, believed = text(asked["page"]), [describe(each) for each in of_kind(asked["held"], list)]
        heard = whole(asked["heard"])

        def look() -> dict[str, Any]:
            return {
                "lost": _lost(bench, name, believed),
                "news": [{**news.to_document(), "number": n} for n, news in bench.desk.news(name, heard)],
                "waiting": [
                    {**pending.entry.to_document(), "group": pending.group, "seconds": max(seconds, 0.0)}
                    for pending, seconds in bench.desk.waiting(name)
                ],
                "decided": bench.desk.decided,
                "unsent": [
                    {**entry.to_document(), "again": bench.desk.can_send_again(entry.id)} for entry in bench.desk.unsent
                ],
            }

        return JSONResponse(await run_in_threadpool(look))

    @answered
    async def skip(request: Request) -> Response:
        asked = await document(request)
        name, identity = text(asked["page"]), describe(asked)
        with suppress(OSError):  # a full disk is no reason to look at it longer
            bench.desk.journal.skipped(identity, bench.person.decided_by, iso(bench.clock.now()))
        await run_in_threadpool(bench.waiting.skip, name, identity)
        return JSONResponse({})

    @answered
    async def leave(request: Request) -> Response:
        asked = await document(request)
        name = text(asked["page"])
        unheard = [decided(bench, name, each) for each in of_kind(asked.get("decisions", []), list)]
        taken_back = [text(group) for group in of_kind(asked.get("undone", []), list)]

        def go() -> None:
            for decide_on in unheard:
                with suppress(DecisionRefusedError):  # nobody is there to be told; whoever comes next finds the upload
                    decide_on()
            for group in taken_back:
                bench.desk.undo(group)
            bench.waiting.leave(name)  # first, as the next page may ask already
            bench.desk.send_now(name)

        await run_in_threadpool(go)
        return JSONResponse({})

    @answered
    async def context(request: Request) -> Response:
        identity = request.query_params["object"], request.query_params["version"]

        def find() -> str:
            now = bench.clock.now()
            values = {
                "versions": others(bench.other_versions(identity), now),
                "neighbors": others(bench.neighbors(identity), now),
            }
            return rendered("context.html", values)

        return HTMLResponse(await run_in_threadpool(find))

    return [
        Route("/", review),
        Route("/grid", grid),
        Route("/context", context),
        Route("/next", following, methods=["POST"]),
        Route("/named", named, methods=["POST"]),
        Route("/keep", keep, methods=["POST"]),
        Route("/skip", skip, methods=["POST"]),
        Route("/leave", leave, methods=["POST"]),
    ]


def _shell(bench: Bench, request: Request) -> dict[str, Any]:
    """What a page needs before it knows any upload."""
    asked = request.query_params
    reasons = bench.deployment.decision_reasons
    return {
        **bench.masthead,
        "lanes": sorted(bench.deployment.lanes),
        "statuses": {status.value: words for status, words in STATUSES.items()},
        "ages": AGES,
        "filters": {
            "status": asked.get("status", Status.REVIEW.value),
            "age": asked.get("age", DEFAULT_AGE),
            **{name: asked.get(name, "") for name in ("lane", "label", "appeals", "reports")},
        },
        "named": {"object": asked.get("object", ""), "version": asked.get("version", "")},
        "reasons": reasons,
        "first": {
            status.value: next((code for code in codes if code in reasons), reasons[0])
            for status, codes in _FIRST_REASONS.items()
        },
        "needs_note": OTHER,
        "most_note": MAX_NOTE,
        "wait_seconds": WAIT_SECONDS,
    }


def _state(bench: Bench, selection: ReviewSelection) -> dict[str, Any]:
    counts = bench.waiting.counts(selection)
    return {
        "left": counts.waiting,
        "elsewhere": counts.elsewhere,
        "is_all": counts.is_all,
        "decided": bench.desk.decided,
    }


def _lost(bench: Bench, name: str, believed: list[Identity]) -> list[dict[str, str]]:
    """Uploads that the page holds no more, with why; none where AWS does not answer, as the rest has to be told."""
    try:
        lost = bench.waiting.keep(name, believed)
        return [{"object": uri, "version": version, "why": _why_lost(bench, uri, version)} for uri, version in lost]
    except (ClientError, BotoCoreError):
        return []


def _why_lost(bench: Bench, uri: str, version: str) -> str:
    """What became of an upload that the page held."""
    verdict = bench.verdict((uri, version))
    if verdict is None:
        return "its verdict has expired, or it is analyzed again"
    if verdict.review_claim and is_held_by_another(verdict, bench.person, bench.clock.now()):
        return f"{verdict.review_claim.by} is looking at it until {verdict.review_claim.until}"
    if verdict.status is Status.REVIEW or verdict.is_sample:
        return "this page was silent for some minutes, so it was given back"
    by = f" by {verdict.decided_by}" if verdict.decided_by else ""
    return f"it is {verdict.status}{by} since {verdict.decided_at}"


def _told(status: int, error: str, why: str) -> JSONResponse:
    return JSONResponse({"error": error, "why": why}, status)
