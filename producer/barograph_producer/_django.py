"""Learns from Django which route it resolved, without an entry in its settings and without importing it.

Django keeps the match on its request object, which no middleware around the application gets to see. Its
handler resolves through one public method, so that method is wrapped, on the one handler at hand.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from barograph_producer._templates import from_django

# Where an application may itself say which route answered; also how Django's answer gets here.
ROUTE_KEY: Final = "barograph.route"
_MAX_DEPTH: Final = 8
_INNER: Final = ("application", "app", "wsgi_app", "asgi_app")


def follow_django(app: object) -> bool:
    """Have Django's handler in ``app`` leave each resolved template in the environ or the scope.

    Returns:
        Whether there is one, directly or inside middleware that keeps it as ``application`` or ``app``.
    """
    for _ in range(_MAX_DEPTH):
        # The handler of either interface; nothing else has both.
        if hasattr(app, "resolve_request") and hasattr(app, "load_middleware"):
            _wrap(app)
            return True
        inner = next((found for name in _INNER if (found := getattr(app, name, None)) is not None), None)
        if inner is None:
            return False
        app = inner
    return False


def _wrap(handler: Any) -> None:
    original = cast("Callable[[Any], Any]", handler.resolve_request)
    if getattr(original, "is_followed", False):
        return

    def resolve_request(request: Any) -> Any:
        match = original(request)
        # An unknown path raises above, and stays unmatched.
        route = getattr(match, "route", None)
        if isinstance(route, str):
            source = getattr(request, "scope", None)
            if source is None:
                source = request.environ
            source[ROUTE_KEY] = from_django(route)
        return match

    resolve_request.is_followed = True  # type: ignore[attr-defined]  # a mark for the next middleware
    handler.resolve_request = resolve_request
