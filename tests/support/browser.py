"""Real pages in a real browser: serve JupyterLab, open a notebook, draw on the pad.

Used by the browser tests, a benchmark, and the script that takes the screenshots. Nothing here
waits for time to pass, only for a state of the page or the kernel. A measurement is true when what
was begun before it has ended: see :func:`settle`.
"""

import io
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect, sync_playwright

from digitlab.ink import Point
from tests.support import ROOT
from tests.support.pen import DIGITS

COURSE = ROOT / "notebooks" / "05_draw_a_digit.ipynb"  # where the course has its drawing pad
TIMEOUT = 120.0  # seconds; ends what hangs, and nothing that is only slow on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
Theme = Literal["JupyterLab Light", "JupyterLab Dark"]
WINDOW = {"width": 1280, "height": 900}  # pixels of a laptop's browser
PHONE = {"width": 390, "height": 844}  # pixels of a phone's

# The kernel behind a page: that of the notebook in front
KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"

expect.set_options(timeout=1000 * TIMEOUT)


# --- the browser ----------------------------------------------------------------------------------


def find_chromium() -> str | None:
    """Where Chromium is: ``$CHROMIUM``, the system's, or the one that Playwright has fetched."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    found = next((path for path in candidates if path and Path(path).exists()), None)
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium with a fresh profile."""
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, "--no-sandbox"] if as_root else list(FLAGS)  # Chromium's sandbox refuses root
    path = find_chromium()  # before Playwright starts: it may need to ask another one
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(
    browser: Browser,
    width: int = WINDOW["width"],
    height: int = WINDOW["height"],
    **options: Any,
) -> Iterator[Page]:
    """A page in a context of its own: no cookies or storage of another."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(1000 * TIMEOUT)
    try:
        yield context.new_page()
    finally:
        context.close()


# --- the servers ----------------------------------------------------------------------------------


@contextmanager
def serve(*notebooks: Path) -> Iterator[str]:
    """Serve copies of ``notebooks``, with none of the user's settings. Yields the address.

    JupyterLab's server has Notebook 7, too.
    """
    with tempfile.TemporaryDirectory(
        prefix="digitlab-browser-", ignore_cleanup_errors=True
    ) as folder:
        root = Path(folder) / "notebooks"
        root.mkdir()
        for notebook in notebooks:
            _copy_notebook(notebook, root)
        port = free_port()
        with running([sys.executable, "-m", *_lab_arguments(root, port)], root, port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def running(command: Sequence[str], root: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in ``root``, with none of the user's settings, until the caller has finished."""
    log = root / "server.log"
    with started(command, log, cwd=root, env=_environment(root)) as server:
        wait_for_port(server, port, log)
        yield server


@contextmanager
def started(command: Sequence[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, what it prints in ``log``, until the caller has finished."""
    with log.open("wb") as output:
        program = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, **options
        )
    try:
        yield program
    finally:
        _stop(program)


def _copy_notebook(notebook: Path, root: Path) -> None:
    """Without stored outputs, so that a widget on the page is one that ran here."""
    document = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    (root / notebook.name).write_text(json.dumps(document), encoding="utf-8")


def _lab_arguments(root: Path, port: int) -> list[str]:
    return [
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        "--IdentityProvider.token=",
        "--NotebookNotary.db_file=:memory:",
        # These give the page `jupyterapp`.
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]


def _environment(root: Path) -> dict[str, str]:
    """The tests' environment, with empty folders for all that Jupyter remembers."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    paths = {variable: str(root / ".jupyter" / name) for variable, name in folders.items()}
    page_config = root / ".jupyter" / "config" / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    # It asks whether to show news, in front of the page that we want to see.
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    page_config.write_text(json.dumps({"disabledExtensions": disabled}), encoding="utf-8")
    import_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **paths, "PYTHONPATH": import_path}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server listens. Nothing is requested of it."""
    deadline = time.monotonic() + TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(
        f"the server did not start; it said:\n{log.read_text(errors='replace')[-3000:]}"
    )


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask it and what it started (``make`` a shell, say) to stop, kernels included; then insist."""
    _signal(server, signal.SIGTERM)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        _signal(server, signal.SIGKILL)
        server.wait(TIMEOUT)


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    # It may have died already; macOS then says that there is no permission.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)  # the session that was started for it


# --- notebooks ------------------------------------------------------------------------------------


def run_in_page(page: Page, body: str, argument: Any = None) -> Any:
    """Run the body of an async function of ``argument`` in the page; raise if it fails or hangs.

    Playwright's own ``evaluate`` would wait for ever for a promise that never settles.
    """
    return page.evaluate(
        f"""argument => Promise.race([
            (async () => {{ {body} }})(),
            new Promise((_, reject) => setTimeout(() => reject('no answer'), {1000 * TIMEOUT})),
        ])""",
        argument,
    )


def settle(page: Page) -> None:
    """Wait until the kernel has handled all that the page has sent, and the page shows the outcome.

    A kernel handles messages in order, so its answer to a question comes after what all messages
    before it brought about. What a kernel goes on doing by itself isn't waited for.
    """
    run_in_page(
        page,
        f"""await {KERNEL}.requestCommInfo({{target_name: 'none'}});
        // Two frames: what arrived is drawn in the first, and laid out by the second.
        await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));""",
    )


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook in JupyterLab and wait until its kernel is ready."""
    page.goto(f"{address}/lab/tree/{name}?reset")
    wait_for_kernel(page)


def wait_for_kernel(page: Page) -> None:
    page.wait_for_function(
        """() => {
            const panel = globalThis.jupyterapp?.shell.currentWidget;
            const session = panel?.sessionContext;
            const is_open = session?.isReady && panel.content?.model;
            return is_open && session.session?.kernel?.status === 'idle';
        }"""
    )


def restart_kernel(page: Page) -> None:
    """Let the kernel forget everything, as at the beginning of another day."""
    run_in_page(page, f"await {KERNEL}.restart()")
    wait_for_kernel(page)


def run_all(page: Page) -> None:
    """Run every cell, and raise if one of them fails."""
    run_command(page, "notebook:run-all-cells")
    errors = page.evaluate(
        """() => [...jupyterapp.shell.currentWidget.content.model.cells]
            .flatMap(cell => cell.type === 'code' ? cell.toJSON().outputs : [])
            .filter(output => output.output_type === 'error')
            .map(output => output.ename + ': ' + output.evalue)"""
    )
    assert not errors, f"a cell failed: {errors}"


def run_above(page: Page, words: str) -> None:
    """Run every cell above the first one that begins with ``words``."""
    page.evaluate(
        """words => {
            const notebook = jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = notebook.widgets.findIndex(
                cell => cell.model.sharedModel.getSource().startsWith(words));
        }""",
        words,
    )
    run_command(page, "notebook:run-all-above")


def run_command(page: Page, name: str) -> None:
    """Run one of JupyterLab's commands, as from its menu, to its end."""
    run_in_page(page, "await jupyterapp.commands.execute(argument)", name)


def run_code(page: Page, code: str) -> None:
    """Run ``code`` in a new cell at the end of the notebook."""
    page.evaluate(
        """code => {
            const notebook = jupyterapp.shell.currentWidget.content;
            notebook.model.sharedModel.addCell({cell_type: 'code', source: code});
            notebook.activeCellIndex = notebook.widgets.length - 1;
            notebook.deselectAll();
        }""",
        code,
    )
    run_command(page, "notebook:run-cell")


def run_in_kernel(page: Page, code: str) -> None:
    """Run ``code`` in the notebook's kernel without a cell, so that the page stays where it is."""
    run_in_page(
        page,
        f"""const {{content}} = await {KERNEL}.requestExecute({{code: argument}}).done;
        if (content.status !== 'ok') throw `${{content.ename}}: ${{content.evalue}}`;""",
        code,
    )
    settle(page)


def wait_in_kernel(page: Page, condition: str) -> None:
    """Wait until ``condition`` is true in the notebook's kernel, for 1,000 questions at most."""
    run_in_page(
        page,
        f"""for (let tries = 0; tries < 1000; tries++) {{
            const {{content}} = await {KERNEL}.requestExecute({{code: argument}}).done;
            if (content.status === 'ok') return;
        }}
        throw `never: ${{argument}}`;""",
        f"assert {condition}",
    )
    settle(page)


def open_lab(page: Page, address: str) -> None:
    """Open JupyterLab without a notebook, its whole window for the one to come."""
    page.goto(f"{address}/lab?reset")
    page.wait_for_function("() => globalThis.jupyterapp?.restored.then(() => true)")
    hide_sidebars(page)


@contextmanager
def one_cell(page: Page, code: str) -> Iterator[Page]:
    """Run ``code`` as the one cell of a new notebook in JupyterLab, and close it in the end.

    That takes a second where loading JupyterLab takes five, and has the same effect: the kernel is
    a new one, and no other notebook is open.
    """
    with opened(page, [nbformat.v4.new_code_cell(code)]):
        run_all(page)
        yield page


@contextmanager
def opened(page: Page, cells: list[nbformat.NotebookNode]) -> Iterator[Page]:
    """Open a new notebook of ``cells`` in JupyterLab, run nothing, and close it in the end."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    run_in_page(
        page,
        """const {contents} = jupyterapp.serviceManager;
        const {path} = await contents.newUntitled({type: 'notebook'});
        await contents.save(path, {type: 'notebook', format: 'json', content: argument});
        await jupyterapp.commands.execute('docmanager:open', {path});""",
        notebook,
    )
    try:
        wait_for_kernel(page)
        yield page
    finally:
        page.evaluate(
            """() => {
                const panel = jupyterapp.shell.currentWidget;
                panel.sessionContext.shutdown();  // takes seconds, for which nobody has to wait
                panel.dispose();
            }"""
        )


@contextmanager
def lab_page(code: str) -> Iterator[Page]:
    """A page of JupyterLab, of a server of its own, with a notebook whose one cell has run."""
    with serve() as address, chromium() as browser, new_page(browser) as page:
        open_lab(page, address)
        with one_cell(page, code):
            yield page


def save(page: Page) -> None:
    run_command(page, "docmanager:save")


def use_theme(page: Page, theme: Theme) -> None:
    run_in_page(
        page, "await jupyterapp.commands.execute('apputils:change-theme', {theme: argument})", theme
    )
    is_light = str(theme == "JupyterLab Light").lower()
    page.locator(f"body[data-jp-theme-light={is_light}]").wait_for(state="attached")


def hide_sidebars(page: Page) -> None:
    """Give JupyterLab's whole window to the notebook."""
    page.evaluate("() => { jupyterapp.shell.collapseLeft(); jupyterapp.shell.collapseRight(); }")


def settled_box(part: Locator) -> FloatRect:
    """Where a part of the page is, once it is in view, uncovered and no longer scrolling."""
    part.hover(trial=True)
    box = part.bounding_box()
    assert box is not None, "it is not on the page"
    return box


def expect_to_fit(part: Locator) -> None:
    """Wait until nothing in a part of the page has to be scrolled sideways."""
    part.page.wait_for_function(
        "part => part.scrollWidth <= part.clientWidth", arg=part.element_handle()
    )


def expect_within(frame: Locator, *parts: Locator) -> None:
    """Wait until all parts are to be seen between the left and the right edge of ``frame``."""
    parts[0].page.wait_for_function(
        """([frame, ...parts]) => {
            const {left, right} = frame.getBoundingClientRect();
            return parts.map(part => part.getBoundingClientRect())
                .every(box => box.width > 30 && box.left >= left - 1 && box.right <= right + 1);
        }""",
        arg=[part.element_handle() for part in (frame, *parts)],
    )


def button(page: Page, name: str) -> Locator:
    """A button among what the cells show."""
    return page.locator(".jp-OutputArea").get_by_role("button", name=name, exact=True)


def said(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until ``words`` are said, to the eye and to a screen reader."""
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


# --- the drawing pad ------------------------------------------------------------------------------


class Pad:
    """A drawing pad on a page, seen and used as by a person."""

    def __init__(self, page: Page, index: int = 0) -> None:
        self.page = page
        self.root = page.locator(".digitlab-drawpad").nth(index)
        self.canvas = self.root.locator("canvas")
        self.readout = self.root.locator(".digitlab-prediction")
        self.bars = self.root.locator(".digitlab-bars")
        self.picture = self.root.locator(".digitlab-picture img")
        self.pen = self.root.get_by_role("button", name="Pen: ")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        self.button(name).click()

    def wipe(self) -> None:
        """Clear it, and wait until nothing is left, neither ink nor an answer."""
        self.press("Clear")
        settle(self.page)
        self.wait_for_blank()

    def draw(self, strokes: Sequence[list[Point]]) -> None:
        """Draw with the mouse; ``strokes`` are in the unit square.

        Each move waits for the page, so none is lost. Whether the kernel has seen them all, only
        :func:`settle` tells.
        """
        mouse, box = self.page.mouse, settled_box(self.canvas)
        for stroke in strokes:
            points = [_place(point, box) for point in _as_of_a_mouse(stroke)]
            mouse.move(*points[0])
            mouse.down()
            for point in points[1:]:
                mouse.move(*point)
            mouse.up()

    def touch(self, strokes: Sequence[list[Point]]) -> None:
        """Draw with a finger."""
        session, box = self.page.context.new_cdp_session(self.page), settled_box(self.canvas)
        for stroke in strokes:
            for number, point in enumerate(stroke):
                x, y = _place(point, box)
                event = "touchMove" if number else "touchStart"
                session.send(
                    "Input.dispatchTouchEvent", {"type": event, "touchPoints": [{"x": x, "y": y}]}
                )
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()

    def replay(self, strokes: Sequence[list[Point]]) -> None:
        """Draw with events that the page makes itself: as many as it takes, and all at once."""
        self.canvas.evaluate(_REPLAY, strokes)

    def draw_digit(self, digit: int) -> None:
        self.draw(DIGITS[digit])

    def expect_digit(self, digit: int) -> None:
        """Wait until the pen is lifted, and the pad says ``digit`` of all that was drawn."""
        settle(self.page)
        final = self.root.locator('.digitlab-prediction[aria-busy="false"]')
        expect(final).to_have_text(re.compile(rf"^{digit} · \d\d? %$"))

    def wait_until_written(self) -> None:
        """Wait until the example, which the kernel writes by itself, is on the page."""
        settle(self.page)  # the press has arrived
        run_in_kernel(self.page, "await pad._sketch._writing")

    def hover(self, points: list[Point]) -> None:
        """Move the mouse over the canvas, no button pressed."""
        box = settled_box(self.canvas)
        for point in points:
            self.page.mouse.move(*_place(point, box))

    def wait_for_ink(self, at_least: float = 1, at_most: float = math.inf) -> None:
        """Wait until so many canvas pixels are white. What was drawn is measured by :meth:`ink`."""
        self.canvas.wait_for()
        self.page.wait_for_function(
            f"""([canvas, least, most]) => {{
                const count = ({_COUNT_WHITE})(canvas);
                return least <= count && count <= most;
            }}""",
            arg=[self.canvas.element_handle(), at_least, min(at_most, 1e9)],
            polling=100,  # milliseconds; every frame, counting would keep a core busy
        )

    def wait_for_blank(self) -> None:
        """Wait until there is no white on the canvas; the grey invitation may be."""
        self.wait_for_ink(0, 0)

    def ink(self) -> int:
        """How many canvas pixels are white, once all that was drawn is on the page."""
        settle(self.page)
        return int(self.canvas.evaluate(f"canvas => ({_COUNT_WHITE})(canvas)"))

    def seen_ink(self) -> float:
        """Which part of the pad looks white: the page's own ink, too, as a person sees it."""
        self.page.mouse.move(0, 0)  # no pointer is in the way
        picture = Image.open(io.BytesIO(self.canvas.screenshot())).convert("L")
        return float((np.asarray(picture)[4:-4, 4:-4] > 200).mean())  # without the corners


class Stylus:
    """A pen and a palm over a pad; places are in the unit square."""

    def __init__(self, pad: Pad) -> None:
        self._session = pad.page.context.new_cdp_session(pad.page)
        self._box = settled_box(pad.canvas)

    def pen(self, event: Literal["Pressed", "Moved", "Released"], x: float, y: float) -> None:
        """Press the pen on the pad, move it, lift it."""
        place = dict(zip("xy", _place((x, y), self._box), strict=True))
        down = event != "Released"
        options = {"button": "left", "buttons": int(down), "clickCount": 1, "pointerType": "pen"}
        self._session.send(
            "Input.dispatchMouseEvent", {"type": f"mouse{event}", **place, **options}
        )

    def palm(self, event: Literal["Start", "Move", "End"], *points: Point) -> None:
        """Touch the pad, with as many fingers as there are points."""
        touched = [dict(zip("xy", _place(point, self._box), strict=True)) for point in points]
        self._session.send(
            "Input.dispatchTouchEvent", {"type": f"touch{event}", "touchPoints": touched}
        )


_COUNT_WHITE = """canvas => {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] > 200 && data[i + 3] > 200) count++;
    return count;
}"""


_REPLAY = """(canvas, strokes) => {
    const box = canvas.getBoundingClientRect();
    const send = (type, [x, y], buttons = 1) => canvas.dispatchEvent(new PointerEvent(type, {
        bubbles: true, pointerId: 1, pointerType: 'mouse', isPrimary: true, buttons,
        clientX: box.x + x * box.width, clientY: box.y + y * box.height,
    }));
    for (const stroke of strokes) {
        send('pointerdown', stroke[0]);
        for (const point of stroke.slice(1)) send('pointermove', point);
        send('pointerup', stroke.at(-1), 0);
    }
}"""


def _as_of_a_mouse(stroke: list[Point]) -> list[Point]:
    """Every third point, and the last: about as many as a mouse reports of a quick line."""
    return [*stroke[:-1:3], stroke[-1]]


def _place(point: tuple[float, float], box: FloatRect) -> tuple[float, float]:
    return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]
