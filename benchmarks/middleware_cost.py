"""What recording each request adds to a web application, next to the common peers.

Applications are called in process by a minimal ASGI or WSGI server: no sockets, one route with a parameter,
a short text for an answer. All cases run in turns in one process, each right before or after its bare
application, net of which its figure is the median of its rounds, in CPU time of the thread. Loops are short, so
that the two share the machine's mood. Nothing is shipped while a case is timed.

Where a process happens to have its objects makes a fifth more or less, so several processes are measured: figures
are the medians of theirs, and ratios the medians of the ratios within each.

    python benchmarks/middleware_cost.py [--processes 5] [--requests 100] [--rounds 41] [--json]
"""

# Only the buffers tell the caller's side from the shipper's; the peers are typed in part or not at all.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingImports=false, reportArgumentType=false

import argparse
import asyncio
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from barograph_core.errors import StreamUnavailableError
from barograph_producer import BarographMiddleware, BarographWSGIMiddleware, Producer

Loop = Callable[[int], None]
Stack = str
Name = tuple[Stack, str]

OURS = "barograph"
OTEL = "OpenTelemetry ASGI, metrics only"
INSTRUMENTATOR = "prometheus-fastapi-instrumentator"
FLASK_EXPORTER = "prometheus-flask-exporter"
STARLETTE_LIMIT_US = 2.0
PEER_LIMITS: dict[Name, float] = {
    ("FastAPI", INSTRUMENTATOR): 10,
    ("FastAPI", OTEL): 25,
    ("Flask", FLASK_EXPORTER): 8,
}


@dataclass(frozen=True)
class Case:
    """An application with something around it, and the same with nothing.

    Both share one application object where that can be: a second one lies elsewhere in memory, which alone
    was seen to make 2 µs.
    """

    stack: Stack
    name: str
    loop: Loop
    bare: Loop | None = None


def nowhere() -> object:
    raise StreamUnavailableError("unreachable", "the benchmark ships nothing")


def asgi_loop(app: Any) -> Loop:
    """Return a loop that calls an ASGI application as a server does, with a fresh scope each time."""
    loop = asyncio.new_event_loop()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AssertionError(message)

    async def serve(requests: int) -> None:
        for _ in range(requests):
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.4"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": "/items/7",
                "raw_path": b"/items/7",
                "query_string": b"",
                "root_path": "",
                "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"benchmark")],
                "client": ("127.0.0.1", 50_000),
                "server": ("127.0.0.1", 8_000),
                "state": {},
            }
            await app(scope, receive, send)

    return lambda requests: loop.run_until_complete(serve(requests))


def wsgi_loop(app: Any) -> Loop:
    """Return a loop that calls a WSGI application as a server does, to the last byte and ``close``."""
    import io

    def start_response(status: str, _headers: object, _exc_info: object = None) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            raise AssertionError(status)
        return lambda _: None

    def serve(requests: int) -> None:
        for _ in range(requests):
            environ = {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": "/items/7",
                "QUERY_STRING": "",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "8000",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "127.0.0.1:8000",
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "wsgi.errors": sys.stderr,
                "wsgi.multithread": False,
                "wsgi.multiprocess": True,
                "wsgi.run_once": False,
            }
            body = app(environ, start_response)
            for _chunk in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()

    return serve


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def read_item(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("7")

    return Starlette(routes=[Route("/items/{item}", read_item)])


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/items/{item}")
    async def read_item(item: int) -> int:
        return item

    return app


def flask_app() -> Any:
    from flask import Flask

    app = Flask(__name__)

    @app.get("/items/<int:item>")
    def read_item(item: int) -> str:
        return str(item)

    return app


def otel_wrapped(app: Any) -> Any:
    """Metrics by the SDK, and spans that no one records: what a service without tracing pays."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.trace import NoOpTracerProvider

    provider = MeterProvider(metric_readers=[InMemoryMetricReader()])
    return OpenTelemetryMiddleware(app, meter_provider=provider, tracer_provider=NoOpTracerProvider())


def instrumentator_app() -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = fastapi_app()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def flask_exporter_app() -> Any:
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics

    app = flask_app()
    PrometheusMetrics(app, path=None, group_by="url_rule", registry=CollectorRegistry())
    return app


def asgi_cases(producer: Producer) -> Iterator[Case]:
    for stack, make in (("Starlette", starlette_app), ("FastAPI", fastapi_app)):
        app = make()
        bare = asgi_loop(app)
        yield Case(stack, "bare", bare)
        yield Case(stack, OURS, asgi_loop(BarographMiddleware(app, producer=producer)), bare)
        added = make()
        added.add_middleware(BarographMiddleware, producer=producer)
        yield Case(stack, "barograph, add_middleware", asgi_loop(added), bare)
        with_all = BarographMiddleware(
            app, producer=producer, exclude=("/health", "/metrics*"), sample_every=10, labels=lambda _: {"tenant": "a"}
        )
        yield Case(stack, "barograph, excluding, sampling, a label", asgi_loop(with_all), bare)
        yield Case(stack, OTEL, asgi_loop(otel_wrapped(app)), bare)
        if stack == "FastAPI":
            yield Case(stack, INSTRUMENTATOR, asgi_loop(instrumentator_app()), bare)


def wsgi_cases(producer: Producer) -> Iterator[Case]:
    app = flask_app()
    bare = wsgi_loop(app)
    yield Case("Flask", "bare", bare)
    yield Case("Flask", OURS, wsgi_loop(BarographWSGIMiddleware(app, producer=producer)), bare)
    yield Case("Flask", FLASK_EXPORTER, wsgi_loop(flask_exporter_app()), bare)


@contextmanager
def quiet_producer() -> Generator[tuple[Producer, Callable[[], object]]]:
    """Make a producer whose thread has ended and whose buffers are open: what is left is the caller's side."""
    producer = Producer("benchmark", max_events=1_000_000, sample_process=False, connect=nowhere)  # type: ignore[arg-type]
    producer.pause(0)
    buffers = producer._buffers.values()
    for buffer in buffers:
        buffer.open()

    def clean_up() -> None:
        for buffer in buffers:
            buffer.records.clear()

    yield producer, clean_up
    for buffer in buffers:
        buffer.shut()
    producer.close(0)


def measure(cases: list[Case], requests: int, rounds: int, clean_up: Callable[[], object]) -> dict[Case, float]:
    """Return each case's median µs per request, net of its bare application, which runs right before or after."""
    spans: dict[Case, list[float]] = {case: [] for case in cases}
    for i in range(rounds):
        for case in cases:
            if case.bare is None:
                spans[case].append(time_loop(case.loop, requests))
                continue
            order = (case.bare, case.loop) if i % 2 else (case.loop, case.bare)
            ns = {loop: time_loop(loop, requests) for loop in order}
            spans[case].append(ns[case.loop] - ns[case.bare])
            clean_up()
    return {case: statistics.median(values) / 1_000 for case, values in spans.items()}


def time_loop(loop: Loop, requests: int) -> float:
    """Return ns per request, after some that bring the code back into the caches."""
    loop(max(1, requests // 4))
    gc.collect(0)
    start_ns = time.thread_time_ns()
    loop(requests)
    return (time.thread_time_ns() - start_ns) / requests


def measure_here(requests: int, rounds: int) -> dict[Name, float]:
    with quiet_producer() as (producer, clean_up):
        cases = [*asgi_cases(producer), *wsgi_cases(producer)]
        return {(case.stack, case.name): us for case, us in measure(cases, requests, rounds, clean_up).items()}


def measure_in_processes(processes: int, requests: int, rounds: int) -> list[dict[Name, float]]:
    """Return the figures of each of several fresh processes, one after the other."""
    command = [sys.executable, __file__, "--json", "--processes=1", f"--requests={requests}", f"--rounds={rounds}"]
    figures: list[dict[Name, float]] = []
    for _ in range(processes):
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        medians: dict[str, float] = json.loads(answer.stdout)
        figures.append({name_of(text): us for text, us in medians.items()})
    return figures


def name_of(text: str) -> Name:
    stack, case = text.split(": ", 1)
    return stack, case


def report(figures: list[dict[Name, float]]) -> bool:
    def times(name: Name) -> float:
        """Return how many times ours this is."""
        return statistics.median(us[name] / us[name[0], OURS] for us in figures)

    print(f"{platform.python_implementation()} {platform.python_version()}, {len(figures)} processes\n")
    print(f"{'stack':<12}{'case (bare: the whole request)':<44}{'µs added':>10}{'from':>9}{'to':>9}{'x ours':>9}")
    for name in figures[0]:
        all_us = sorted(us[name] for us in figures)
        row = f"{name[0]:<12}{name[1]:<44}{statistics.median(all_us):>10.2f}{all_us[0]:>9.2f}{all_us[-1]:>9.2f}"
        print(f"{row}{times(name):>9.1f}")
    starlette_us = statistics.median(us["Starlette", OURS] for us in figures)
    checks = {
        f"Starlette ≤ {STARLETTE_LIMIT_US} µs": starlette_us <= STARLETTE_LIMIT_US,
        **{
            f"{stack} ≤ 1/{limit:.0f} of {peer}": times((stack, peer)) >= limit
            for (stack, peer), limit in PEER_LIMITS.items()
        },
    }
    print()
    for promise, holds in checks.items():
        print(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
    return all(checks.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100, help="per loop")
    parser.add_argument("--rounds", type=int, default=41, help="per process")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON and judge nothing")
    args = parser.parse_args()
    if args.processes > 1:
        figures = measure_in_processes(args.processes, args.requests, args.rounds)
    else:
        figures = [measure_here(args.requests, args.rounds)]
    if args.json:
        medians = {": ".join(name): statistics.median(us[name] for us in figures) for name in figures[0]}
        print(json.dumps({name: round(us, 3) for name, us in medians.items()}, indent=1))
        return 0
    return 0 if report(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
