"""Finds ports of this machine that a server can listen on."""

import socket
from contextlib import suppress


def free_port() -> int:
    """Return a port of this machine that no one listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(host: str, port: int) -> bool:
    """Say whether a server could listen on ``host`` and ``port``, and would be the one that is reached there."""
    # macOS lets a server listen on 127.0.0.1 although another one has that port on all addresses.
    with suppress(OSError), socket.create_connection((host, port), timeout=1.0):
        return False
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True
