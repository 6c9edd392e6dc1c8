"""Host names and origins: what a web page of somebody else can neither forge nor use."""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from barograph_console.serving.problems import ApiError
from barograph_console.settings import ConsoleSettings


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


def check_csrf_header(headers: Headers) -> None:
    """Refuse a change with a cookie that lacks our header.

    A page elsewhere cannot add it without being asked for leave first, which the console never gives.

    Raises:
        ApiError: 403.
    """
    if headers.get("x-barograph") != "1":
        raise ApiError(403, "csrf", "a change with a cookie needs the header X-Barograph: 1")


class OriginGuard:
    """Refuses unknown host names, and requests that pages of other sites make.

    Without tokens the console trusts everyone who can connect. A page in a browser on this machine can: by a DNS
    name of its own that turns to 127.0.0.1, or by posting across sites. Neither can forge ``Host`` or ``Origin``.
    """

    def __init__(self, settings: ConsoleSettings) -> None:
        self._names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._is_open = "*" in self._names or (settings.asks_for_token and not settings.allowed_hosts)
        self._origins = {origin.lower() for origin in settings.allowed_origins}

    def check_host(self, headers: Headers) -> None:
        """Refuse a name under which the console is not called.

        Raises:
            ApiError: 421.
        """
        name = host_name(headers.get("host", ""))
        if not (self._is_open or name in self._names or is_address(name)):
            raise ApiError(421, "unknown_host", f"host {name!r} is not served here; add it to allowed_hosts")

    def check_origin(self, headers: Headers, *, is_required: bool, allows_others: bool = False) -> None:
        """Refuse a request made by a page of another site.

        Args:
            headers: Of the request.
            is_required: Whether a request without an origin is refused too.
            allows_others: Whether the origins of the setting ``allowed_origins`` may ask as well.

        Raises:
            ApiError: 403.
        """
        origin = headers.get("origin")
        if origin is None and not is_required:
            return
        is_own = origin is not None and is_same_origin(origin, headers.get("host", ""))
        if not (is_own or (allows_others and (origin or "").lower() in self._origins)):
            raise ApiError(403, "foreign_origin", f"origin {origin!r} may not do that here")
