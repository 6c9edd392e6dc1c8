"""WSGI middleware: one request event per response, for Flask, Django and what else speaks WSGI."""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final, TypeAlias, cast

from barograph_producer._django import ROUTE_KEY
from barograph_producer._middleware import RecordingMiddleware
from barograph_producer._observation import CLIENT_LEFT, MAX_RECORDS, METHODS, Record
from barograph_producer._templates import UNMATCHED, from_angles

# As in PEP 3333; the values are the server's and the framework's own.
Environ: TypeAlias = MutableMapping[str, Any]
StartResponse: TypeAlias = Callable[..., Callable[[bytes], object]]
# Any iterable: frameworks type the body by their own response.
App: TypeAlias = Callable[[Any, Any], Iterable[Any]]
# SCRIPT_NAME as the server gave it and as it is now, the text of Werkzeug's rule, the method, the status line.
Answer: TypeAlias = tuple[str | None, str | None, str | None, str, str]

_SERVER_ERROR: Final = 500
_UNANSWERED: Final[Answer] = (None, None, None, "", str(_SERVER_ERROR))
# Flask takes its request object away with its context, so it is looked at in ``start_response``.
_WERKZEUG_REQUEST: Final = "werkzeug.request"


class BarographWSGIMiddleware(RecordingMiddleware[App, Answer]):
    """Records every request: route template, method, status, and time to the last chunk taken by the server.

    What runs when the server closes the response is not part of the duration. An exception is recorded as
    status 500 and raised on unchanged. Put it outermost: ``app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app,
    producer=producer)`` in Flask, ``application = BarographWSGIMiddleware(get_wsgi_application(),
    producer=producer)`` in Django. An application that is neither names its route with
    ``environ["barograph.route"] = "/items/{item}"``.
    """

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
        exchange.has_begun = False
        exchange.answer = _UNANSWERED
        # Attributes that are called are made local first, here and below: that is the cheaper way to call them.
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

    def record(self, environ: Environ, answer: Answer, status: int | None, duration_ms: float) -> None:
        """Record a response whose recorder ``records`` does not hold. Never raises.

        Args:
            environ: Of the request.
            answer: What the application began to answer.
            status: How that ended, if not as its status line says.
            duration_ms: To the last chunk.
        """
        try:
            record = self._find_record(environ, answer, status)
            if self.needs_source:
                record(duration_ms, environ)
            else:
                record(duration_ms)
        except Exception:  # noqa: BLE001  # whatever a framework left in the environ must not fail the request
            return

    def _find_record(self, environ: Environ, answer: Answer, status: int | None) -> Record:
        came_to, moved_to, rule, method, line = answer
        method = method or environ["REQUEST_METHOD"]
        if isinstance(rule, str):
            # Dispatchers move the mount's path over; what was there before is the server's or a proxy's.
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
    """One request, and the body of its response as the server sees it.

    Attributes:
        script_name: As it came from the server.
        has_begun: Whether the server has asked for the first chunk.
        answer: ``None`` once it is recorded.
        body: As the application returned it.
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
    answer: Answer | None
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
            except Exception:  # noqa: BLE001  # not Flask's request
                self.answer = (self.script_name, moved_to, None, "", status)
        start_response = self.server_start_response
        if exc_info is None:
            return start_response(status, headers)
        return start_response(status, headers, exc_info)

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
        answer = self.answer
        if answer is None:
            return
        self.answer = None
        middleware = self.middleware
        now_s = middleware.now_s
        duration_ms = (now_s() - self.started_s) * 1_000
        try:
            record = middleware.records[answer]
        except (KeyError, TypeError):  # not seen before, no rule of Flask's, or a status line that is no text
            middleware.record(self.environ, answer, None, duration_ms)
        else:
            if middleware.needs_source:
                record(duration_ms, self.environ)
            else:
                record(duration_ms)

    def close(self) -> None:
        if self.answer is not None:
            # A body that was begun and not finished is one that the client did not wait for.
            self.record(CLIENT_LEFT if self.has_begun else None)
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def fail(self, app: App) -> None:
        """Record that the application raised in place of returning a body."""
        if self.answer is not None and self.answer[2] is None:
            text = _match_again(app, self.environ)
            self.answer = (self.script_name, self.environ.get("SCRIPT_NAME"), text, "", "")
        self.record(_SERVER_ERROR)

    def follow_file(self, body: object) -> bool:
        """Record when the server closes a file that it sends by itself; say whether that can be known."""
        close = getattr(body, "close", None)

        def close_and_record() -> None:
            self.record(None)
            if close is not None:
                close()

        try:
            cast("Any", body).close = close_and_record
        except (AttributeError, TypeError):  # a server's own type in C
            return False
        return True

    def record(self, status: int | None) -> None:
        """Record the response once; what follows the last chunk changes nothing.

        Args:
            status: How it ended, if not as its status line says.
        """
        answer, self.answer = self.answer, None
        if answer is not None:
            duration_ms = (self.middleware.now_s() - self.started_s) * 1_000
            self.middleware.record(self.environ, answer, status, duration_ms)


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


def _match_again(app: object, environ: Environ) -> str | None:
    """Return the text of the rule of a request that Flask let fail (debugging, testing), when its context is gone."""
    flask = getattr(app, "__self__", app)
    try:
        rule = cast("Any", flask).url_map.bind_to_environ(environ).match(return_rule=True)[0]
        return cast("str", rule.rule)
    except Exception:  # noqa: BLE001  # not Flask, or no such route
        return None


def _status_of(line: str) -> int:
    """Return the status of a line such as ``200 OK``. For what is none the server answers 500, in its own words."""
    try:
        return int(line[:3])
    except (TypeError, ValueError):
        return _SERVER_ERROR
