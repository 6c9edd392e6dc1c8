"""The options of both middlewares: exclusion, further labels, sampling."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from barograph_producer import BarographMiddleware, BarographWSGIMiddleware
from barograph_producer._web.exclusion import Exclusion
from barograph_producer._web.lifespan import Message, Receive, Scope, Send
from barograph_producer._web.thinning import Thinning
from tests.support import FakeClock
from tests.unit.producer.web.asgi_driver import Driver, Sink
from tests.unit.producer.web.wsgi_driver import WsgiDriver


async def hello(request: Request) -> Response:
    request.scope["tenant"] = "acme"
    return PlainTextResponse("hello", status_code=int(request.query_params.get("status", "200")))


def starlette_app() -> Starlette:
    return Starlette(routes=[Route("/health", hello), Route("/items/{item}", hello), Route("/metrics/{x}", hello)])


def driver(**options: Any) -> tuple[Driver, BarographMiddleware]:
    sink, clock = Sink(), FakeClock()
    middleware = BarographMiddleware(starlette_app(), producer=sink, clock=clock, **options)
    return Driver(middleware, sink, clock), middleware


@pytest.mark.parametrize(
    ("pattern", "text", "is_excluded"),
    [
        ("/health", "/health", True),
        ("/health", "/healthy", False),
        ("/metrics*", "/metrics", True),
        ("/metrics*", "/metrics/a/b", True),
        ("/metrics*", "/v1/metrics", False),
        ("*/internal", "/a/b/internal", True),
        ("/v*/internal/*", "/v1/internal/x", True),
        ("/v*/internal/*", "/v1/public/x", False),
        ("/a.b*c", "/aXb*c", False),
        ("*", "/anything", True),
    ],
)
def test_a_pattern_is_a_whole_text_with_stars(pattern: str, text: str, is_excluded: bool) -> None:
    assert Exclusion((pattern,)).matches(text) is is_excluded


def test_one_text_is_no_list_of_patterns() -> None:
    """Its letters would all be patterns, and "/" would exclude the root."""
    with pytest.raises(TypeError, match="not one text"):
        Exclusion("/health")


@pytest.mark.parametrize("pattern", ["/health", "/items/{item}", "/items/7", "/metrics*"])
def test_paths_and_templates_are_excluded(pattern: str) -> None:
    paths = {"/health": "/health", "/items/{item}": "/items/7", "/items/7": "/items/7", "/metrics*": "/metrics/7"}
    asgi, _ = driver(exclude=(pattern,))
    assert asgi.get(paths[pattern])[0]["status"] == 200
    assert not asgi.sink.recorded
    asgi.get("/nothing")
    assert asgi.only.route == "__unmatched__"


def test_an_excluded_path_passes_through_untouched() -> None:
    """Not even the callables are wrapped."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "path": "/health"}
    asyncio.run(BarographMiddleware(app, producer=Sink(), exclude=("/health",))(scope, receive, send))
    assert seen == [scope, receive, send]


def test_labels_come_from_the_scope_as_the_application_left_it() -> None:
    def labels(scope: Scope) -> Mapping[str, str]:
        return {"tenant": scope["tenant"]}

    asgi, middleware = driver(labels=labels)
    asgi.get("/items/7")
    assert (asgi.only.route, asgi.only.labels, asgi.only.weight) == ("/items/{item}", {"tenant": "acme"}, 1)
    assert middleware.labels_failed == 0


@pytest.mark.parametrize(
    "given", [None, {"tenant": None}, {7: "x"}, {"status": "200"}, {str(i): "x" for i in range(17)}, KeyError("tenant")]
)
def test_labels_that_fail_are_counted_and_cost_nothing_else(given: object) -> None:
    """The request keeps its answer, the event its route. Nothing is logged in the request's thread."""

    def labels(_scope: object) -> object:
        if isinstance(given, Exception):
            raise given
        return given

    asgi, middleware = driver(labels=labels)
    for _ in range(3):
        assert asgi.get("/items/7")[0]["status"] == 200
    assert [(r.route, r.labels) for r in asgi.sink.recorded] == [("/items/{item}", {})] * 3
    assert middleware.labels_failed == 3
    assert [event for event, _ in asgi.sink.explained] == ["web.labels_failed"] * 3


def test_labels_of_wsgi_come_from_the_environ() -> None:
    def app(_environ: object, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x"]

    sink = Sink()
    middleware = BarographWSGIMiddleware(
        app, producer=sink, labels=lambda environ: {"tenant": environ["HTTP_X_TENANT"]}, exclude=("/health",)
    )
    wsgi = WsgiDriver(middleware, sink)
    wsgi.get("/x", HTTP_X_TENANT="acme")
    wsgi.get("/x")
    wsgi.get("/health")
    assert [r.labels for r in sink.recorded] == [{"tenant": "acme"}, {}]
    assert middleware.labels_failed == 1


def test_sampling_keeps_one_in_ten_and_every_error() -> None:
    """What is always recorded stands for itself alone: with the weight of the others it would count ten times."""
    app, sink = starlette_app(), Sink()
    asgi = Driver(BarographMiddleware(app, producer=sink, sample_every=10), sink)
    for i in range(200):
        asgi.get(f"/items/{i}")
    asgi.app = BarographMiddleware(failing, producer=sink, sample_every=10)
    for _ in range(7):
        asgi.get("/")
    assert [r.weight for r in sink.recorded if r.status == 200] == [10] * 20
    assert [r.weight for r in sink.recorded if r.status == 503] == [1] * 7


async def failing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_slow_requests_are_all_recorded_with_weight_one() -> None:
    sink, clock = Sink(), FakeClock()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        clock.advance(700)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = BarographMiddleware(app, producer=sink, clock=clock, sample_every=10, always_slow_ms=500)
    slow = Driver(middleware, sink, clock)
    for _ in range(3):
        slow.get("/")
    assert [r.weight for r in sink.recorded] == [1, 1, 1]


@pytest.mark.parametrize("every", [0, -1, 1_001])
def test_a_weight_that_no_event_can_carry_is_refused_at_once(every: int) -> None:
    with pytest.raises(ValueError, match="sample_every"):
        BarographMiddleware(starlette_app(), producer=Sink(), sample_every=every)


@pytest.mark.parametrize("every", [1, 2, 3, 10, 64, 1_000])
def test_each_block_keeps_exactly_one(every: int) -> None:
    """So a total is never off by more than one block."""
    thinning = Thinning(every)
    for _ in range(20):
        assert sum(thinning.keeps() for _ in range(every)) == 1


def test_every_place_is_as_likely() -> None:
    """Also the first: a series of three requests must not always, or never, be seen."""
    kept = [0] * 10
    for seed in range(20_000):
        thinning = Thinning(10, seed)
        kept[[thinning.keeps() for _ in range(10)].index(True)] += 1
    assert all(1_800 < count < 2_200 for count in kept)


def test_a_rhythm_in_the_traffic_is_seen_as_often_as_it_occurs() -> None:
    """Every tenth request is another one: taking each tenth would see it always or never."""
    thinning = Thinning(10, seed=7)
    kept = [i for i in range(100_000) if thinning.keeps()]
    assert len(kept) == 10_000
    assert 850 < sum(i % 10 == 0 for i in kept) < 1_150


def test_totals_of_a_mixture_have_no_bias() -> None:
    """Sampled successes weigh N, errors and slow ones 1: the expected weight of each request is 1."""
    estimates: list[int] = []
    for seed in range(300):
        thinning = Thinning(10, seed)
        fast_ones = sum(10 for _ in range(237) if thinning.keeps())
        estimates.append(fast_ones + 13)
    assert sum(estimates) / len(estimates) == pytest.approx(250, rel=0.01)
