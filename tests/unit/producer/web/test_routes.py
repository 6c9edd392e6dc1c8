"""Route labels are full templates, in every arrangement of routers and mounts, and bounded in number."""

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router

from barograph_producer import BarographMiddleware
from tests.unit.producer.web.asgi_driver import Driver, Sink


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def raw(scope: object, receive: object, send: object) -> None:
    await PlainTextResponse("raw")(scope, receive, send)  # type: ignore[arg-type]  # any mounted ASGI application


def starlette_app() -> Starlette:
    tenant = Starlette(routes=[Route("/items/{item:int}", hello), Route("/", hello)])
    shared = Router([Route("/shared/{x}", hello)])
    return Starlette(
        routes=[
            Route("/", hello),
            Route("/predict", hello, methods=["POST"]),
            Route("/files/{name:path}", hello),
            Mount("/tenants/{tenant}", tenant),
            Mount("/v1", shared),
            Mount("/v2", shared),
            Mount("/static", raw),
            Host("{sub}.example.org", Router([Route("/hosted", hello)])),
        ]
    )


def fastapi_app() -> FastAPI:
    app = FastAPI()
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")
    sub = FastAPI()

    @app.get("/plain/{x}")
    async def plain(x: str) -> str:
        return x

    @inner.get("/items/{item}")
    async def items(item: int) -> int:
        return item

    @inner.get("/again")
    async def again() -> str:
        return "again"

    @sub.get("/deep/{y}")
    async def deep(y: str) -> str:
        return y

    outer.include_router(inner)
    app.include_router(outer, prefix="/api")
    app.include_router(inner, prefix="/twice/{region}")
    app.mount("/sub/{mounted}", sub)
    app.mount("/raw", raw)
    return app


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/predict", "/predict"),
        ("/files/a/b/c", "/files/{name}"),
        ("/tenants/42/items/7", "/tenants/{tenant}/items/{item}"),
        ("/tenants/42/", "/tenants/{tenant}/"),
        ("/tenants/42/nothing", "__unmatched__"),
        ("/v1/shared/9", "/v1/shared/{x}"),
        ("/v2/shared/9", "/v2/shared/{x}"),
        ("/static/a/b.js", "/static/{path}"),
        ("/wp-login.php", "__unmatched__"),
        ("/predict/", "__unmatched__"),
    ],
)
def test_starlette(path: str, template: str) -> None:
    driver = Driver.around(starlette_app())
    for _ in range(2):
        driver.get(path)
    assert [recorded.route for recorded in driver.sink.recorded] == [template, template]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/plain/1", "/plain/{x}"),
        ("/api/outer/inner/items/5", "/api/outer/inner/items/{item}"),
        ("/api/outer/inner/items/nan", "/api/outer/inner/items/{item}"),
        ("/twice/eu/inner/items/5", "/twice/{region}/inner/items/{item}"),
        ("/twice/eu/inner/again", "/twice/{region}/inner/again"),
        ("/sub/7/deep/9", "/sub/{mounted}/deep/{y}"),
        ("/sub/7/nothing", "__unmatched__"),
        ("/raw/x", "/raw/{path}"),
        ("/openapi.json", "/openapi.json"),
        ("/nothing", "__unmatched__"),
    ],
)
def test_fastapi(path: str, template: str) -> None:
    driver = Driver.around(fastapi_app())
    for _ in range(2):
        driver.get(path)
    assert [recorded.route for recorded in driver.sink.recorded] == [template, template]


def test_middleware_that_is_added_to_the_application_sees_the_same() -> None:
    """``add_middleware`` puts us between the application and its router."""
    app, sink = fastapi_app(), Sink()
    app.add_middleware(BarographMiddleware, producer=sink)
    Driver(app, sink).get("/twice/eu/inner/items/5")
    assert sink.recorded[0].route == "/twice/{region}/inner/items/{item}"


def test_a_route_that_is_added_later_is_found() -> None:
    app = starlette_app()
    driver = Driver.around(app)
    driver.get("/")
    app.router.routes.append(Route("/late/{x}", hello))
    driver.get("/late/1")
    assert driver.sink.recorded[1].route == "/late/{x}"


def test_a_root_path_of_a_proxy_is_not_part_of_the_template() -> None:
    driver = Driver.around(starlette_app())
    driver.get("/proxy/v2/shared/9", root_path="/proxy")
    assert driver.only.route == "/v2/shared/{x}"


def test_a_method_that_is_not_allowed_belongs_to_its_route() -> None:
    driver = Driver.around(starlette_app())
    driver.get("/predict", method="GET")
    assert (driver.only.route, driver.only.status) == ("/predict", 405)


def test_a_scan_makes_one_series() -> None:
    """Paths come from outside: thousands of them must not become labels."""
    driver = Driver.around(fastapi_app())
    for i in range(200):
        driver.get(f"/scan/{i}.php")
    assert {recorded.route for recorded in driver.sink.recorded} == {"__unmatched__"}


def test_an_application_without_routes_is_one_series() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        await raw(scope, receive, send)

    driver = Driver.around(app)
    driver.get("/anything")
    assert driver.only.route == "__unmatched__"
