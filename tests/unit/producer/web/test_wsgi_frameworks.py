"""Route labels under Flask and Django over WSGI."""

from collections.abc import Iterator

import pytest
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]
from flask import Blueprint, Flask, stream_with_context
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from barograph_producer import BarographWSGIMiddleware
from tests.unit.producer.web import django_site
from tests.unit.producer.web.asgi_driver import Sink
from tests.unit.producer.web.wsgi_driver import WsgiDriver


def flask_app() -> Flask:
    app, api = Flask(__name__), Blueprint("api", __name__)

    @app.get("/")
    def root() -> str:
        return "x"

    @app.post("/predict")
    def predict() -> str:
        return "x"

    @app.get("/fail")
    def fail() -> str:
        raise RuntimeError("boom")

    @app.get("/stream/<path:name>")
    def stream(name: str) -> Iterator[str]:
        def chunks() -> Iterator[str]:
            yield name
            yield name

        return stream_with_context(chunks())

    @app.get("/missing/<int:item>")
    def missing(item: int) -> str:
        raise NotFound(str(item))

    @api.get("/items/<any(a, b):kind>/<int(min=1):item>")
    def items(tenant: str, kind: str, item: int) -> str:
        return f"{tenant}{kind}{item}"

    app.register_blueprint(api, url_prefix="/api/<tenant>")
    return app


@pytest.mark.parametrize(
    ("method", "path", "template", "status"),
    [
        ("GET", "/", "/", 200),
        ("HEAD", "/", "/", 200),
        ("OPTIONS", "/predict", "/predict", 200),
        ("POST", "/predict", "/predict", 200),
        ("GET", "/predict", "__unmatched__", 405),
        ("GET", "/fail", "/fail", 500),
        ("GET", "/stream/a/b", "/stream/{name}", 200),
        ("GET", "/missing/7", "/missing/{item}", 404),
        ("GET", "/api/acme/items/a/7", "/api/{tenant}/items/{kind}/{item}", 200),
        ("GET", "/static/x.js", "/static/{filename}", 404),
        ("GET", "/wp-login.php", "__unmatched__", 404),
    ],
)
def test_flask(method: str, path: str, template: str, status: int) -> None:
    driver = WsgiDriver.around(flask_app())
    for _ in range(2):
        driver.get(path, method=method)
    assert [(r.route, r.method, r.status) for r in driver.sink.recorded] == [(template, method, status)] * 2


def test_flask_the_usual_way() -> None:
    app, sink = flask_app(), Sink()
    app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app, producer=sink)  # type: ignore[method-assign]  # Flask's own idiom
    assert app.test_client().get("/api/acme/items/a/7").text == "acmea7"
    assert sink.recorded[0].route == "/api/{tenant}/items/{kind}/{item}"


def test_an_exception_that_flask_lets_through_keeps_its_route() -> None:
    """With TESTING or DEBUG there is no response, and the context is gone."""
    app, sink = flask_app(), Sink()
    app.testing = True
    app.wsgi_app = BarographWSGIMiddleware(app.wsgi_app, producer=sink)  # type: ignore[method-assign]  # Flask's own idiom
    with pytest.raises(RuntimeError, match="boom"):
        app.test_client().get("/fail")
    assert [(r.route, r.status) for r in sink.recorded] == [("/fail", 500)]


def test_applications_that_are_mounted_twice_have_both_templates() -> None:
    flask = flask_app()
    driver = WsgiDriver.around(DispatcherMiddleware(flask, {"/v1": flask, "/v2": flask}))
    for path in ("/v1/missing/7", "/v2/missing/7", "/missing/7"):
        driver.get(path, script_name="/proxy")
    assert [r.route for r in driver.sink.recorded] == ["/v1/missing/{item}", "/v2/missing/{item}", "/missing/{item}"]


def test_the_same_path_behind_a_proxy_and_in_a_mount_is_told_apart_each_time() -> None:
    """What was there before the request came is the proxy's; only what a dispatcher added is the template's."""
    flask = flask_app()
    driver = WsgiDriver.around(DispatcherMiddleware(flask, {"/v1": flask}))
    for _ in range(3):
        driver.get("/v1/missing/7")
        driver.get("/missing/7", script_name="/v1")
    assert [r.route for r in driver.sink.recorded] == ["/v1/missing/{item}", "/missing/{item}"] * 3


def test_a_stream_that_fails_in_a_mount_keeps_its_route() -> None:
    """The status line said 200, and Flask's context is gone when it fails."""
    flask = Flask(__name__)

    @flask.get("/half/<name>")
    def half(name: str) -> Iterator[str]:
        yield name
        raise RuntimeError("boom")

    driver = WsgiDriver.around(DispatcherMiddleware(flask, {"/v1": flask}))
    driver.get("/v1/missing")
    with pytest.raises(RuntimeError, match="boom"):
        driver.get("/v1/half/x")
    assert (driver.sink.recorded[1].route, driver.sink.recorded[1].status) == ("/v1/half/{name}", 500)


@pytest.mark.parametrize(
    ("path", "template", "status"),
    [
        ("/", "/", 200),
        ("/predict", "/predict", 200),
        ("/fail", "/fail", 500),
        ("/stream", "/stream", 200),
        ("/api/acme/items/7/", "/api/{tenant}/items/{item}/", 200),
        ("/api/acme/old/1999/x.html", "/api/{tenant}/old/{year}/{}.html", 200),
        ("/sets/a/edit", "/sets/{name}/edit", 200),
        ("/sets/a/show", "/sets/{name}/show", 200),
        ("/wp-login.php", "__unmatched__", 404),
    ],
)
def test_django(path: str, template: str, status: int) -> None:
    assert django_site.urlpatterns
    driver = WsgiDriver.around(WSGIHandler())
    for _ in range(2):
        driver.get(path)
    assert [(r.route, r.status) for r in driver.sink.recorded] == [(template, status)] * 2


def test_a_scan_makes_one_series() -> None:
    driver = WsgiDriver.around(flask_app())
    for i in range(200):
        driver.get(f"/scan/{i}.php", method=f"SCAN{i}")
    assert {(r.route, r.method) for r in driver.sink.recorded} == {("__unmatched__", "__other__")}
