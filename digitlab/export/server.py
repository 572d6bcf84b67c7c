"""An exported page served on this computer, to any number of visitors."""

from __future__ import annotations

import errno
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class PageServer(ThreadingHTTPServer):
    """Serves one page at ``/``, and nothing else.

    >>> from digitlab.export.server import PageServer
    >>> with PageServer("<h1>Hello</h1>", port=0) as server:  # 0: any port that is free
    ...     server.address.rpartition(":")[0]
    'http://127.0.0.1'

    Args:
        page: the page's HTML.
        port: the port to listen at, on this computer only.

    Raises:
        OSError: the port is in use, or may not be used.
        ValueError: there is no such port.
    """

    daemon_threads = True  # a visitor who never ends a request does not keep the server running
    request_queue_size = 128  # a class that opens the page at once; the default is 5

    def __init__(self, page: str, *, port: int) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"a port is a number from 0 to 65535, got {port}")
        self.content = page.encode()
        try:
            super().__init__(("127.0.0.1", port), _PageHandler)
        except OSError as error:
            reason = "is in use" if error.errno == errno.EADDRINUSE else "can't be used"
            raise OSError(f"port {port} {reason}; choose another one with --port") from error

    @property
    def address(self) -> str:
        """Where a browser on this computer finds the page."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of visitors who close the page before they have all of it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _PageHandler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds; ends a connection on which nothing is asked for

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.content)))
        self.send_header("Cache-Control", "no-cache")  # the next server may have another network
        self.end_headers()
        if with_body:
            self.wfile.write(self.server.content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: a line for each visitor would bury the address."""
