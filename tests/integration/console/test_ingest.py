"""Events over HTTP through the whole pipeline, with the official clients: however often they come, each counts once."""

import gzip
import json
import math
import random
import zlib
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_entries, as_int
from tests.integration.console.lossy_gateway import LossyGateway
from tests.integration.console.test_console_process import stage, url_in
from tests.support import valkey_server, wait_until

BOUND_S = 60.0
# The console may grow by what it unpacks at once, and by what Python keeps of it; not by what a bomb stands for.
MOST_GROWN_BYTES = 64 << 20


@dataclass
class Pipeline:
    """An aggregator and a console over one server."""

    base: str
    connection: Connection
    keys: ShardKeys
    console: psutil.Process
    begun_ms: int

    def send(self, body: bytes, media_type: str, **headers: str) -> Any:
        named = {"Content-Type": media_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return httpx2.post(f"{self.base}/api/v1/ingest", content=body, headers=named, timeout=BOUND_S)

    def points(self, service: str, kind: str, measure: str, by: str = "") -> dict[str, dict[str, float]]:
        """Return one point for each value of ``by``, over everything that was sent."""
        query = {"service": service, "kind": kind, "measure": measure, "step": "all", "by": by}
        query |= {"from": str(self.begun_ms - 120_000), "to": str(read_now(self.connection) + 1_000)}
        answer = httpx2.get(f"{self.base}/api/v1/query", params=query, timeout=BOUND_S)
        if answer.status_code != 200:
            return {}
        return {series["labels"].get(by, ""): series["points"][0] for series in answer.json()["series"]}

    def count(self, service: str, kind: str, measure: str) -> int:
        return int(sum(point["count"] for point in self.points(service, kind, measure).values()))

    def wait_for(self, service: str, kind: str, measure: str, count: int) -> None:
        wait_until(
            lambda: self.count(service, kind, measure) >= count, timeout_s=BOUND_S, what=f"{count} {kind} events"
        )
        assert self.count(service, kind, measure) == count


@pytest.fixture
def pipeline(real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path) -> Generator[Pipeline, None, None]:
    ensure_library(real)
    common, log = ("--url", valkey_url, "--prefix", keys.prefix), tmp_path / "console.log"
    with (
        stage("barograph_aggregator", tmp_path / "aggregator.log", *common),
        stage("barograph_console", log, "--port", "0", *common) as process,
    ):
        yield Pipeline(url_in(log), real, keys, psutil.Process(process.pid), read_now(real))
    assert "Traceback" not in log.read_text()


def random_events(seed: int, count: int, now_ms: int) -> list[dict[str, Any]]:
    """Return events of every kind, of the last minute."""
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    for _ in range(count):
        common = {"service": "shop", "at_ms": now_ms - chance.randrange(60_000)}
        match chance.choice(["request", "request", "model", "custom"]):
            case "request":
                own = {"route": f"/r{chance.randrange(5)}", "method": "GET", "status": chance.choice([200, 404, 503])}
                events.append({"kind": "request", **common, **own, "duration_ms": chance.lognormvariate(3, 1)})
            case "model":
                own = {"model": "ctr", "version": chance.choice("78")}
                events.append({"kind": "model", **common, **own, "latency_ms": chance.expovariate(0.1)})
            case _:
                events.append({"kind": "custom", **common, "name": "depth", "value": chance.gauss(0, 1e6)})
    return events


def lines(events: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, events)).encode()


def sums(events: list[dict[str, Any]], kind: str, measure: str, by: str = "") -> dict[str, tuple[int, float]]:
    """Return count and exact sum for each value of ``by``."""
    values: dict[str, list[float]] = {}
    for event in events:
        if event["kind"] == kind:
            values.setdefault(event[by] if by else "", []).append(event[measure])
    return {name: (len(found), math.fsum(found)) for name, found in values.items()}


def test_ten_thousand_random_events_add_up_to_the_panes(pipeline: Pipeline) -> None:
    """Each request is sent twice, half of them compressed; sums are exact to the last bit."""
    events = random_events(7, 10_000, pipeline.begun_ms)
    for first in range(0, len(events), 2_000):
        body, headers = lines(events[first : first + 2_000]), {"Idempotency_Key": f"part-{first}"}
        if first % 4_000:
            body, headers["Content_Encoding"] = gzip.compress(body), "gzip"
        answers = [pipeline.send(body, "application/x-ndjson", **headers) for _ in range(2)]
        assert [answer.json()["accepted"] for answer in answers] == [2_000, 2_000], answers[0].text
    for kind, measure, by in (
        ("request", "duration_ms", "route"),
        ("model", "latency_ms", "version"),
        ("custom", "value", ""),
    ):
        expected = sums(events, kind, measure, by)
        pipeline.wait_for("shop", kind, measure, sum(count for count, _ in expected.values()))
        found = pipeline.points("shop", kind, measure, by)
        assert {name: (point["count"], point["sum"]) for name, point in found.items()} == expected
    statuses = Counter(str(event["status"]) for event in events if event["kind"] == "request")
    found = pipeline.points("shop", "request", "duration_ms", "status")
    assert {status: point["events"] for status, point in found.items()} == statuses


def test_who_sends_over_http_is_no_producer_that_could_be_missed(pipeline: Pipeline) -> None:
    """The service goes on closing when the sender has fallen silent, and nothing is missing."""
    event = {"kind": "custom", "service": "shop", "name": "depth", "value": 1}
    assert pipeline.send(json.dumps(event).encode(), "application/json").json()["accepted"] == 1
    pipeline.wait_for("shop", "custom", "value", 1)

    def overview() -> Any:
        return httpx2.get(f"{pipeline.base}/api/v1/overview?service=shop&range=5m", timeout=BOUND_S).json()

    reached_ms = overview()["closed_through_ms"]
    wait_until(lambda: overview()["closed_through_ms"] >= reached_ms + 3_000, timeout_s=BOUND_S, what="three seconds")
    found = overview()
    assert found["missing"] == 0
    assert found["pipeline"]["producers"]["known"] == 0


def messages(number: int) -> HTTPMessage:
    """Return one event, in one of the modes of the official package."""
    data = {"name": "orders", "value": number}
    event = CloudEvent({"type": "barograph.custom.v1", "source": "/shop", "id": f"order-{number}"}, data)
    return to_binary_event(event) if number % 2 else to_structured_event(event)


def test_cloud_events_count_once_though_answers_are_lost(pipeline: Pipeline) -> None:
    """The sender tries again until it gets an answer, as a broker does."""
    with LossyGateway(pipeline.base, "cut", "replace", "pass", "refuse", "pass") as gateway:
        for number in range(60):
            message = messages(number)
            for _ in range(10):
                try:
                    answer = httpx2.post(
                        f"{gateway.url}/api/v1/ingest",
                        content=message.body,
                        headers=dict(message.headers),
                        timeout=BOUND_S,
                    )
                except httpx2.TransportError:
                    continue
                if answer.status_code == 200:
                    break
            else:
                raise AssertionError("ten attempts were not enough")
        assert gateway.lost >= 20
        assert gateway.applied > 60
    pipeline.wait_for("shop", "custom", "value", 60)
    (point,) = pipeline.points("shop", "custom", "value").values()
    assert point["sum"] == sum(range(60))


def spans(count: int) -> list[ReadableSpan]:
    """Return spans as an instrumented service makes them: each request has a call of a model within."""
    kept = InMemorySpanExporter()
    # Typed in part.
    provider: Any = TracerProvider(resource=Resource.create({"service.name": "chat", "service.version": "2"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    for number in range(count):
        status = 503 if number % 10 == 0 else 200
        attributes = {"http.request.method": "POST", "http.route": "/ask", "http.response.status_code": status}
        with tracer.start_as_current_span("POST /ask", kind=SpanKind.SERVER, attributes=attributes) as server:
            names = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.response.model": "m-2"}
            with tracer.start_as_current_span("chat m", kind=SpanKind.CLIENT, attributes=names):
                pass
            if status >= 500:
                server.set_status(Status(StatusCode.ERROR))
    provider.shutdown()
    return list(kept.get_finished_spans())


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_spans_of_the_official_exporter_count_once(pipeline: Pipeline, compression: Compression) -> None:
    """Its own retries, and ours of the whole export: a gateway loses answers that had been given."""
    made = spans(300)
    with LossyGateway(pipeline.base, "replace", "pass") as gateway:
        exporter: Any = OTLPSpanExporter(f"{gateway.url}/v1/traces", timeout=60, compression=compression)
        for _ in range(2):
            assert exporter.export(made) is SpanExportResult.SUCCESS
        exporter.shutdown()
        assert (gateway.applied, gateway.lost) == (4, 2)
    pipeline.wait_for("chat", "request", "duration_ms", 300)
    pipeline.wait_for("chat", "model", "latency_ms", 300)
    by_status = pipeline.points("chat", "request", "duration_ms", "status")
    assert {status: point["events"] for status, point in by_status.items()} == {"200": 270, "503": 30}
    assert list(pipeline.points("chat", "request", "duration_ms", "version")) == ["2"]
    assert list(pipeline.points("chat", "model", "latency_ms", "version")) == ["m-2"]


def bomb(unpacked_bytes: int) -> bytes:
    """Return gzip that stands for so many zeros."""
    packer, packed, part = zlib.compressobj(9, zlib.DEFLATED, 31), bytearray(), bytes(1 << 20)
    for _ in range(unpacked_bytes >> 20):
        packed += packer.compress(part)
    return bytes(packed) + packer.flush()


def test_bombs_and_wrong_types_are_refused_within_bounds(pipeline: Pipeline) -> None:
    """A quarter of a gigabyte in as many kilobytes, twenty times."""
    packed = bomb(256 << 20)
    assert pipeline.send(packed, "application/json", Content_Encoding="gzip").status_code == 413
    before = pipeline.console.memory_info().rss
    for path, media_type in (("/api/v1/ingest", "application/json"), ("/v1/traces", "application/x-protobuf")) * 10:
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        answer = httpx2.post(pipeline.base + path, content=packed, headers=headers, timeout=BOUND_S)
        assert answer.status_code == 413
    assert pipeline.console.memory_info().rss - before < MOST_GROWN_BYTES
    assert pipeline.send(b"<event/>", "application/xml").status_code == 415
    assert pipeline.send(b"[1]", "application/json", Content_Encoding="br").status_code == 415
    assert as_int(pipeline.connection.command("XLEN", pipeline.keys.events)) == 0


def test_a_full_server_takes_nothing_and_everything_once_there_is_room(keys: ShardKeys, tmp_path: Path) -> None:
    log, event = tmp_path / "console.log", {"kind": "custom", "service": "shop", "name": "depth", "value": 1}
    with valkey_server() as url:
        connection = Connection.open(url)
        ensure_library(connection)
        connection.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        with stage("barograph_console", log, "--port", "0", "--url", url, "--prefix", keys.prefix):
            base = url_in(log)

            def send() -> Any:
                headers = {"Idempotency-Key": "once"}
                return httpx2.post(f"{base}/api/v1/ingest", json=[event] * 10, headers=headers, timeout=BOUND_S)

            connection.command("CONFIG", "SET", "maxmemory", "1")
            refused = [send() for _ in range(3)]
            assert {(one.status_code, one.json()["code"], one.headers["retry-after"]) for one in refused} == {
                (503, "out_of_memory", "2")
            }
            exporter: Any = OTLPSpanExporter(f"{base}/v1/traces", timeout=1)
            assert exporter.export(spans(1)) is SpanExportResult.FAILURE
            exporter.shutdown()
            assert as_int(connection.command("EXISTS", keys.events)) == 0
            connection.command("CONFIG", "SET", "maxmemory", "0")
            taken = [send() for _ in range(3)]
            assert [one.json()["accepted"] for one in taken] == [10, 10, 10]
            # The span's last attempt may have been under way still.
            entries = as_entries(connection.command("XRANGE", keys.events, "-", "+"))
            assert [entry.text("n") for entry in entries if entry.text("service") == "shop"] == ["10"]
        connection.close()
