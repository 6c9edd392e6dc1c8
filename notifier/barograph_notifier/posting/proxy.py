"""An HTTP proxy between the notifier and a target: where a network lets nothing out otherwise."""

import base64
import re
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from barograph_core.errors import ChannelUnavailableError
from barograph_notifier.posting.deadline import Deadline
from barograph_notifier.posting.target import Target

_MOST_HEAD_BYTES: Final = 16_384
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy is, and how we log in to it.

    Attributes:
        authorization: Value of the header Proxy-Authorization; empty without a login.
    """

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def parse_proxy(url: str) -> Proxy:
    """Parse ``http://user:password@host:port``.

    Raises:
        ValueError: It is no such URL. The message never quotes it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL that can be read: check host and port") from None
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(
            "must be of the form 'http://proxy:3128', with user:password@ before the host if it asks for it"
        )
    login = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(parts.hostname, port or 80, login)


def request_target(target: Target) -> str:
    """Return what the request line of a plain request to a proxy names: the whole URL."""
    return f"http://{target.host_header}{target.path}"


def open_tunnel(sock: socket.socket, proxy: Proxy, target: Target, deadline: Deadline) -> None:
    """Ask the proxy at the other end of ``sock`` for a connection to the target's port.

    Raises:
        ChannelUnavailableError: It refuses.
        OSError: It does not answer.
    """
    name = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {name}:{target.port} HTTP/1.1", f"Host: {name}:{target.port}"]
    lines += [f"{header}: {value}" for header, value in proxy.headers.items()]
    sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
    head = b""
    # The target says nothing before we do, so nothing of it can be read here.
    while b"\r\n\r\n" not in head and len(head) < _MOST_HEAD_BYTES:
        sock.settimeout(deadline.left_s)
        more = sock.recv(4_096)
        if not more:
            break
        head += more
    found = _STATUS.match(head)
    if found is None or b"\r\n\r\n" not in head:
        raise ChannelUnavailableError("proxy: no answer in HTTP")
    if not found[1].startswith(b"2"):
        raise ChannelUnavailableError(f"proxy: http {found[1].decode()}")
