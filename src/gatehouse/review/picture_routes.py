"""The pictures: streamed from S3 through the app, by the version that was judged, never by a public address."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gatehouse.cli.aws.upload_bucket import PictureNotShownError, StoredPicture
from gatehouse.review.bench import Bench
from gatehouse.review.endpoint import answered


def routes(bench: Bench) -> list[Route]:
    """The routes, for one reviewer."""

    @answered
    async def picture(request: Request) -> Response:
        identity = request.query_params["object"], request.query_params["version"]

        def find() -> StoredPicture:
            upload = bench.upload(identity)
            if upload is None:
                raise PictureNotShownError("There is no such upload.")
            return bench.uploads.picture(upload)

        try:
            found = await run_in_threadpool(find)
        except PictureNotShownError as error:
            return JSONResponse({"error": "picture", "why": str(error)}, 404)
        headers = {"Content-Length": str(found.size), "Content-Disposition": "inline"}
        return StreamingResponse(found.chunks, media_type=found.content_type, headers=headers)

    return [Route("/picture", picture)]
