"""WSGI middleware: one request event per response, for Flask, Django and every other WSGI application."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final, TypeAlias, cast

from barograph_producer._web.django import ROUTE_KEY
from barograph_producer._web.middleware import OBSERVERS, OUTER_SCOPE, RecordingMiddleware
from barograph_producer._web.observation import CLIENT_LEFT, MAX_RECORDS, METHODS, ResponseRecorder
from barograph_producer._web.templates import UNMATCHED, from_angles

# The types of PEP 3333; servers and frameworks define the values.
Environ: TypeAlias = MutableMapping[str, Any]
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]
# ``Any``, because frameworks type the body by their own response.
WsgiApp: TypeAlias = Callable[[Any, Any], Iterable[Any]]
# SCRIPT_NAME as set by the server and as it is now, the text of Werkzeug's rule, the method and the status line.
WsgiAnswer: TypeAlias = tuple[str | None, str | None, str | None, str, str]

_SERVER_ERROR: Final = 500
_UNANSWERED: Final[WsgiAnswer] = (None, None, None, "", str(_SERVER_ERROR))
# Flask removes its request object together with its context, so ``start_response`` reads it.
_WERKZEUG_REQUEST: Final = "werkzeug.request"


class BarographWSGIMiddleware(RecordingMiddleware[WsgiApp, WsgiAnswer]):
    """Records every request: route template, method, status, and time until the server takes the last chunk.

    Code that runs when the server closes the response is not part of the duration. An exception is recorded as
    status 500 and passes on unchanged. Make it the outermost middleware: ``app.wsgi_app =
    BarographWSGIMiddleware(app.wsgi_app, producer=producer)`` in Flask, ``application =
    BarographWSGIMiddleware(get_wsgi_application(), producer=producer)`` in Django. An application with another
    framework sets its route with ``environ["barograph.route"] = "/items/{item}"``.
    """

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if self._is_excluded is not None and self._is_excluded(environ.get("PATH_INFO", "")):
            return self._app(environ, start_response)
        if OBSERVERS not in environ and OUTER_SCOPE not in environ:  # so for all but few; the call would cost more
            environ[OBSERVERS] = self._observers
        elif self._is_observed(environ, environ.get(OUTER_SCOPE)):
            return self._app(environ, start_response)
        # Set the attributes here, because a call of ``__init__`` would cost as much as all the rest of this method.
        exchange = _Exchange()
        exchange.middleware = self
        exchange.environ = environ
        exchange.server_start_response = start_response
        exchange.script_name = environ.get("SCRIPT_NAME")
        exchange.has_begun = False
        exchange.answer = _UNANSWERED
        # Here and below, attributes that are called become local variables first, because that is cheaper.
        app, now_s = self._app, self.now_s
        exchange.started_s = now_s()
        try:
            exchange.body = body = app(environ, exchange.start_response)
        except BaseException:
            exchange.fail(self._app)
            raise
        kind = type(body)
        if kind is list or kind is tuple:
            return _SizedBody(exchange, cast("Sequence[bytes]", body))
        if kind is environ.get("wsgi.file_wrapper") and exchange.follow_file(body):
            return body
        return exchange

    def record(self, environ: Environ, answer: WsgiAnswer, status: int | None, duration_ms: float) -> None:
        """Record a response that has no recorder in ``records`` yet. Never raises.

        Args:
            environ: The environ of the request.
            answer: The beginning of the response.
            status: The status, if it differs from that of the status line.
            duration_ms: The time until the last chunk.
        """
        try:
            record = self._find_record(environ, answer, status)
            if self.needs_source:
                record(duration_ms, environ)
            else:
                record(duration_ms)
        except Exception:  # noqa: BLE001  # the content of the environ must not make the request fail
            return

    def _find_record(self, environ: Environ, answer: WsgiAnswer, status: int | None) -> ResponseRecorder:
        came_to, moved_to, rule, method, line = answer
        method = method or environ["REQUEST_METHOD"]
        if isinstance(rule, str):
            # Dispatchers append the mount's path to SCRIPT_NAME; its beginning comes from the server or a proxy.
            named: object = (moved_to or "").removeprefix(came_to or "") + from_angles(rule)
        else:
            named = environ.get(ROUTE_KEY)
        record = self._observation.record_of(
            named if isinstance(named, str) else UNMATCHED, method, _status_of(line) if status is None else status
        )
        if isinstance(rule, str) and status is None and method in METHODS and len(self.records) < MAX_RECORDS:
            self.records[answer] = record
        return record


class _Exchange:
    """One request, and the body of its response as the server iterates over it.

    Attributes:
        script_name: SCRIPT_NAME as set by the server.
        has_begun: Whether the server has asked for the first chunk.
        answer: The beginning of the response; ``None`` once it is recorded.
        body: The body that the application returned.
    """

    __slots__ = (
        "answer",
        "body",
        "environ",
        "has_begun",
        "middleware",
        "script_name",
        "server_start_response",
        "started_s",
    )
    answer: WsgiAnswer | None
    body: Iterable[bytes]
    environ: Environ
    has_begun: bool
    middleware: BarographWSGIMiddleware
    script_name: str | None
    server_start_response: StartResponse
    started_s: float

    def start_response(
        self, status: str, headers: Sequence[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        environ = self.environ
        if self.answer is not None:
            moved_to = environ.get("SCRIPT_NAME")
            try:
                request = environ.get(_WERKZEUG_REQUEST)
                rule = None if request is None else request.url_rule
                text = None if rule is None else rule.rule
                self.answer = (self.script_name, moved_to, text, environ["REQUEST_METHOD"], status)
            except Exception:  # noqa: BLE001  # it is not a request of Flask
                self.answer = (self.script_name, moved_to, None, "", status)
        start_response = self.server_start_response
        if exc_info is None:
            return start_response(status, headers)
        return start_response(status, headers, exc_info)

    def __iter__(self) -> Iterator[bytes]:
        self.has_begun = True
        try:
            # ``yield from`` would close the body together with this generator, and ``close`` would do so again.
            for chunk in self.body:  # noqa: UP028
                yield chunk
        except GeneratorExit:
            raise
        except BaseException:
            self.record(_SERVER_ERROR)
            raise
        # The usual end does not call ``record``, because that call costs a tenth of recording a request.
        answer = self.answer
        if answer is None:
            return
        self.answer = None
        middleware = self.middleware
        now_s = middleware.now_s
        duration_ms = (now_s() - self.started_s) * 1_000
        try:
            record = middleware.records[answer]
        except (KeyError, TypeError):  # a new response, no rule of Flask, or a status line that is not text
            middleware.record(self.environ, answer, None, duration_ms)
        else:
            if middleware.needs_source:
                record(duration_ms, self.environ)
            else:
                record(duration_ms)

    def close(self) -> None:
        if self.answer is not None:
            # If the body was begun and not finished, the client left.
            self.record(CLIENT_LEFT if self.has_begun else None)
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def fail(self, app: WsgiApp) -> None:
        """Record that the application raised and returned no body."""
        if self.answer is not None and self.answer[2] is None:
            text = _match_again(app, self.environ)
            self.answer = (self.script_name, self.environ.get("SCRIPT_NAME"), text, "", "")
        self.record(_SERVER_ERROR)

    def follow_file(self, body: object) -> bool:
        """Record when the server closes a file that it sends itself; return whether the file allows that."""
        close = getattr(body, "close", None)

        def close_and_record() -> None:
            self.record(None)
            if close is not None:
                close()

        try:
            cast("Any", body).close = close_and_record
        except (AttributeError, TypeError):  # a type of the server, in C
            return False
        return True

    def record(self, status: int | None) -> None:
        """Record the response, once; later calls change nothing.

        Args:
            status: The status, if it differs from that of the status line.
        """
        answer, self.answer = self.answer, None
        if answer is not None:
            duration_ms = (self.middleware.now_s() - self.started_s) * 1_000
            self.middleware.record(self.environ, answer, status, duration_ms)


class _SizedBody:
    """A list of chunks: servers take the length of the response from a list with one chunk."""

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


def _match_again(app: object, environ: Environ) -> str | None:
    """Return the rule's text for a request of which Flask passed the exception on (debugging, testing).

    The context of the request no longer exists then, so the path is matched again.
    """
    flask = getattr(app, "__self__", app)
    try:
        rule = cast("Any", flask).url_map.bind_to_environ(environ).match(return_rule=True)[0]
        return cast("str", rule.rule)
    except Exception:  # noqa: BLE001  # not Flask, or no such route
        return None


def _status_of(line: str) -> int:
    """Return the status in a line such as ``200 OK``. For an invalid line the server answers 500 itself."""
    try:
        return int(line[:3])
    except (TypeError, ValueError):
        return _SERVER_ERROR
