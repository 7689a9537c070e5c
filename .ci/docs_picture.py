"""Takes the picture of `/docs` for the README: a real `ordo serve` on paper accounts, seen by a real browser.

    python .ci/docs_picture.py

Needs Chromium or Chrome. What the browser showed is written into the picture, where a test compares it with the API.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import png

PICTURE = Path(__file__).parent.parent / ".github" / "docs.png"
WIDTH = 1180
ACCOUNTS = (("alice", "family"), ("bob", "family"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0  # seconds until a page that is not there yet never will be
NOTE = "ordo-shows"

SHOWN = """(() => {
  const text = (from, what) => from.querySelector(what)?.textContent.trim() ?? "";
  const tags = [...document.querySelectorAll(".opblock-tag-section")].map(section => ({
    name: section.querySelector(".opblock-tag").dataset.tag,
    description: text(section, ".opblock-tag small"),
    routes: [...section.querySelectorAll(".opblock-summary")].map(row => [
      text(row, ".opblock-summary-method"),
      row.querySelector(".opblock-summary-path").dataset.path,
      text(row, ".opblock-summary-description"),
    ]),
  }));
  const title = document.querySelector(".info .title")?.childNodes[0].textContent.trim() ?? "";
  const version = text(document, ".info .version");
  const description = text(document, ".info__description").replace(/\\s+/g, " ");
  return JSON.stringify({title, version, summary: text(document, ".info__summary"), description, tags});
})()"""


def shows(openapi: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a description, when it shows it rightly."""
    routes = [
        (operation["tags"][0], [verb.upper(), path, operation["summary"]])
        for path, verbs in openapi["paths"].items()
        for verb, operation in verbs.items()
    ]
    info = openapi["info"]
    return {
        "title": info["title"],
        "version": info["version"],
        "summary": info["summary"],
        "description": " ".join(re.sub("[`*]", "", info["description"]).split()),
        "tags": [{**tag, "routes": [row for name, row in routes if name == tag["name"]]} for tag in openapi["tags"]],
    }


def recorded() -> Any:
    """What the picture says that it shows."""
    return json.loads(png.note(PICTURE.read_bytes(), NOTE) or "null")


@contextmanager
def serving(home: str) -> Iterator[str]:
    """A server at a new home with paper accounts, and its address."""
    environ = {**os.environ, "ORDO_HOME": home}
    ordo = [sys.executable, "-m", "ordo_cli"]
    for name, group in ACCOUNTS:
        words = ["account", "add", name, "--broker", "paper", "--group", group]
        subprocess.run([*ordo, *words], env=environ, check=True, capture_output=True)
    with subprocess.Popen([*ordo, "serve", "--port", "0"], env=environ, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            found = (re.search(r"http://[\w.:]+", line) for line in server.stderr)
            yield next(match[0] for match in found if match)
        finally:
            server.terminate()


class Browser:
    """A browser without a window, spoken to over two pipes in its own protocol."""

    def __init__(self, folder: str) -> None:
        program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
        if program is None:
            raise SystemExit(f"this needs a browser: {' or '.join(BROWSERS)}")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        words = [program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}", "--hide-scrollbars"]
        words += ["--no-first-run", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'  # the numbers at which it listens and speaks
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "browser", *words],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest, self._session = 0, b"", {}
        self.complaints: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Have one thing done, and what it gives."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            if answer.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.complaints.append(json.dumps(answer["params"])[:500])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def value(self, expression: str) -> Any:
        """What an expression is on the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise SystemExit("the browser ended")
            self._rest += piece
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message


def take(browser: Browser, address: str) -> bytes:
    """The whole page, once it shows its routes."""
    size = {"width": WIDTH, "deviceScaleFactor": 1, "mobile": False}
    browser.ask("Emulation.setDeviceMetricsOverride", **size, height=900)
    browser.ask("Page.navigate", url=f"{address}/docs")
    until = time.monotonic() + PATIENCE
    while not browser.value("document.querySelector('.opblock-summary-path') !== null && document.fonts.ready && 1"):
        if time.monotonic() > until:
            raise SystemExit(f"the page never showed its routes: {browser.complaints}")
        time.sleep(0.1)
    height = browser.value("Math.ceil(document.querySelector('#page').getBoundingClientRect().height)")
    browser.ask("Emulation.setDeviceMetricsOverride", **size, height=height)
    time.sleep(1.0)  # what moves has come to rest
    if browser.complaints:
        raise SystemExit("the browser complains:\n" + "\n".join(browser.complaints))
    return base64.b64decode(browser.ask("Page.captureScreenshot", format="png")["data"])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serving(f"{folder}/home") as address:
        browser = Browser(f"{folder}/browser")
        try:
            picture = take(browser, address)
            shown = json.loads(browser.value(SHOWN))
        finally:
            browser.end()
        PICTURE.write_bytes(png.noted(png.packed(picture), NOTE, json.dumps(shown)))
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
