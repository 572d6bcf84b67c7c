"""A Python with this folder on its PYTHONPATH imports this, and reaches its own machine alone."""

import errno
import socket
import sys
from typing import Any

# Where the name or address stands among the arguments of what Python is about to do.
PLACES = {
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.connect": 1,
    "socket.sendto": 1,
}
HERE = {None, "", "localhost", "::1", "::", "0.0.0.0", socket.gethostname()}


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail as a machine without a network does."""
    if event not in PLACES:
        return
    host = arguments[PLACES[event]]
    if isinstance(host, tuple):
        host = host[0]
    elif not event.startswith("socket.get"):
        host = None  # the path of a Unix socket
    host = host.decode() if isinstance(host, bytes) else host
    if host not in HERE and not str(host).startswith("127."):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")


sys.addaudithook(refuse)
