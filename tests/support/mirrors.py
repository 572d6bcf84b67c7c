"""Web servers in place of MNIST's mirrors, and what such a server may answer."""

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator

Request = http.server.BaseHTTPRequestHandler
Answer = Callable[[Request], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server on this machine that answers with ``answer``. Yields its address, with a slash."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False  # some answers never end
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def say(
    status: int, body: bytes = b"", *, missing: int = 0, kind: str = "application/octet-stream"
) -> Answer:
    """Answer at once; ``missing`` bytes are announced and not sent."""

    def answer(request: Request) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) + missing))
        request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(body)

    return answer


def drip(piece: bytes, *, pause: float) -> Answer:
    """Send a piece over and over; the connection ends when the other side has had enough."""

    def answer(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            while True:
                request.wfile.write(piece)
                time.sleep(pause)

    return answer


def say_nothing(_: Request) -> None:
    """Accept the question, and never answer."""
    time.sleep(60)
