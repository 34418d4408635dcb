"""The app: its routes behind the lock. Another page is another module with `routes`, and a line in `PAGES`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from gatehouse.review import decision_routes, jobs_routes, numbers_routes, picture_routes, review_routes
from gatehouse.review.bench import Bench
from gatehouse.review.lock import Lock
from gatehouse.review.rendering import FOLDER

_ROUTES = (
    review_routes.routes,
    decision_routes.routes,
    picture_routes.routes,
    numbers_routes.routes,
    jobs_routes.routes,
)


def application(bench: Bench, port: int) -> Lock:
    """The app of one reviewer, to be served on 127.0.0.1 at this port. When it stops, it sends what waits."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        bench.start()
        yield
        await run_in_threadpool(bench.stop)

    found = [route for routes in _ROUTES for route in routes(bench)]
    app = Starlette(routes=[*found, Mount("/static", StaticFiles(directory=FOLDER / "static"))], lifespan=lifespan)
    return Lock(app, port)
