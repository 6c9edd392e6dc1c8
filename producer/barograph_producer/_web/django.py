"""Finds the route that Django resolved, without an entry in its settings and without importing it.

Django stores the match on its request object, which middleware around the application does not see. Its handler
resolves each request with one public method, so this module wraps that method on the application's handler.
"""

from collections.abc import Callable
from typing import Any, Final, cast

from barograph_producer._web.templates import from_django

# Key under which an application may set its route; the wrapped method of Django sets it too.
ROUTE_KEY: Final = "barograph.route"
_MAX_DEPTH: Final = 8
_INNER: Final = ("application", "app", "wsgi_app", "asgi_app")


def follow_django(app: object) -> bool:
    """Make Django's handler in ``app`` store each resolved template in the environ or the scope.

    Returns:
        Whether ``app`` is such a handler, or middleware that has one as ``application`` or ``app``.
    """
    for _ in range(_MAX_DEPTH):
        # Only Django's handlers, for ASGI and for WSGI, have both methods.
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
        # For an unknown path ``original`` raises, and the request stays unmatched.
        route = getattr(match, "route", None)
        if isinstance(route, str):
            source = getattr(request, "scope", None)
            if source is None:
                source = request.environ
            source[ROUTE_KEY] = from_django(route)
        return match

    resolve_request.is_followed = True  # type: ignore[attr-defined]  # the next middleware must not wrap it again
    handler.resolve_request = resolve_request
