"""A console that runs, with what a service did in the last twenty seconds."""

import contextlib
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.events.encode import entry_fields
from barograph_core.events.kinds import MAX_EVENTS_PER_BATCH
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_list
from tests.batches import Event, encoded, request
from tests.integration.console.test_console_process import stage, url_in
from tests.support import append, wait_until
from tests.unit.console.fakes import ALERT_ID, record

SERVICE = "ranker"
HOSTILE_ROUTE = "/![x](http://elsewhere.example/beacon)"


@dataclass(frozen=True, slots=True)
class RunningConsole:
    url: str

    def get(self, path: str, **parameters: str) -> dict[str, list[dict[str, object]]]:
        """Return what the REST API answers."""
        answer = httpx2.get(f"{self.url}/api/v1{path}", params=parameters, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, list[dict[str, object]]] = answer.json()
        return found


def events_of(kind: str, now_ms: int) -> list[Event]:
    """Return what happened in the twenty seconds before ``now_ms``."""
    times = range(now_ms - 20_000, now_ms, 50)
    if kind == "request":
        routes = ("/predict", "/predict", "/health", HOSTILE_ROUTE)
        return [request(at_ms, 1.02**n, routes[n % 4], 500 if n % 9 == 0 else 200) for n, at_ms in enumerate(times)]
    if kind == "model":
        # Every other prediction has its label, and ten of 300 fail, all of version 8.
        return [
            Event(
                ("ctr", "78"[n % 3 // 2]),
                at_ms,
                (8.0, n % 20 / 20, 0.5, 0.1 * n if n % 2 else None, float(n % 30 == 29)),
            )
            for n, at_ms in enumerate(times)
        ]
    rest = (None,) * 8
    return [
        Event(("api-1", "process"), at_ms, (120.0, 40.0 + n % 5, 1.5, None, *rest)) for n, at_ms in enumerate(times)
    ]


def record_events(real: Connection, keys: ShardKeys) -> int:
    """Append a service's events, and return when they ended."""
    now_ms = as_int(as_list(real.command("TIME"))[0]) * 1_000
    for seq, kind in enumerate(("request", "model", "system"), start=1):
        events = events_of(kind, now_ms)
        assert len(events) <= MAX_EVENTS_PER_BATCH
        instance, through_ms = "host:1:0000000000000001", now_ms + 60_000
        fields = entry_fields(encoded(kind, events), service=SERVICE, instance=instance, seq=seq, through_ms=through_ms)
        append(real, keys, fields, instance=instance, seq=seq, through_ms=through_ms)
    return now_ms


def record_alerts(real: Connection, keys: ShardKeys, now_ms: int) -> None:
    """Leave one alert firing, and its change on the alerts stream after one that has ended."""
    moments = {"episode_ms": now_ms - 15_000, "changed_at_ms": now_ms - 10_000, "breached_to_ms": now_ms}
    firing = record(**moments)
    real.command("HSET", keys.state(SERVICE), "version", 7, f"alert:{ALERT_ID}", firing.to_json())
    ended = record(**moments, rule="slow-responses", alert_id="b" * 16, state=AlertState.RESOLVED, summary="*p95* $x$")
    for number, (one, before) in enumerate(((ended, AlertState.FIRING), (firing, AlertState.PENDING))):
        transition = transition_of(one, before=before, at_ms=now_ms - 10_000 + number, notify=True)
        real.command("XADD", keys.alerts, f"{now_ms - 10_000 + number}-0", *transition.to_fields())


@contextlib.contextmanager
def running_console(valkey_url: str, logs: Path) -> Generator[RunningConsole, None, None]:
    """Run a console whose figures do not change any more, because every event is closed."""
    keys = ShardKeys(prefix=f"t{secrets.token_hex(6)}")
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with (
        stage("barograph_aggregator", logs / "aggregator", *common),
        stage("barograph_console", logs / "console", "--port", "0", *common),
        contextlib.closing(Connection.open(valkey_url)) as real,
    ):
        now_ms = record_events(real, keys)
        record_alerts(real, keys, now_ms)
        found = RunningConsole(url_in(logs / "console"))
        wait_until(is_closed(found, now_ms), timeout_s=60, what="the closing of all events")
        yield found


def is_closed(console: RunningConsole, end_ms: int) -> Callable[[], bool]:
    def closed() -> bool:
        rows = console.get("/services")["services"]
        return any(row["service"] == SERVICE and int(str(row["closed_through_ms"])) >= end_ms for row in rows)

    return closed
