"""Writes what this version writes, as it lies on a server: the next version must read it.

``python -m tests.formats.write tests/formats/<version>`` before a release; what is there is never written again.
"""

import json
import math
import sys
from pathlib import Path
from typing import Final

from barograph_aggregator.close.closer import Closer
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.alerts.change import Change, Cursors, write_changes
from barograph_core.alerts.record import AlertRecord, AlertState, Contributor, Severity, alert_id
from barograph_core.alerts.transition import transition_of
from barograph_core.decode.batch import decode_batch
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_bytes, as_list, as_text
from barograph_core.steps import DEFAULT_KEEP, parse_keep
from barograph_core.store.parts import marked
from barograph_core.workers.counters import WorkerCounters
from tests.support import fake_connection

KEYS: Final = ShardKeys("baro", "0")
STEPS: Final = parse_keep(DEFAULT_KEEP)
# The start of an hour.
START_MS: Final = 1_699_999_200_000
SERVICE: Final = "ranker"
INSTANCE: Final = "host:1:00000000000000ab"
# Panes up to here are closed; one that begins here is open.
CLOSED_TO_MS: Final = START_MS + 120_000

Plain = dict[str, str]


def batches(at_ms: int) -> list[Plain]:
    """Return an entry of each kind whose events happened within a second of ``at_ms``, its values in hexadecimal."""
    nan = math.nan
    packed = [
        encode_batch(
            KINDS["request"],
            [("/a", "GET", 200), ("/a", "GET", 500, "tenant", "acme"), ("/é", "POST", 200)],
            [0, 1, 2, 0],
            [at_ms, at_ms + 1, at_ms + 2, at_ms + 999],
            [[12.5, 250.0, nan, 3.0]],
            [1, 1, 1, 10],
        ),
        encode_batch(
            KINDS["model"],
            [("ctr", "7"), ("ctr", "8")],
            [0, 0, 1],
            [at_ms, at_ms + 5, at_ms + 7],
            [[8.0, 9.0, 20.0], [0.5, nan, 0.75], [-1.5, 2.5, nan], None],
        ),
        encode_batch(
            KINDS["system"],
            [(INSTANCE, "process")],
            [0],
            [at_ms + 3],
            [[float(place)] for place in range(1, 13)],
        ),
        encode_batch(
            KINDS["custom"], [("queue",), ("queue", "zone", "eu")], [0, 1], [at_ms, at_ms + 500], [[-4.0, 0.25]]
        ),
    ]
    return [
        {
            name: (value if isinstance(value, bytes) else str(value).encode()).hex()
            for name, value in entry_fields(
                batch, service=SERVICE, instance=INSTANCE, seq=seq, through_ms=at_ms + 999
            ).items()
        }
        for seq, batch in enumerate(packed, 1)
    ]


def commit(connection: Connection, at_ms: int) -> None:
    """Add a part for each entry of ``batches(at_ms)``, as a commit does."""
    for entry in batches(at_ms):
        block = decode_batch({name.encode(): bytes.fromhex(value) for name, value in entry.items()}).block
        for (service, start_ms), pane in Pane.of_blocks([block], STEPS[0].step_ms).items():
            connection.command("RPUSH", KEYS.parts(service, start_ms), marked(pane.pack()))
            connection.command("ZADD", KEYS.open, start_ms + 1_000, f"{service}:1000:{start_ms}")


def write_store(connection: Connection) -> None:
    """Close two minutes, one second of them twice, and leave a pane open and a revision waiting."""
    closer = Closer(connection, KEYS, AggregatorSettings(), STEPS, WorkerCounters())
    for second in (1, 2, 61):
        commit(connection, START_MS + 1_000 * second)
    closer.advance(CLOSED_TO_MS)
    commit(connection, START_MS + 2_000)
    closer.advance(CLOSED_TO_MS)
    commit(connection, START_MS + 61_000)
    commit(connection, CLOSED_TO_MS)


def write_alerts(connection: Connection) -> None:
    """Write an alert that fires and one that is pending, and the entry of the alerts stream for the first."""
    facts = {"service": SERVICE, "episode_ms": START_MS, "changed_at_ms": START_MS + 5_000, "breached_to_ms": START_MS}
    labels = {"route": "/é"}
    firing = AlertRecord(
        alert_id=alert_id("slow", SERVICE, labels),
        rule="slow",
        labels=labels,
        severity=Severity.ERROR,
        state=AlertState.FIRING,
        cooldown_ms=300_000,
        number=2,
        fired_at_ms=START_MS + 5_000,
        is_announced=True,
        value=0.1,
        threshold=0.05,
        summary="/é is slow",
        runbook="https://example.org/slow",
        contributors=(Contributor({"version": "7"}, "errors", 3.0, 0.75),),
        **facts,  # type: ignore[arg-type]  # names and types fit
    )
    pending = AlertRecord(
        alert_id=alert_id("errors", SERVICE, {}),
        rule="errors",
        labels={},
        severity=Severity.CRITICAL,
        state=AlertState.PENDING,
        **facts,  # type: ignore[arg-type]  # names and types fit
    )
    told = transition_of(firing, before=AlertState.PENDING, at_ms=START_MS + 5_000, notify=None)
    changes = [
        Change(alert_id=firing.alert_id, record=firing, transition=told, cooldown="announce"),
        Change(alert_id=pending.alert_id, record=pending),
    ]
    write_changes(connection, KEYS, SERVICE, changes, cursors=Cursors(version="0", closed_to_ms=CLOSED_TO_MS))


_READS: Final[dict[str, tuple[str | int, ...]]] = {
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    "string": ("GET",),
    "stream": ("XRANGE", "-", "+"),
}


def read_keys(connection: Connection) -> dict[str, object]:
    """Return key -> type and content of all that is on the server, bytes in hexadecimal."""
    found: dict[str, object] = {}
    for name in sorted(as_text(reply) for reply in as_list(connection.command("KEYS", "*"))):
        kind = as_text(connection.command("TYPE", name))
        command, *rest = _READS[kind]
        found[name] = [kind, _plain(connection.command(str(command), name, *rest))]
    return found


def _plain(reply: Reply) -> object:
    if isinstance(reply, list):
        return [_plain(item) for item in as_list(reply)]
    return as_bytes(reply).hex()


def main(folder: Path) -> None:
    """Write ``batches.json`` and ``keys.json``."""
    folder.mkdir()
    connection = fake_connection()
    write_store(connection)
    write_alerts(connection)
    # A line for each entry and key, so that a change can be read.
    entries = ",\n".join(map(json.dumps, batches(START_MS)))
    (folder / "batches.json").write_text(f"[\n{entries}\n]\n")
    keys = ",\n".join(f"{json.dumps(name)}: {json.dumps(held)}" for name, held in read_keys(connection).items())
    (folder / "keys.json").write_text(f"{{\n{keys}\n}}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
