"""The page's own server: one page, any number of visitors, nothing else."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from digitlab.export.server import PageServer

PAGE = "<!doctype html><title>Draw a digit</title>" + 100_000 * "é"


@contextmanager
def serving(page: str) -> Iterator[PageServer]:
    with PageServer(page, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fetch(address: str, method: str = "GET") -> tuple[bytes, str]:
    request = urllib.request.Request(address, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read(), answer.headers["Content-Type"]


def test_a_class_that_opens_the_page_at_once_gets_it() -> None:
    with serving(PAGE) as server, ThreadPoolExecutor(60) as visitors:
        found = set(visitors.map(fetch, 60 * [server.address]))
    assert found == {(PAGE.encode(), "text/html; charset=utf-8")}


def test_a_visitor_who_says_nothing_keeps_nobody_waiting() -> None:
    with serving(PAGE) as server, socket.create_connection(server.server_address[:2]):
        assert fetch(server.address)[0] == PAGE.encode()


def test_a_visitor_who_leaves_early_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(100 * PAGE) as server:
        for _ in range(3):
            with socket.create_connection(server.server_address[:2]) as visitor:
                visitor.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                visitor.recv(10)
        assert fetch(server.address)[0] == (100 * PAGE).encode()
    assert capfd.readouterr().err == ""


def test_only_the_page_is_served() -> None:
    with serving(PAGE) as server:
        assert fetch(f"{server.address}/?from=class")[0] == PAGE.encode()
        assert fetch(server.address, "HEAD")[0] == b""
        for path in ("/favicon.ico", "/../Makefile", "/data"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                fetch(server.address + path)


def test_a_port_in_use_ends_in_a_sentence() -> None:
    with serving(PAGE) as server:
        port = server.server_address[1]
        with pytest.raises(OSError, match=f"port {port} is in use; choose another one with --port"):
            PageServer(PAGE, port=port)
    with pytest.raises(ValueError, match="from 0 to 65535, got 65536"):
        PageServer(PAGE, port=65536)
