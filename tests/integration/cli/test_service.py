"""barograph service list, retire and delete while the workers run."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_list, as_text
from tests.integration.pipeline import Pipeline, running_pipeline
from tests.support import append, request_batch, wait_until

CONFIG = """
[alerter]
default_rules = false

[[rule]]
name = "errors"
on = "request"
by = ["route"]
window = "2s"
when = "count >= 1"
severity = "error"

[[channel]]
name = "console"
type = "console"
"""
READERS = {
    b"string": ("GET",),
    b"list": ("LRANGE", 0, -1),
    b"hash": ("HGETALL",),
    b"zset": ("ZRANGE", 0, -1),
    b"stream": ("XRANGE", "-", "+"),
}


def service(pipeline: Pipeline, *arguments: str) -> int:
    return main(["service", *arguments, "--url", pipeline.url, "--prefix", pipeline.keys.prefix])


def keys_that_tell_of(connection: Connection, keys: ShardKeys, *words: bytes) -> list[str]:
    """Return the keys whose name or content holds one of ``words``."""
    found: list[str] = []
    for name in map(as_text, as_list(connection.command("KEYS", f"{keys.prefix}:*"))):
        kind = connection.command("TYPE", name)
        if kind == b"none":
            continue
        assert isinstance(kind, bytes)
        command, *rest = READERS[kind]
        content = f"{name} {connection.command(command, name, *rest)!r}".encode()
        if any(word in content for word in words):
            found.append(name)
    return sorted(found)


def fire(pipeline: Pipeline) -> None:
    """Let a producer send until its alert fires and is delivered, and say goodbye."""
    producer = pipeline.producer()

    def is_delivered() -> bool:
        producer.request(route="/secret", method="GET", status=503, duration_ms=5.0)
        return bool(pipeline.entries(pipeline.keys.deliveries))

    wait_until(is_delivered, timeout_s=30, what="the delivery")
    producer.close()


def test_a_service_retires_and_comes_back(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its firing alert is resolved where it was told; nobody waits for it; an event brings it back."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        fire(pipeline)
        assert service(pipeline, "retire", "ranker", "--json") == 0
        assert json.loads(capsys.readouterr().out)["alerts_ended"] == 1
        assert pipeline.entries(keys.alerts)[-1]["reason"] == b"service_retired"
        wait_until(lambda: len(pipeline.entries(keys.deliveries)) == 2, what="the resolution's delivery")
        assert pipeline.connection.command("EXISTS", keys.state("ranker"), keys.series("ranker")) == 0
        assert service(pipeline, "list", "--json") == 0
        assert "ranker" not in [one["service"] for one in json.loads(capsys.readouterr().out)]
        producer = pipeline.producer()
        producer.request(route="/secret", method="GET", status=200, duration_ms=5.0)
        producer.close()
        wait_until(lambda: pipeline.connection.command("HEXISTS", keys.closed, "ranker") == 1, what="its return")


def test_a_service_whose_producers_live_does_not_retire(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says whom to stop; it would be back with the next event."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        producer = pipeline.producer()

        def is_listed() -> bool:
            producer.request(route="/a", method="GET", status=200, duration_ms=5.0)
            return pipeline.connection.command("HEXISTS", keys.closed, "ranker") == 1

        wait_until(is_listed, what="its first pane")
        # A pane that stays open for as long as anybody waits: its events are from a clock that runs ahead.
        ahead = request_batch(
            [(int(as_text(as_list(pipeline.connection.command("TIME"))[0])) * 1_000 + 60_000, "/a", 200, 5.0)]
        )
        append(pipeline.connection, keys, ahead, instance="host:1:00000000000000ff")
        assert service(pipeline, "retire", "ranker", "--wait", "0.5") == 1
        producer.close()
    complaint = capsys.readouterr().err
    assert "cannot retire yet" in complaint
    assert "stop its producers first" in complaint


def test_a_deleted_service_is_gone_from_keys_and_streams(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its name nor a label is left anywhere, though the workers run; other services keep theirs."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        fire(pipeline)
        other = pipeline.producer("other")
        other.request(route="/kept", method="GET", status=200, duration_ms=5.0)
        other.close()
        wait_until(lambda: pipeline.connection.command("HEXISTS", keys.closed, "other") == 1, what="the other service")
        told = keys_that_tell_of(pipeline.connection, keys, b"/secret", b"ranker")
        assert service(pipeline, "delete", "ranker", "--yes", "--streams", "--json") == 0
        outcome = json.loads(capsys.readouterr().out)
        assert outcome["entries"]["events"] >= 1
        assert outcome["waits_for"] == ""
        left = keys_that_tell_of(pipeline.connection, keys, b"/secret")
        assert (len(told) > 6, left) == (True, [])
        assert keys.series("other") in keys_that_tell_of(pipeline.connection, keys, b"/kept")
        assert pipeline.are_alive()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["delete", "ranker"], "say --yes"),
        (["retire", "no such"], "not a service's name"),
        (["retire", "nobody"], "there is no service 'nobody'"),
        (["delete", "nobody", "--yes"], "there is no service 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(
    valkey_url: str,
    keys: ShardKeys,
    real: Connection,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    complaint: str,
) -> None:
    """Nothing is deleted without a person's word."""
    del real  # it loads the library
    assert main(["service", *arguments, "--url", valkey_url, "--prefix", keys.prefix]) != 0
    assert complaint in capsys.readouterr().err


def test_without_an_aggregator_the_command_says_what_it_waits_for(
    valkey_url: str, keys: ShardKeys, real: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """The keys are gone at once, but it is not done: entries nobody has read are dropped when they are read."""
    append(real, keys, request_batch([(1_000, "/secret", 200, 5.0)]))
    here = ("--url", valkey_url, "--prefix", keys.prefix)
    assert main(["service", "delete", "ranker", "--yes", "--wait", "0", *here]) == 1
    shown = capsys.readouterr().out
    assert "Not at its end: no aggregator has committed" in shown
    assert "Entries left until trimmed: events 0" in shown
