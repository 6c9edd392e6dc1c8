"""Finds the full template of the route that answered, ``/tenants/{id}/items/{item}``, never a raw path.

The scope does not contain it: the path of a route lacks the prefixes of routers and mounts, and ``root_path`` has the
actual values of the mounts' parameters. Therefore this module walks all routes once and indexes them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import unquote

from barograph_producer._web.templates import UNMATCHED, from_braces

_MAX_DEPTH: Final = 32
# Most rebuilds of the index: routes may be added while the application runs, but an unknown one must stay cheap.
_MAX_REBUILDS: Final = 32
_SLASHES: Final = re.compile("/{2,}")
_PARAMETER: Final = re.compile(r"\\{([^{}:]*)(:path)?[^{}]*\\}")


@dataclass(frozen=True, slots=True)
class _Template:
    text: str
    pattern: "re.Pattern[str]"


@dataclass(frozen=True, slots=True)
class _Found:
    """A route found on the walk: the objects by which a scope may refer to it, and its full template."""

    markers: tuple[object, ...]
    template: str


_NOTHING: Final = (_Template(UNMATCHED, re.compile("")),)


class RouteIndex:
    """Resolves the scope of an answered request to a template, for applications built on Starlette."""

    def __init__(self, app: object) -> None:
        self._roots: list[object] = [app]
        self._templates: dict[int, tuple[_Template, ...]] = {}
        # Keeps the objects of the index alive, so that no other object gets the id of one.
        self._held: list[object] = []
        self._rebuilds = 0

    def template_of(self, scope: Mapping[str, object]) -> str:
        """Return the template, or ``__unmatched__`` if no route answered. ``scope`` is that after the response."""
        route, endpoint = scope.get("route"), scope.get("endpoint")
        marker = endpoint if route is None else route
        if marker is None:
            return UNMATCHED
        templates = self._templates.get(id(marker))
        if templates is None:
            templates = self._look_again(marker, scope.get("app"))
        if templates == _NOTHING and endpoint is not None:
            # A mount answered, and the application in it sets only the endpoint.
            templates = self._templates.get(id(endpoint), _NOTHING)
        if len(templates) == 1:
            return templates[0].text
        # The app is mounted more than once: match by path. A mount extends ``root_path`` and keeps the original in
        # ``app_root_path``.
        path, root_path = str(scope.get("path", "")), scope.get("app_root_path", scope.get("root_path"))
        shorter = path.removeprefix(root_path) if isinstance(root_path, str) else path
        for template in templates:
            if template.pattern.fullmatch(path) or template.pattern.fullmatch(shorter):
                return template.text
        return UNMATCHED

    def is_fixed(self, marker: object) -> bool:
        """Say whether this route or endpoint, after a look-up, always has the same template."""
        templates = self._templates.get(id(marker), _NOTHING)
        return len(templates) == 1 and templates[0].text != UNMATCHED

    def _look_again(self, marker: object, app: object) -> tuple[_Template, ...]:
        """Walk the routes again for a marker that is not in the index."""
        if self._rebuilds >= _MAX_REBUILDS:
            return _NOTHING
        self._rebuilds += 1
        if app is not None and all(app is not root for root in self._roots):
            self._roots.append(app)
        self._rebuild()
        # Index a marker that stays unknown too, so that it does not cost a walk for each request.
        self._held.append(marker)
        return self._templates.setdefault(id(marker), _NOTHING)

    def _rebuild(self) -> None:
        self._held.clear()
        found: dict[int, dict[str, _Template]] = {}
        for root in self._roots:
            for route in _walk(_routes_of(root), "", _MAX_DEPTH):
                for marker in route.markers:
                    self._held.append(marker)
                    found.setdefault(id(marker), {})[route.template] = _compile(route.template)
        self._templates = {marker: tuple(by_text.values()) for marker, by_text in found.items()}


def litestar_template(scope: Mapping[str, object]) -> str:
    """Return the template that Litestar set in the scope; "" if there is none."""
    template = scope.get("path_template")
    if not isinstance(template, str) or template:
        return template if isinstance(template, str) else ""
    # A mounted app answered, and ``path`` is now relative to the mount. Mounts have no parameters.
    whole, remaining = scope.get("raw_path"), scope.get("path")
    if not isinstance(whole, bytes) or not isinstance(remaining, str):
        return ""
    path = _SLASHES.sub("/", unquote(whole)).rstrip("/")
    if not path.endswith(remaining.rstrip("/")):
        return ""
    mounted_at = path.removesuffix(remaining.rstrip("/"))
    paths = cast("Iterable[str]", getattr(scope.get("route_handler"), "paths", ()))
    return mounted_at + "/{path}" if mounted_at.endswith(tuple(paths)) else ""


def _compile(template: str) -> _Template:
    """Make the pattern that distinguishes the templates of one route, for which convertors do not matter."""
    pattern = _PARAMETER.sub(lambda match: ".*" if match[2] else "[^/]+", re.escape(template))
    return _Template(from_braces(template), re.compile(pattern))


def _routes_of(app: object) -> Iterable[object]:
    """Return the routes of an application, also if middleware wraps it."""
    for _ in range(_MAX_DEPTH):
        routes = getattr(app, "routes", None)
        if routes is not None:
            return cast("Iterable[object]", routes)
        app = getattr(app, "app", None)
        if app is None:
            break
    return ()


def _walk(routes: Iterable[object], prefix: str, depth: int) -> Iterator[_Found]:
    if depth == 0:
        return
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if callable(contexts):
            yield from _walk_included(cast("Callable[[], Iterable[object]]", contexts)(), prefix, depth)
        else:
            yield from _walk_one(route, (route,), prefix, depth)


def _walk_included(contexts: Iterable[object], prefix: str, depth: int) -> Iterator[_Found]:
    """Walk a router that FastAPI includes by reference: its contexts have the prefixes, its routes do not."""
    for context in contexts:
        original = getattr(context, "original_route", None)
        plain = getattr(context, "starlette_route", None)
        yield from _walk_one(plain or context, (original, plain), prefix, depth)


def _walk_one(route: object, markers: tuple[object, ...], prefix: str, depth: int) -> Iterator[_Found]:
    path = getattr(route, "path", None)
    is_host = getattr(route, "host", None) is not None and path is None
    if not isinstance(path, str) and not is_host:
        return
    full = prefix + (path or "")
    inner = getattr(route, "app", None) if is_host or hasattr(route, "routes") else None
    if inner is None:
        endpoint = getattr(route, "endpoint", None)
        yield _Found(tuple(m for m in (*markers, endpoint) if m is not None), full)
        return
    routes = tuple(_routes_of(inner))
    answers = tuple(m for m in (*markers, inner) if m is not None)
    # If a mounted app has routes but none matched, the request is unmatched.
    yield _Found(answers, UNMATCHED if routes else full + "/{path:path}")
    yield from _walk(routes, full, depth - 1)
