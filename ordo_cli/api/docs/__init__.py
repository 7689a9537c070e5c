"""The page `/docs`: the API to read and to try, with every script and style served from here."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

URL = "/docs"
OURS, VIEWER = Path(__file__).parent, "fastapi_offline"
ASSETS = {  # each with its type: what the system thinks of a suffix may be wrong, and `nosniff` believes it
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""What the page loads, and all that is answered below it: a name is looked up here and never joined to a path."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # its icons
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {"Content-Security-Policy": POLICY}


def install(app: FastAPI) -> None:
    """Answer the page and what it loads. It is for this machine alone, as the description that it shows."""
    app.add_route(URL, page, include_in_schema=False)
    app.add_route(f"{URL}/{{name}}", asset, include_in_schema=False)


async def page(request: Request) -> Response:
    """The page; what it shows is the description that this server gives of itself."""
    text = (OURS / "page.html").read_text(encoding="utf-8")
    for name, value in (("{title}", request.app.title), ("{openapi}", request.app.openapi_url)):
        text = text.replace(name, escape(value))
    return HTMLResponse(text, 200, HEADERS)


async def asset(request: Request) -> Response:
    """One of the files that the page loads."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise HTTPException(404)
    own = OURS / name
    return FileResponse(own if own.is_file() else _viewer() / name, 200, HEADERS, ASSETS[name])


@cache
def _viewer() -> Path:
    """Where the package that carries Swagger UI has it: found, and none of its code run."""
    found = find_spec(VIEWER)
    assert found is not None, "fastapi-offline is a dependency of ordo"
    assert found.origin is not None
    return Path(found.origin).parent / "static"
