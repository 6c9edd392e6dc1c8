"""Several middlewares around one request: it counts once for each producer."""

from collections.abc import Iterable
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask

from barograph_producer import BarographMiddleware, BarographWSGIMiddleware
from barograph_producer._web.lifespan import AsgiApp, Receive, Scope, Send
from tests.unit.producer.web.asgi_driver import Driver, Recorded, Sink
from tests.unit.producer.web.wsgi_driver import WsgiDriver


def mounted(inner: Sink, outer: Sink, **outer_options: Any) -> FastAPI:
    """Return an application with one mounted in it, both with the middleware."""
    sub, app = FastAPI(), FastAPI()
    sub.add_api_route("/x", lambda: 1)
    sub.add_middleware(BarographMiddleware, producer=inner)
    app.mount("/sub", sub)
    app.add_middleware(BarographMiddleware, producer=outer, **outer_options)
    return app


def brief(recorded: Iterable[Recorded]) -> list[tuple[str, int]]:
    return [(one.route, one.status) for one in recorded]


def test_a_mounted_application_with_its_own_middleware_counts_once() -> None:
    """The outermost records it, with the prefix of the mount."""
    sink = Sink()
    Driver(mounted(sink, sink), sink).get("/sub/x")
    assert brief(sink.recorded) == [("/sub/x", 200)]


def test_a_middleware_that_is_added_twice_counts_once() -> None:
    app, sink = FastAPI(), Sink()
    app.add_api_route("/y", lambda: 1)
    for _ in range(2):
        app.add_middleware(BarographMiddleware, producer=sink)
    driver = Driver(app, sink)
    for _ in range(2):
        driver.get("/y")
    assert brief(sink.recorded) == [("/y", 200)] * 2


def test_a_copy_of_the_scope_is_the_same_request() -> None:
    """Dispatchers of several frameworks give an inner application a copy."""
    sink = Sink()
    inner = BarographMiddleware(answer, producer=sink)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await inner(dict(scope), receive, send)

    Driver(BarographMiddleware(dispatch, producer=sink), sink).get("/")
    assert brief(sink.recorded) == [("__unmatched__", 200)]


def test_two_producers_each_record_the_request() -> None:
    """They report for two services, such as a gateway and the API mounted in it."""
    api, gateway = Sink(), Sink()
    Driver(mounted(api, gateway), gateway).get("/sub/x")
    assert (brief(api.recorded), brief(gateway.recorded)) == ([("/x", 200)], [("/sub/x", 200)])


def test_between_two_of_one_producer_another_records_too() -> None:
    one, other = Sink(), Sink()
    app: AsgiApp = answer
    for sink in (one, other, one):
        app = BarographMiddleware(app, producer=sink)
    Driver(app, one).get("/")
    assert (len(one.recorded), len(other.recorded)) == (1, 1)


def test_a_path_that_the_outer_one_excludes_is_left_to_the_inner_one() -> None:
    sink = Sink()
    Driver(mounted(sink, sink, exclude=("/sub/*",)), sink).get("/sub/x")
    assert brief(sink.recorded) == [("/x", 200)]


def test_a_flask_application_wrapped_twice_counts_once() -> None:
    app, sink = Flask(__name__), Sink()
    app.add_url_rule("/items/<int:item>", view_func=str_of)
    app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app, producer=sink)  # type: ignore[method-assign]  # as Flask says
    driver = WsgiDriver(BarographWSGIMiddleware(app, producer=sink), sink)
    assert driver.get("/items/7") == b"7"
    assert brief(sink.recorded) == [("/items/{item}", 200)]


@pytest.mark.parametrize("producers", [1, 2])
def test_an_adapter_passes_the_mark_on(producers: int) -> None:
    """a2wsgi puts the scope into the environ of a WSGI application that is mounted in an ASGI one, and the reverse."""
    inner = Sink()
    outer = inner if producers == 1 else Sink()
    wsgi = WsgiDriver(BarographWSGIMiddleware(answer_wsgi, producer=inner), inner)
    asgi = Driver(BarographMiddleware(answer, producer=inner), inner)

    async def to_wsgi(scope: Scope, receive: Receive, send: Send) -> None:
        more: dict[str, Any] = {"asgi.scope": scope}
        wsgi.get("/", **more)
        await answer(scope, receive, send)

    def to_asgi(environ: Any, start_response: Any) -> list[bytes]:
        async def from_wsgi(scope: Scope, receive: Receive, send: Send) -> None:
            await asgi_app({**scope, "wsgi_environ": environ}, receive, send)

        asgi_app, asgi.app = asgi.app, from_wsgi
        asgi.get("/")
        return answer_wsgi(environ, start_response)

    Driver(BarographMiddleware(to_wsgi, producer=outer), outer).get("/")
    assert (len(inner.recorded), len(outer.recorded)) == (1, 1)
    WsgiDriver(BarographWSGIMiddleware(to_asgi, producer=outer), outer).get("/")
    assert (len(inner.recorded), len(outer.recorded)) == (2, 2)


def str_of(item: int) -> str:
    return str(item)


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def answer_wsgi(_environ: object, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]
