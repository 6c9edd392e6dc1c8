"""The live connection against a real server: from an event to the page, and what happens when things go wrong."""

import json
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from barograph_core.access.token import digest_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection, read_now
from tests.integration.console.test_console_process import stage, url_in
from tests.support import append, request_batch, wait_until

ADMIN = "a" * 40


class Traffic:
    """Events of one producer, second by second, by the server's clock."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self.connection = connection
        self.keys = keys
        self.seq = 0
        self.sent_ms = 0

    def flow(self, every_ms: int = 200) -> None:
        """Send once more, unless that was a moment ago: for conditions that are asked again and again."""
        if read_now(self.connection) - self.sent_ms >= every_ms:
            self.send()

    def closed_ms(self, service: str = "ranker") -> int:
        """Return how far the service is closed, 0 before its first pane."""
        through = self.connection.command("HGET", self.keys.closed, service)
        return int(through) if isinstance(through, bytes) else 0

    def send(self, requests: int = 20) -> int:
        """Append requests of the present second, and say that everything before it was sent; return the present."""
        now_ms = self.sent_ms = read_now(self.connection)
        self.seq += 1
        rows = [(now_ms - 1, f"/r{number % 3}", 500 if number % 10 == 0 else 200, 5.0) for number in range(requests)]
        append(self.connection, self.keys, request_batch(rows, seq=self.seq), seq=self.seq, through_ms=now_ms)
        return now_ms


def dial(base: str, **options: Any) -> ClientConnection:
    options.setdefault("origin", base)
    options.setdefault("max_size", 1 << 22)
    url = f"{base.replace('http', 'ws', 1)}/api/v1/live"
    return cast(ClientConnection, connect(url, compression=None, proxy=None, **options))


def subscribe(socket: ClientConnection, service: str, resume: dict[str, object] | None = None) -> None:
    socket.send(json.dumps({"type": "subscribe", "service": service, **({"resume": resume} if resume else {})}))


def messages(socket: ClientConnection, *, timeout_s: float = 20.0) -> Iterator[dict[str, Any]]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        yield json.loads(socket.recv(timeout=timeout_s))


def first(socket: ClientConnection, kind: str, **options: Any) -> dict[str, Any]:
    return next(message for message in messages(socket, **options) if message["type"] == kind)


@contextmanager
def running(
    valkey_url: str, keys: ShardKeys, folder: Path, *arguments: str, aggregator: bool = True
) -> Generator[str, None, None]:
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with stage("barograph_console", folder / "console.log", "--port", "0", *common, *arguments):
        base = url_in(folder / "console.log")
        if not aggregator:
            yield base
            return
        with stage("barograph_aggregator", folder / "aggregator.log", *common):
            yield base


@pytest.fixture
def traffic(real: Connection, keys: ShardKeys) -> Traffic:
    return Traffic(real, keys)


def closed(base: str, traffic: Traffic, service: str = "ranker") -> None:
    """Send events until the service is there."""

    def is_closed() -> bool:
        traffic.flow()
        return traffic.closed_ms(service) > 0

    wait_until(is_closed, what="the first pane")

    def is_there() -> bool:
        found = httpx2.get(f"{base}/api/v1/services", timeout=60).json()
        return any(row["service"] == service for row in found["services"])

    wait_until(is_there, what="the service")


def test_a_tick_shows_what_was_closed_and_equals_the_query(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Hello, the state, then ticks without a gap; a point of a second holds what a query gives for it."""
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        with dial(base) as socket:
            subscribe(socket, "ranker")
            hello = first(socket, "hello")
            assert (hello["protocol"], hello["role"]) == (1, "admin")
            snapshot = first(socket, "snapshot")
            assert {"minute", "endpoints", "models", "system", "alerts", "pipeline"} <= set(snapshot["state"])
            seq, points = snapshot["seq"], dict[int, dict[str, Any]]()
            sent_ms = 0
            for message in messages(socket, timeout_s=30):
                if time.time() * 1_000 - sent_ms > 400:
                    sent_ms = traffic.send()
                if message["type"] == "tick":
                    assert message["seq"] == seq + 1
                    point = message.get("points", {}).get("1000")
                    if point is not None:
                        points[point["t"]] = point
                seq = message["seq"]
                if sum(point["requests"] is not None for point in points.values()) >= 4:
                    break
        start_ms, end_ms = min(points), max(points) + 1_000
        query = f"{base}/api/v1/query?service=ranker&from={start_ms}&to={end_ms}&step=1"
        answer = httpx2.get(query, timeout=60).json()
    asked = {point["t"]: point for series in answer["series"] for point in series["points"]}
    shown = {t: point for t, point in points.items() if point["requests"] is not None}
    assert {t: (point["requests"], point["errors"], point["p95_ms"]) for t, point in shown.items()} == {
        t: (point["count"], point["errors"], point["p95"]) for t, point in asked.items() if point["count"]
    }
    assert all(sum(point["heat"][1::2]) == point["requests"] for point in shown.values())


def test_a_tick_comes_within_a_moment_of_the_closing(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """The best of some: the machine that runs the tests is shared."""
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        with dial(base) as socket:
            subscribe(socket, "ranker")
            first(socket, "snapshot")
            lags_ms: list[float] = []
            while len(lags_ms) < 5:
                traffic.send()
                message = first(socket, "tick")
                if "points" not in message:
                    continue
                newest = traffic.connection.command("XREVRANGE", keys.metrics, "+", "-", "COUNT", 1)
                assert isinstance(newest, list)
                assert isinstance(newest[0], list)
                entry_id = newest[0][0]
                assert isinstance(entry_id, bytes)
                lags_ms.append(read_now(traffic.connection) - int(entry_id.partition(b"-")[0]))
    assert min(lags_ms) <= 50


def test_a_client_that_was_away_gets_what_it_missed(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Within the ring the messages follow one by one; another process gives the state anew."""
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        with dial(base) as socket:
            subscribe(socket, "ranker")
            epoch, seq = first(socket, "hello")["epoch"], first(socket, "snapshot")["seq"]
        left_ms = traffic.closed_ms()

        def has_missed() -> bool:
            traffic.flow()
            return traffic.closed_ms() >= left_ms + 3_000

        wait_until(has_missed, what="three more panes")
        with dial(base) as socket:
            subscribe(socket, "ranker", {"epoch": epoch, "seq": seq})
            assert first(socket, "hello")["epoch"] == epoch
            missed = [next(messages(socket)) for _ in range(2)]
            assert [message["seq"] for message in missed] == [seq + 1, seq + 2]
            assert {message["type"] for message in missed} == {"tick"}
        with dial(base) as socket:
            subscribe(socket, "ranker", {"epoch": "00000000", "seq": seq})
            assert first(socket, "reset")["reason"] == "restart"
            assert first(socket, "snapshot")["seq"] >= seq


def test_an_overview_leads_into_the_live_stream(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """A page reads the overview, then follows from its position on: no snapshot, no gap."""
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        overview = httpx2.get(f"{base}/api/v1/overview?service=ranker&range=5m", timeout=60).json()
        with dial(base) as socket:
            subscribe(socket, "ranker", {"epoch": overview["epoch"], "seq": overview["seq"]})
            first(socket, "hello")
            traffic.send()
            message = next(messages(socket))
    assert (message["type"], message["seq"]) == ("tick", overview["seq"] + 1)
    assert message["points"]["1000"]["t"] <= overview["closed_through_ms"]


def test_a_quiet_service_ticks_and_one_whose_aggregator_stopped_as_well(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Ticks are the sign of life of the connection; how old the figures are is said in them."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with running(valkey_url, keys, tmp_path, aggregator=False) as base:
        with stage("barograph_aggregator", tmp_path / "aggregator.log", *common):
            closed(base, traffic)
        with dial(base) as socket:
            subscribe(socket, "ranker")
            first(socket, "snapshot")
            begun = time.monotonic()
            ticks = [first(socket, "tick") for _ in range(4)]
            assert time.monotonic() - begun <= 12
    assert len({tick["closed_through_ms"] for tick in ticks[1:]}) == 1
    assert ticks[-1]["at_ms"] - ticks[0]["at_ms"] >= 3_000
    assert ticks[-1]["pipeline"]["stages"]


def test_alerts_arrive_at_once_and_on_every_page(
    traffic: Traffic, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """From an alerter's entry to the message: the same alert for its service and for the cards."""
    config = tmp_path / "barograph.toml"
    config.write_text(
        '[alerter]\ndefault_rules = false\n[[rule]]\nname = "errors"\non = "request"\nwindow = "2s"\n'
        'when = "count >= 1"\nseverity = "error"\n'
    )
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with running(valkey_url, keys, tmp_path) as base:
        closed(base, traffic)
        with dial(base) as one, dial(base) as all_of_them:
            subscribe(one, "ranker")
            subscribe(all_of_them, "*")
            first(one, "snapshot")
            assert [card["service"] for card in first(all_of_them, "snapshot")["state"]["cards"]][-1] == "ranker"
            with stage("barograph_alerter", tmp_path / "alerter.log", *common, "--config", str(config)):
                traffic.send()
                traffic.send()
                seen = [first(socket, "alert", timeout_s=30) for socket in (one, all_of_them)]
    for message in seen:
        assert (message["alert"]["rule"], message["alert"]["severity"]) == ("errors", "error")
        assert message["change"]["to"] == message["alert"]["state"] == "firing"
        assert message["service"] in ("ranker", "*")
    assert seen[0]["entry_id"] == seen[1]["entry_id"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("nonsense", 4400),
        ("[]", 4400),
        ('{"type":"subscribe"}', 4400),
        ('{"type":"subscribe","service":"ranker","resume":{"epoch":"a","seq":"1"}}', 4400),
        ('{"type":"unknown","service":"ranker"}', 4400),
        ('{"type":"subscribe","service":"nobody"}', 4404),
        ('{"type":"subscribe","service":"__proto__ \\u202e"}', 4404),
        (b"\x00\x01", 4400),
        ("x" * 5_000, 1009),
    ],
)
def test_what_is_no_message_ends_the_connection(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, sent: str | bytes, code: int
) -> None:
    with running(valkey_url, keys, tmp_path, aggregator=False) as base, dial(base) as socket:
        first(socket, "hello")
        socket.send(sent)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)
        assert socket.close_code == code
    assert "Traceback" not in (tmp_path / "console.log").read_text()


def test_too_many_messages_and_too_many_connections_are_refused(
    valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    with running(valkey_url, keys, tmp_path, aggregator=False) as base:
        with dial(base) as socket:
            for _ in range(12):
                subscribe(socket, "*")
            with pytest.raises(ConnectionClosed):
                list(messages(socket))
            assert socket.close_code == 4429
        with ExitStack() as opened:
            for _ in range(20):
                first(opened.enter_context(dial(base)), "hello")
            one_more = opened.enter_context(dial(base))
            with pytest.raises(ConnectionClosed):
                one_more.recv(timeout=60)
            assert one_more.close_code == 4429


def refused(base: str, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as caught, dial(base, **options):
        pass
    return caught.value.response.status_code


def test_who_may_not_read_is_refused_before_the_upgrade(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """An HTTP status, as other requests get: 401 without a token, 403 from a page elsewhere."""
    tokens = ("--admin-token-sha256", digest_of(ADMIN), "--allowed-origins", "https://wall.example")
    with running(valkey_url, keys, tmp_path, *tokens, aggregator=False) as base:
        bearer = {"Authorization": f"Bearer {ADMIN}"}
        answer = httpx2.post(f"{base}/api/v1/session", json={"token": ADMIN}, headers={"Origin": base})
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert refused(base) == 401
        assert refused(base, origin="https://evil.example", additional_headers=cookie) == 403
        assert refused(base, origin=None, additional_headers=cookie) == 403
        for options in (
            {"origin": None, "additional_headers": bearer},
            {"origin": base, "additional_headers": cookie},
            {"origin": "https://wall.example", "additional_headers": cookie},
        ):
            with dial(base, **options) as socket:
                assert first(socket, "hello")["name"] == "admin"
    assert '"level": "error"' not in (tmp_path / "console.log").read_text()


def test_signing_out_ends_the_connection(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    tokens = ("--admin-token-sha256", digest_of(ADMIN))
    with running(valkey_url, keys, tmp_path, *tokens, aggregator=False) as base:
        answer = httpx2.post(f"{base}/api/v1/session", json={"token": ADMIN}, headers={"Origin": base})
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        with dial(base, additional_headers=cookie) as socket:
            first(socket, "hello")
            httpx2.delete(f"{base}/api/v1/session", headers={**cookie, "Origin": base, "X-Barograph": "1"})
            begun = time.monotonic()
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)
            assert socket.close_code == 4401
            assert time.monotonic() - begun <= 5


def test_a_console_that_stops_says_goodbye(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """Clients hear when to come back, and the console ends at once."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with stage("barograph_console", tmp_path / "log", "--port", "0", *common) as process:
        with dial(url_in(tmp_path / "log")) as socket:
            first(socket, "hello")
            process.send_signal(signal.SIGTERM)
            assert json.loads(socket.recv(timeout=60)) == {"type": "bye", "reason": "restarting", "retry_ms": 800}
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=60)
            assert socket.close_code == 1001
        assert process.wait(timeout=60) == 0
