"""The paths of the page, and who may ask: whoever is on this machine, by a name of this machine.

A page of a stranger that a browser of this machine shows can make its own name mean 127.0.0.1
(DNS rebinding); its Host header then still is the stranger's name, and is refused. Nothing here
changes anything: GET and HEAD only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from fastapi import FastAPI, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sidecar.web import metrics, verdict
from sidecar.web.document import Document
from sidecar.web.eyes import Eyes
from sidecar.web.history import History
from sidecar.web.metrics import Metrics
from sidecar.web.runbook import section

_ASSETS: Final = Path(__file__).parent / "assets"
_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_WAIT_S: Final = 0.5


def make_app(eyes: Eyes, history: History, *, runbook: str) -> ASGIApp:
    """Return everything that is served."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    document = Document(eyes, history, runbook=runbook)
    told = Metrics(eyes, history)

    @app.get("/status.json")
    async def status() -> Response:
        return Response(document.body(), media_type="application/json")

    @app.get("/metrics")
    async def prometheus() -> Response:
        await history.ask_and_wait(_WAIT_S)
        return Response(told.body(), headers={"content-type": metrics.CONTENT_TYPE})

    @app.get("/healthz")
    async def healthz() -> Response:
        return _json({"alive": True, "parts": eyes.running()})

    @app.get("/readyz")
    async def readyz() -> Response:
        reasons = verdict.not_ready(eyes.look())
        body = {"ready": not reasons, "not_ready": reasons}
        return _json(body, status=503 if reasons else 200)

    @app.get("/runbook/{kind}")
    async def read_up(kind: str) -> Response:
        text = section(kind)
        found = text or "docs/runbook.md has no such section, or is not here."
        return Response(found, 200 if text else 404, media_type="text/plain; charset=utf-8")

    _add_files(app)
    return Guarded(GZipMiddleware(app, minimum_size=1_000, compresslevel=1))


def _add_files(app: FastAPI) -> None:
    for path, (name, media_type) in _FILES.items():
        file = _File((_ASSETS / name).read_bytes(), media_type)
        app.add_api_route(path, file.answer, methods=["GET", "HEAD"], response_model=None)


class _File(NamedTuple):
    body: bytes
    media_type: str

    async def answer(self) -> Response:
        # A new one each time: what compresses it writes into its headers.
        return Response(self.body, media_type=self.media_type)


def _json(body: Mapping[str, object], *, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


class Guarded:
    """Refuses strange names and every verb that could change something; adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        refusal = None if scope["type"] != "http" else _refusal(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> Response | None:
    if scope["method"] not in ("GET", "HEAD"):
        return Response("Nothing can be changed here.\n", 405, headers={"allow": "GET, HEAD"})
    host = Headers(scope=scope).get("host", "")
    if host_name(host) in _HOSTS:
        return None
    words = "This page answers to localhost, 127.0.0.1 and [::1] only.\n"
    return Response(words, 421, media_type="text/plain")


def host_name(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
