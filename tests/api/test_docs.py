"""The page `/docs`: whole without a network, nothing on it from elsewhere, and there for this machine alone."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from ordo_cli.api.docs import ASSETS, URL, VIEWER
from ordo_cli.api.settings import Settings
from ordo_cli.desk import Desk
from tests.api.conftest import BASE, calling

EXPOSED = Settings(host="10.0.0.1", expose=True, tls_cert="c", tls_key="k")


class Page(HTMLParser):
    """What a page names: the addresses it loads, and scripts, styles and handlers that stand in the page itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.described = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value for name in ("src", "href") if (value := given.get(name))]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        self.described = given.get("data-openapi") or self.described


@pytest.fixture
async def reader(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a browser and no token."""
    async with calling(desk) as client:
        yield client


async def test_the_page_and_all_that_it_loads_come_from_the_server(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(URL)
    page = Page(answer.text)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    addresses = [urljoin(f"{BASE}{URL}", address) for address in page.loads]
    assert {urlsplit(address).netloc for address in addresses} == {urlsplit(BASE).netloc}
    assert {urlsplit(address).path for address in addresses} == {f"{URL}/{name}" for name in ASSETS}
    for address in addresses:
        found = await reader.get(address)
        assert (found.status_code, bool(found.content)) == (200, True), address
        assert found.headers["content-type"].partition(";")[0] == ASSETS[address.rpartition("/")[2]]
    assert (await reader.get(page.described)).json()["info"]["title"] == "ordo"


@pytest.mark.parametrize("name", ["", *(name for name in ASSETS if name.startswith(("page", "icon")))])
async def test_nothing_of_ours_names_another_host(reader: httpx.AsyncClient, name: str) -> None:
    text = (await reader.get(f"{URL}/{name}".rstrip("/"))).text
    assert set(re.findall(r"(?:https?:)?//[\w-]+[.][\w.-]+", text)) <= {"http://www.w3.org"}  # the name of SVG


async def test_nothing_but_the_files_of_the_viewer_is_used(reader: httpx.AsyncClient) -> None:
    assert (await reader.get(f"{URL}/swagger-ui-bundle.js")).status_code == 200
    assert VIEWER not in sys.modules


async def test_the_stylesheet_of_the_viewer_loads_nothing(reader: httpx.AsyncClient) -> None:
    text = (await reader.get(f"{URL}/swagger-ui.css")).text
    assert "@import" not in text
    assert {address.strip("\"'")[:5] for address in re.findall(r"url\(([^)]*)\)", text)} <= {"data:"}


@pytest.mark.parametrize("name", ["", *ASSETS])
async def test_the_browser_is_told_to_load_nothing_from_elsewhere(reader: httpx.AsyncClient, name: str) -> None:
    headers = (await reader.get(f"{URL}/{name}".rstrip("/"))).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert len(policy) == 8
    assert headers["x-content-type-options"] == "nosniff"


async def test_the_page_holds_no_script_that_the_policy_would_have_to_allow(reader: httpx.AsyncClient) -> None:
    assert Page((await reader.get(URL)).text).inline == []


async def test_a_token_that_is_typed_in_is_not_kept_and_nobody_is_asked_to_validate(reader: httpx.AsyncClient) -> None:
    text = (await reader.get(f"{URL}/page.js")).text
    assert "persistAuthorization: false" in text
    assert "validatorUrl: null" in text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.js",
        "/",
        "/__init__.py",
        "/page.html",
        "/redoc.standalone.js",
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/..%5capp.py",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/page.js%00.css",
        "/page.js/",
        "/PAGE.JS",
    ],
)
async def test_what_the_page_does_not_load_is_not_there(reader: httpx.AsyncClient, path: str) -> None:
    answer = await reader.get(httpx.URL(BASE).copy_with(raw_path=f"{URL}{path}".encode()))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", [URL, *(f"{URL}/{name}" for name in ASSETS), "/api/v1/openapi.json"])
async def test_other_machines_find_none_of_it(desk: Desk, path: str) -> None:
    async with calling(desk, EXPOSED) as client:
        assert (await client.get(path, headers={"Host": "10.0.0.1:8020"})).status_code == 404


@pytest.mark.parametrize("path", [URL, f"{URL}/page.js"])
async def test_the_page_passes_the_door_like_everything_else(reader: httpx.AsyncClient, path: str) -> None:
    assert (await reader.get(path, headers={"Host": "evil.example"})).json()["code"] == "unknown_host"
    assert (await reader.get(path, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert (await reader.get(path)).headers["cache-control"] == "no-store"
