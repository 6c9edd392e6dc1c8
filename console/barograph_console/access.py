"""Who may call: known host names against DNS rebinding, same origin for changes, bearer tokens."""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from barograph_console.problems import ApiError, error_response
from barograph_console.settings import ConsoleSettings

OPEN_PATHS: Final = frozenset({"/livez", "/readyz"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_BEARER: Final = HTTPBearer(auto_error=False, description="read or admin token; not needed where none is set")


def host_name(host_header: str) -> str:
    """Return the name or address in a ``Host`` header, without port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host_header}").hostname or "").lower()
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Say whether ``name`` is an IP address. A page cannot rebind one: it has no DNS entry of its own."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(origin: str, host_header: str) -> bool:
    """Say whether ``origin`` (``https://name:port``) is the place that ``Host`` names."""
    try:
        return urlsplit(origin).netloc.lower() == host_header.lower()
    except ValueError:
        return False


class HostGuard:
    """ASGI middleware that refuses unknown host names, and changes asked for by pages of other sites.

    Without tokens the console trusts whoever can connect. A page in a browser on this machine can: by a DNS
    name of its own that turns to 127.0.0.1, or by posting across sites. Neither can forge ``Host`` or ``Origin``.
    Health checks stay open; orchestrators call them by any name, and they tell nothing.
    """

    def __init__(self, app: ASGIApp, settings: ConsoleSettings) -> None:
        self._app = app
        self._names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._is_open = "*" in self._names or (settings.has_tokens and not settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers, is_change=scope.get("method", "") not in _SAFE_METHODS)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            response = error_response(*refusal)
            await response(scope, receive, send)

    def _refusal(self, headers: Headers, *, is_change: bool) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        name = host_name(host)
        if not (self._is_open or name in self._names or is_address(name)):
            return 421, "unknown_host", f"host {name!r} is not served here; add it to allowed_hosts"
        origin = headers.get("origin")
        if is_change and origin is not None and not is_same_origin(origin, host):
            return 403, "foreign_origin", f"origin {origin!r} may not make changes here"
        return None


def _matches(token: str, digest: str) -> bool:
    """Compare in constant time; an unset digest matches nothing."""
    given = hashlib.sha256(token.encode()).hexdigest()
    return bool(digest) and hmac.compare_digest(given, digest.lower())


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def make_guards(settings: ConsoleSettings) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the dependencies of routes that read and of routes that change.

    The admin token may do both. Where no token is set both let everybody pass; ``ConsoleSettings`` has seen
    to it that this is on loopback, or by the operator's express wish.
    """

    def check(credentials: HTTPAuthorizationCredentials | None, *, for_change: bool) -> None:
        if not settings.has_tokens:
            return
        token = credentials.credentials if credentials else ""
        is_admin = _matches(token, settings.admin_token_sha256)
        is_reader = _matches(token, settings.read_token_sha256)
        if not (is_admin or is_reader):
            raise ApiError(
                401, "unauthorized", "a valid bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
            )
        if for_change and not is_admin:
            raise ApiError(403, "forbidden", "this needs the admin token")

    def may_read(credentials: Credentials) -> None:
        check(credentials, for_change=False)

    def may_change(credentials: Credentials) -> None:
        check(credentials, for_change=True)

    return may_read, may_change
