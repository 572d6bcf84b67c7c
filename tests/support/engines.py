"""One page in each browser engine that this machine has: Chromium, Firefox, WebKit.

Chromium is driven by Playwright. Firefox is driven by WebDriver BiDi, which it speaks itself, and
WebKit by the WebDriver that comes with it: that takes a few lines each, and no further program.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import websocket
from playwright.sync_api import Page

from digitlab.ink import Point
from tests.support import browser
from tests.support.browser import TIMEOUT, WINDOW


def missing(name: str) -> str:
    """What has to be installed before an engine can be driven; nothing if all is there."""
    programs = {
        "Chromium": {"chromium": browser.find_chromium()},
        "Firefox": {"firefox": find_firefox()},
        "WebKit": {name: shutil.which(name) for name in ("WebKitWebDriver", "Xvfb")},
    }
    return ", ".join(program for program, path in programs[name].items() if path is None)


class Engine(Protocol):
    """A page of a real browser."""

    def open(self, address: str) -> None:
        """Load a page, to the end."""

    def run(self, script: str) -> Any:
        """Run the body of an asynchronous function in the page; what it returns comes as JSON."""

    def drag(self, points: Sequence[Point]) -> None:
        """Press the mouse at the first point of the window, move it to the others, and let go."""


# --- Chromium -------------------------------------------------------------------------------------


class Chromium:
    """A page that Playwright has opened."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, address: str) -> None:
        self.page.goto(address)

    def run(self, script: str) -> Any:
        return self.page.evaluate(f"async () => {{ {script} }}")

    def drag(self, points: Sequence[Point]) -> None:
        mouse = self.page.mouse
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point)
        mouse.up()


# --- Firefox --------------------------------------------------------------------------------------


class _Firefox:
    """Speaks WebDriver BiDi: messages with a number, answered in any order among events."""

    def __init__(self, address: str) -> None:
        self.connection = websocket.create_connection(
            address, timeout=TIMEOUT, suppress_origin=True
        )
        self.sent = 0
        self._send("session.new", capabilities={})
        (tab,) = self._send("browsingContext.getTree")["contexts"]
        self.context = tab["context"]
        self._send("browsingContext.setViewport", context=self.context, viewport=WINDOW)

    def _send(self, method: str, **parameters: Any) -> Any:
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv())
            if answer.get("id") == self.sent:
                assert answer["type"] == "success", answer
                return answer["result"]

    def open(self, address: str) -> None:
        self._send("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def run(self, script: str) -> Any:
        answer = self._send(
            "script.callFunction",
            functionDeclaration=f"async () => JSON.stringify(await (async () => {{ {script} }})())",
            awaitPromise=True,
            target={"context": self.context},
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"].get("value", "null"))

    def drag(self, points: Sequence[Point]) -> None:
        self._send("input.performActions", context=self.context, actions=[_mouse(points)])


@contextmanager
def firefox() -> Iterator[Engine]:
    """A headless Firefox with a fresh profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
        log = Path(profile) / "log"
        with browser.started([find_firefox() or "firefox", *options], log) as process:
            yield _Firefox(_printed(process, log, r"BiDi listening on (ws://\S+)") + "/session")


def find_firefox() -> str | None:
    """Where Firefox is: ``$FIREFOX``, or the system's."""
    candidates = (os.environ.get("FIREFOX"), *map(shutil.which, ("firefox-esr", "firefox")))
    return next((path for path in candidates if path), None)


def _mouse(points: Sequence[Point]) -> dict[str, Any]:
    """The mouse's way, as both protocols want it."""
    moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in points]
    press, release = ({"type": f"pointer{kind}", "button": 0} for kind in ("Down", "Up"))
    return {"type": "pointer", "id": "mouse", "actions": [moves[0], press, *moves[1:], release]}


# --- WebKit ---------------------------------------------------------------------------------------


class _WebKit:
    """Speaks WebDriver: each command a request, of JSON."""

    def __init__(self, address: str) -> None:
        self.address = f"{address}/session"
        capabilities = {"browserName": "MiniBrowser", "timeouts": {"script": int(1000 * TIMEOUT)}}
        session = self._post("", capabilities={"alwaysMatch": capabilities})
        self.address += f"/{session['sessionId']}"
        self._post("/window/rect", **WINDOW)

    def _post(self, command: str, **parameters: Any) -> Any:
        request = urllib.request.Request(
            self.address + command,
            json.dumps(parameters).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def open(self, address: str) -> None:
        self._post("/url", url=address)

    def run(self, script: str) -> Any:
        script = f"""const done = arguments[arguments.length - 1];
            (async () => {{ {script} }})().then(
                value => done({{value}}), error => done({{error: `${{error}}`}}));"""
        answer = self._post("/execute/async", script=script, args=[])
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def drag(self, points: Sequence[Point]) -> None:
        self._post("/actions", actions=[_mouse(points)])

    def close(self) -> None:
        request = urllib.request.Request(self.address, method="DELETE")
        with suppress(OSError):
            urllib.request.urlopen(request, timeout=TIMEOUT).close()


@contextmanager
def webkit() -> Iterator[Engine]:
    """WebKit as GTK programs have it, on a screen of its own that nobody sees."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        screen = ["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1200x24"]
        server = stack.enter_context(browser.started(screen, folder / "screen"))
        display = _printed(server, folder / "screen", r"^(\d+)$")
        port = browser.free_port()
        command = ["WebKitWebDriver", f"--port={port}"]
        variables = {**os.environ, "DISPLAY": f":{display}", "GDK_BACKEND": "x11"}
        driver = stack.enter_context(browser.started(command, folder / "log", env=variables))
        browser.wait_for_port(driver, port, folder / "log")
        engine = _WebKit(f"http://127.0.0.1:{port}")
        stack.callback(engine.close)
        yield engine


def _printed(process: subprocess.Popen[bytes], log: Path, pattern: str) -> str:
    """Wait until a program has printed what matches ``pattern``; returns its group."""
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text(errors="replace"), re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"not printed: {pattern}; but {log.read_text(errors='replace')[-2000:]}")
