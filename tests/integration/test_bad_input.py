"""Whatever comes in, the pipeline goes on, and what was not counted stands somewhere with its reason."""

import math
import struct
from pathlib import Path

import pytest

from barograph_core.events.messagepack import pack
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.link import Value
from tests.integration.pipeline import Pipeline, running_pipeline
from tests.support import request_batch, wait_until

CONFIG = '[alerter]\ndefault_rules = false\n[[channel]]\nname = "console"\ntype = "console"\n'
NOW_MS = 1_700_000_000_000
GOOD = request_batch([(NOW_MS, "/a", 200, 5.0)])


def packed(*columns: object) -> bytes:
    """Return a request batch's data with one event and the given columns."""
    return pack([NOW_MS, [["/a", "GET", 200]], ["B", b"\0"], ["B", b"\0"], list(columns)])


def doubles(value: float) -> list[object]:
    return ["d", struct.pack("<d", value)]


MALFORMED: dict[str, dict[str, Value]] = {
    "nothing of ours": {"hello": "world"},
    "unknown schema version": {**GOOD, "v": "2"},
    "unknown kind": {**GOOD, "kind": "weather"},
    "a measure of a newer version": {**GOOD, "data": packed(doubles(5.0), doubles(1.0))},
    "not msgpack": {**GOOD, "data": b"\xc1\xc1"},
    "oversized": {**GOOD, "data": b"\0" * 1_100_000},
    "more events than allowed": {**GOOD, "n": 1_001},
    "count that does not match": {**GOOD, "n": 2},
    "negative duration": {**GOOD, "data": packed(doubles(-1.0))},
    "infinite duration": {**GOOD, "data": packed(doubles(math.inf))},
    "bad service name": {**GOOD, "service": "a,b"},
}


def add(pipeline: Pipeline, fields: dict[str, Value]) -> None:
    flat = [item for pair in fields.items() for item in pair]
    pipeline.connection.command("XADD", pipeline.keys.events, "*", *flat)


@pytest.mark.parametrize("real_url", ["valkey"], indirect=True)
def test_malformed_entries_are_dead_letters_and_the_rest_counts(real_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """Each bad entry ends on the dead-letter stream with its reason; the good ones around it are counted."""
    with running_pipeline(real_url, keys, tmp_path, CONFIG) as pipeline:
        producer = pipeline.producer()
        for fields in MALFORMED.values():
            producer.request(route="/a", method="GET", status=200, duration_ms=5.0)
            assert producer.flush(timeout_s=5)
            add(pipeline, fields)
        producer.close()

        def counted() -> int:
            return sum(int(entry["requests"]) for entry in pipeline.entries(keys.metrics) if entry["type"] == b"closed")

        wait_until(lambda: len(pipeline.entries(keys.dead)) == len(MALFORMED), what="every dead letter")
        wait_until(lambda: counted() == len(MALFORMED), what="every good event")
        assert all(entry["dead_reason"] for entry in pipeline.entries(keys.dead))
        assert pipeline.are_alive()


def test_invalid_values_are_counted_by_the_producer_and_harm_nobody(
    valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """NaN, infinite and negative values never leave the API worker, and never raise in it."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        producer = pipeline.producer()
        for duration_ms in (math.nan, math.inf, -math.inf, -1.0):
            producer.request(route="/a", method="GET", status=200, duration_ms=duration_ms)
        producer.request(route="/a", method="GET", status=200, duration_ms=5.0)
        producer.close()
        assert (producer.stats().dropped["invalid"], producer.stats().shipped) == (4, 1)
        assert pipeline.entries(keys.dead) == []
        assert pipeline.are_alive()


def test_foreign_entries_on_metrics_and_alerts_do_not_stop_the_workers(
    valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """The alerter and the notifier bury what they cannot read, too."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        for stream in (keys.metrics, keys.alerts):
            pipeline.connection.command("XADD", stream, "*", "hello", "world")
        wait_until(lambda: len(pipeline.entries(keys.dead)) == 2, what="both dead letters")
        stages = {entry["dead_stage"] for entry in pipeline.entries(keys.dead)}
        assert stages == {b"alerter", b"notifier"}
        assert pipeline.are_alive()
