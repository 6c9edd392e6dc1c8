"""WSGI middleware: one request event per response, for Flask, Django and what else speaks WSGI."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final, TypeAlias, cast

from barograph_core.clock import Clock
from barograph_producer._django import ROUTE_KEY, follow_django
from barograph_producer._observation import (
    CLIENT_LEFT,
    MAX_RECORDS,
    METHODS,
    LabelsOf,
    Observation,
    Record,
    RequestSink,
    make_timer,
)
from barograph_producer._templates import UNMATCHED, from_angles

# As in PEP 3333; the values are the server's and the framework's own.
Environ: TypeAlias = MutableMapping[str, Any]
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]
# Any iterable: frameworks type the body by their own response.
App: TypeAlias = Callable[[Any, Any], Iterable[Any]]

_SERVER_ERROR: Final = 500
_RECORDED: Final = -1
# Flask takes its request object away with its context, so it is looked at in ``start_response``.
_WERKZEUG_REQUEST: Final = "werkzeug.request"


class BarographWSGIMiddleware:
    """Records every request: route template, method, status, and time to the last chunk taken by the server.

    What runs when the server closes the response is not part of the duration. An exception is recorded as
    status 500 and raised on unchanged. Put it outermost: ``app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app,
    producer=producer)`` in Flask, ``application = BarographWSGIMiddleware(get_wsgi_application(),
    producer=producer)`` in Django. An application that is neither names its route with
    ``environ["barograph.route"] = "/items/{item}"``.
    """

    def __init__(
        self,
        app: App,
        *,
        producer: RequestSink,
        exclude: Iterable[str] = (),
        labels: LabelsOf | None = None,
        sample_every: int = 1,
        always_slow_ms: float = 1_000,
        clock: Clock | None = None,
    ) -> None:
        """Wrap ``app``.

        Args:
            app: The WSGI application.
            producer: Takes the events. It is flushed at the exit of each worker process.
            exclude: Paths and templates that are not recorded; ``*`` stands for any text: ``("/health", "/docs*")``.
            labels: Given the environ as the application left it, returns further labels. What it raises is
                counted as ``labels_failed``; the request is then recorded without them.
            sample_every: Record one of so many requests, which then stands for all of them, 1 to 1,000.
                Errors and slow requests are always recorded, each for itself.
            always_slow_ms: What is slow.
            clock: For tests.

        Raises:
            ValueError: ``sample_every`` is out of range.
        """
        self._app = app
        self.now_s = make_timer(clock)
        self._observation = Observation(
            producer, exclude=exclude, labels=labels, sample_every=sample_every, always_slow_ms=always_slow_ms
        )
        exclusion = self._observation.exclusion
        self._is_excluded = exclusion.matches if exclusion else None
        # By id of Werkzeug's rule; the second list holds the rules, so that no id comes to mean another.
        self.records: dict[tuple[int, str | None, int], Record] = {}
        self._held: list[object] = []
        follow_django(app)

    @property
    def labels_failed(self) -> int:
        """How many requests were recorded without their extra labels, because asking for them failed."""
        return self._observation.labels_failed

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if self._is_excluded is not None and self._is_excluded(environ.get("PATH_INFO", "")):
            return self._app(environ, start_response)
        # Without ``__init__``, whose call would cost as much as all the rest of this.
        exchange = _Exchange()
        exchange.middleware = self
        exchange.environ = environ
        exchange.server_start_response = start_response
        exchange.script_name = environ.get("SCRIPT_NAME")
        exchange.status = _SERVER_ERROR
        exchange.has_begun = False
        exchange.rule = None
        exchange.started_s = self.now_s()
        try:
            body = self._app(environ, exchange.start_response)
        except BaseException:
            if exchange.rule is None:
                exchange.rule = _match_again(self._app, environ)
            exchange.record(_SERVER_ERROR)
            raise
        exchange.body = body
        kind = type(body)
        if kind is list or kind is tuple:
            return _SizedBody(exchange, cast("Sequence[bytes]", body))
        if kind is environ.get("wsgi.file_wrapper") and exchange.follow_file(body):
            return body
        return exchange

    def record(self, environ: Environ, rule: object, script_name: str, status: int, duration_ms: float) -> None:
        """Record a response whose recorder ``records`` does not hold. Never raises."""
        try:
            record = self._find_record(environ, rule, script_name, status)
            if self._observation.needs_source:
                record(duration_ms, environ)
            else:
                record(duration_ms)
        except Exception:  # noqa: BLE001  # whatever a framework left in the environ must not fail the request
            return

    def _find_record(self, environ: Environ, rule: object, script_name: str, status: int) -> Record:
        method: str = environ["REQUEST_METHOD"]
        # Dispatchers move the mount's path over; what was there before is the server's or a proxy's.
        mounted_at = str(environ.get("SCRIPT_NAME") or "").removeprefix(script_name)
        text = getattr(rule, "rule", None)
        named = mounted_at + from_angles(text) if isinstance(text, str) else environ.get(ROUTE_KEY)
        record = self._observation.record_of(named if isinstance(named, str) else UNMATCHED, method, status)
        # What is mounted twice has one rule and two templates.
        is_fixed = rule is not None and not mounted_at and not self._observation.needs_source
        if is_fixed and method in METHODS and len(self._held) < MAX_RECORDS:
            self._held.append(rule)
            self.records[id(rule), method, status] = record
        return record


class _Exchange:
    """One request, and the body of its response as the server sees it.

    Attributes:
        script_name: As it came from the server.
        status: ``_RECORDED`` once it is.
        has_begun: Whether the server has asked for the first chunk.
        rule: Werkzeug's, that answered.
        body: As the application returned it.
    """

    __slots__ = (
        "body",
        "environ",
        "has_begun",
        "middleware",
        "rule",
        "script_name",
        "server_start_response",
        "started_s",
        "status",
    )
    body: Iterable[bytes]
    environ: Environ
    has_begun: bool
    middleware: BarographWSGIMiddleware
    rule: object
    script_name: str | None
    server_start_response: StartResponse
    started_s: float
    status: int

    def start_response(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        try:
            if self.status != _RECORDED:
                self.status = int(status[:3])
            request = self.environ.get(_WERKZEUG_REQUEST)
            if request is not None:
                self.rule = request.url_rule
        except Exception:  # noqa: BLE001  # no status, says the server then in its own words; not Flask's request
            self.rule = None
        if exc_info is None:
            return self.server_start_response(status, headers)
        return self.server_start_response(status, headers, exc_info)

    def __iter__(self) -> Iterator[bytes]:
        self.has_begun = True
        try:
            # Not ``yield from``, which would close the body when we are closed, and ``close`` once more.
            for chunk in self.body:  # noqa: UP028
                yield chunk
        except GeneratorExit:
            raise
        except BaseException:
            self.record(_SERVER_ERROR)
            raise
        # The usual end, written out: a call of ``record`` would cost a tenth of what recording a request costs.
        middleware, environ, status = self.middleware, self.environ, self.status
        if environ.get("SCRIPT_NAME") == self.script_name:
            record = middleware.records.get((id(self.rule), environ.get("REQUEST_METHOD"), status))
            if record is not None:
                record((middleware.now_s() - self.started_s) * 1_000)
                self.status = _RECORDED
                return
        self.record(status)

    def close(self) -> None:
        if self.status != _RECORDED:
            # A body that was begun and not finished is one that the client did not wait for.
            self.record(CLIENT_LEFT if self.has_begun else self.status)
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def follow_file(self, body: object) -> bool:
        """Record when the server closes a file that it sends by itself; say whether that can be known."""
        close = getattr(body, "close", None)

        def close_and_record() -> None:
            self.record(self.status)
            if close is not None:
                close()

        try:
            cast("Any", body).close = close_and_record
        except (AttributeError, TypeError):  # a server's own type in C
            return False
        return True

    def record(self, status: int) -> None:
        """Record the response once; what follows the last chunk changes nothing."""
        if self.status == _RECORDED:
            return
        self.status = _RECORDED
        duration_ms = (self.middleware.now_s() - self.started_s) * 1_000
        self.middleware.record(self.environ, self.rule, self.script_name or "", status, duration_ms)


class _SizedBody:
    """A list of chunks: servers take the length of the answer from a list with one."""

    __slots__ = ("_body", "_exchange")

    def __init__(self, exchange: _Exchange, body: Sequence[bytes]) -> None:
        self._exchange = exchange
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._exchange)

    def __len__(self) -> int:
        return len(self._body)

    def close(self) -> None:
        self._exchange.close()


def _match_again(app: object, environ: Environ) -> object:
    """Return the rule of a request that Flask let fail (debugging, testing), when its context is gone."""
    flask = getattr(app, "__self__", app)
    try:
        return cast("Any", flask).url_map.bind_to_environ(environ).match(return_rule=True)[0]
    except Exception:  # noqa: BLE001  # not Flask, or no such route
        return None
