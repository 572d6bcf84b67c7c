"""One Chromium and one page of JupyterLab for all files; a notebook, with its kernel, for each.

They close before the next test elsewhere: as long as Playwright is open, asyncio runs nothing else
in this thread.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support import browser, engines
from tests.support.browser import Pad, Theme
from tests.support.engines import Engine


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if browser.find_chromium() is None:
        pytest.skip(
            "no Chromium: install one, set CHROMIUM to its path, "
            "or run `python -m playwright install chromium`"
        )
    with browser.chromium() as opened:
        yield opened


@pytest.fixture(scope="module", params=["Chromium", "Firefox", "WebKit"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A page of each browser engine that this machine has."""
    if missing := engines.missing(request.param):
        pytest.skip(f"{request.param} can't be driven here: there is no {missing}")
    if request.param == "Chromium":
        with browser.new_page(request.getfixturevalue("chromium")) as page:
            yield engines.Chromium(page)
    else:
        with {"Firefox": engines.firefox, "WebKit": engines.webkit}[request.param]() as page:
            yield page


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    """The address of JupyterLab, where the notebook with the drawing pad is to be found."""
    with browser.serve(browser.COURSE) as address:
        yield address


@pytest.fixture(scope="package")
def lab(chromium: Browser, server: str) -> Iterator[Page]:
    """A page of JupyterLab on which no notebook is open."""
    with browser.new_page(chromium) as page:
        browser.open_lab(page, server)
        yield page


@pytest.fixture(scope="module")
def page(lab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """JupyterLab with a notebook in which the file's ``CODE`` has run."""
    with browser.one_cell(lab, request.module.CODE):
        yield lab


@pytest.fixture
def pad(page: Page) -> Pad:
    """The pad that a notebook calls ``pad``, as it was at the beginning."""
    browser.run_in_kernel(page, "pad.live, pad.pen_width = True, 2.4\npad.clear()")
    pad = Pad(page)
    pad.wait_for_blank()
    return pad


@pytest.fixture
def phone(page: Page) -> Iterator[Page]:
    """The page, as narrow as on a phone."""
    page.set_viewport_size(browser.PHONE)
    yield page
    page.set_viewport_size(browser.WINDOW)


@pytest.fixture(params=["JupyterLab Dark", "JupyterLab Light"])
def theme(page: Page, request: pytest.FixtureRequest) -> Iterator[Theme]:
    """Both themes, one after the other."""
    browser.use_theme(page, request.param)
    yield request.param
    browser.use_theme(page, "JupyterLab Light")
