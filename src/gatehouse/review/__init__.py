"""The review page: an ASGI app for one reviewer, served on 127.0.0.1 with their own AWS credentials.

Needs the extra `review` (Starlette, Jinja2, uvicorn), so commands import it only when they run.
"""
