"""What the script sends when people decide, undo, and deal with what could not be sent."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gatehouse.moderation.decision import Decision, DecisionRefusedError
from gatehouse.moderation.document import of_kind, optional_text, text
from gatehouse.moderation.status import Status
from gatehouse.review.bench import Bench, describe
from gatehouse.review.endpoint import answered, document
from gatehouse.review.upload_document import TILE, UPLOAD, upload_document


def decided(bench: Bench, page: str, asked: Mapping[str, Any]) -> Callable[[], None]:
    """What a page decided on uploads that it holds, to be handed to the desk.

    Raises:
        one of `MISSHAPEN`: the page sent something else. What is returned raises DecisionRefusedError.
    """
    group, status = text(asked["group"]), Status(text(asked["status"]))
    note = (optional_text(asked.get("note")) or "").strip() or None
    decision = Decision(text(asked["reason"]), note)
    identities = [describe(each) for each in of_kind(asked["uploads"], list)]

    def hand_over() -> None:
        if bench.desk.has_taken(group):  # what it wrote is held no more
            return
        seen = [bench.waiting.seen(page, identity) for identity in identities]
        held = [verdict for verdict in seen if verdict is not None]
        if len(held) < len(seen):
            raise DecisionRefusedError("you no longer hold all of these uploads, so nothing was decided")
        bench.desk.decide(page, held, status, decision, group)

    return hand_over


def routes(bench: Bench) -> list[Route]:
    """The routes, for one reviewer."""

    @answered
    async def decide(request: Request) -> Response:
        asked = await document(request)
        decide_on = decided(bench, text(asked["page"]), asked)

        def settle() -> Response:
            try:
                decide_on()
            except DecisionRefusedError as error:
                why = str(error)
                return JSONResponse({"error": "refused", "why": f"{why[0].upper()}{why[1:]}."}, 422)
            return JSONResponse({})

        return await run_in_threadpool(settle)

    @answered
    async def undo(request: Request) -> Response:
        asked = await document(request)
        group, template = text(asked["group"]), TILE if asked.get("view") == "grid" else UPLOAD

        def take_back() -> Response:
            undone = bench.desk.undo(group)
            if not undone:
                why = "There is nothing to undo: your last decision was sent. You can find it and decide again."
                return JSONResponse({"error": "sent", "why": why}, 409)
            uploads = [upload_document(bench, pending.seen, template) for pending in undone]
            return JSONResponse({"uploads": uploads})

        return await run_in_threadpool(take_back)

    @answered
    async def again(request: Request) -> Response:
        entry = text((await document(request))["id"])
        news = await run_in_threadpool(bench.desk.send_again, entry)
        if news is None:
            why = "The page does not know any more what you saw then. Look at the upload, and decide again."
            return JSONResponse({"error": "forgotten", "why": why}, 409)
        return JSONResponse(news.to_document())

    @answered
    async def dismiss(request: Request) -> Response:
        await run_in_threadpool(bench.desk.dismiss, text((await document(request))["id"]))
        return JSONResponse({})

    return [
        Route("/decide", decide, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
        Route("/again", again, methods=["POST"]),
        Route("/dismiss", dismiss, methods=["POST"]),
    ]
