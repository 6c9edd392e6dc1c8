"""Headers that every answer bears: what a browser may do with it."""

from typing import Final

from starlette.types import Message, Scope, Send

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
# The wall display keeps its screen awake; nothing else of the machine is used.
_PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), screen-wake-lock=(self)"
_HEADERS: Final = tuple(
    (name, value.encode())
    for name, value in (
        (b"content-security-policy", _POLICY),
        (b"x-content-type-options", "nosniff"),
        (b"referrer-policy", "no-referrer"),
        (b"cross-origin-opener-policy", "same-origin"),
        (b"cross-origin-resource-policy", "same-origin"),
        (b"permissions-policy", _PERMISSIONS),
    )
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


def is_over_tls(scope: Scope) -> bool:
    """Say whether the browser's connection is encrypted, here or by a proxy in front that says so.

    Anyone may send the proxy's header: on plain HTTP browsers ignore what follows from it.
    """
    return scope["scheme"] in ("https", "wss") or (b"x-forwarded-proto", b"https") in scope["headers"]


def with_security_headers(scope: Scope, send: Send) -> Send:
    """Return a ``send`` that adds the headers to the beginning of an answer."""
    added = (*_HEADERS, _HSTS) if is_over_tls(scope) else _HEADERS

    async def sending(message: Message) -> None:
        if message["type"] in _STARTS:
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return sending
