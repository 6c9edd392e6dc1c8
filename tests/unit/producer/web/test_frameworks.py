"""Frameworks that leave their templates elsewhere than Starlette, over ASGI: Litestar, Django, and none."""

import inspect

import pytest
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]
from litestar import Litestar, Request, Router, asgi, get, post
from litestar.datastructures import State
from litestar.types import Receive, Scope, Send
from starlette.responses import PlainTextResponse

from barograph_producer import BarographMiddleware
from tests.unit.producer.web import django_site
from tests.unit.producer.web.asgi_driver import Driver


def litestar_app() -> Litestar:
    @get("/")
    async def root() -> str:
        return "x"

    @get("/items/{item:int}")
    async def read_item(request: Request[object, object, State]) -> int:
        return int(request.path_params["item"])

    @post("/predict", status_code=200)
    async def predict() -> str:
        return "x"

    @get("/fail")
    async def fail() -> str:
        raise RuntimeError("boom")

    @asgi("/mounted", is_mount=True, copy_scope=False)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("x")(scope, receive, send)  # type: ignore[arg-type]  # their words for one thing

    nested = Router("/nested", route_handlers=[mounted])
    return Litestar([root, read_item, predict, fail, mounted, nested], logging_config=None)


@pytest.mark.parametrize(
    ("method", "path", "template", "status"),
    [
        ("GET", "/", "/", 200),
        ("GET", "/items/7", "/items/{item}", 200),
        ("GET", "/items/seven", "__unmatched__", 404),
        ("POST", "/predict", "/predict", 200),
        ("GET", "/predict", "__unmatched__", 405),
        ("GET", "/fail", "/fail", 500),
        ("GET", "/mounted/a/b", "/mounted/{path}", 200),
        ("GET", "/mounted", "/mounted/{path}", 200),
        ("GET", "//nested//mounted/a/", "/nested/mounted/{path}", 200),
        ("GET", "/wp-login.php", "__unmatched__", 404),
    ],
)
def test_litestar(method: str, path: str, template: str, status: int) -> None:
    driver = Driver.around(litestar_app())
    for _ in range(2):
        driver.get(path, method=method)
    assert [(r.route, r.method, r.status) for r in driver.sink.recorded] == [(template, method, status)] * 2


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
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_django(path: str, template: str, status: int) -> None:
    assert django_site.urlpatterns
    driver = Driver.around(ASGIHandler())
    for _ in range(2):
        driver.get(path)
    assert [(r.route, r.status) for r in driver.sink.recorded] == [(template, status)] * 2


def test_django_without_a_response_is_a_client_that_left() -> None:
    """Django answers a disconnect with nothing at all."""
    driver = Driver.around(ASGIHandler())
    driver.get("/predict", leaves=True)
    assert (driver.only.route, driver.only.status) == ("__unmatched__", 499)


def test_two_middlewares_around_one_django_both_know_the_route() -> None:
    handler = ASGIHandler()
    first, second = Driver.around(handler), Driver.around(handler)
    first.get("/predict")
    second.get("/predict")
    assert (first.only.route, second.only.route) == ("/predict", "/predict")


def test_django_inside_other_middleware_is_found() -> None:
    class Wrapper:
        def __init__(self) -> None:
            self.application = ASGIHandler()

        async def __call__(self, scope: object, receive: object, send: object) -> None:
            await self.application(scope, receive, send)

    driver = Driver.around(Wrapper())
    driver.get("/predict")
    assert driver.only.route == "/predict"


def test_an_application_may_name_its_route() -> None:
    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        scope["barograph.route"] = "/rooms/{room}"
        await PlainTextResponse("x")(scope, receive, send)  # type: ignore[arg-type]  # their words for one thing

    driver = Driver.around(app)
    driver.get("/rooms/7")
    assert driver.only.route == "/rooms/{room}"


def test_litestar_lives_and_is_flushed() -> None:
    driver = Driver.around(litestar_app())
    driver.live()
    assert driver.sink.acts == ["start", "lifespan.startup.complete", "pause 2.0", "lifespan.shutdown.complete"]


def test_an_asgi_server_still_sees_a_coroutine_function() -> None:
    """uvicorn uses that to find the version of the interface."""
    assert inspect.iscoroutinefunction(BarographMiddleware.__call__)
