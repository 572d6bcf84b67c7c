"""The weekly check of web addresses tells pages that are there from those that are gone."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools.check_links import links, trouble


class Pages(BaseHTTPRequestHandler):
    """A page whose name is a status."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("status", "gone"), [(200, False), (403, False), (404, True), (500, True)])
def test_a_page_that_answers_is_there_even_if_it_refuses_programs(
    address: str, status: int, gone: bool
) -> None:
    assert bool(trouble(f"{address}/{status}")) == gone


def test_a_server_that_does_not_answer_is_reported(address: str) -> None:
    assert trouble("http://127.0.0.1:1/").startswith("http://127.0.0.1:1/: ")


def test_links_of_guides_and_of_notebooks_are_found() -> None:
    found = set(links())
    assert "https://poloclub.github.io/cnn-explainer/" in found  # in notebook 2
    assert any("keepachangelog.com" in link for link in found)
