"""The rules in force reach the server, and come back after a flush."""

import threading
from pathlib import Path

import pytest

from barograph_alerter.rules import publishing
from barograph_alerter.rules.defaults import default_rules
from barograph_alerter.rules.publishing import RulePublisher, published_rules
from barograph_alerter.rules.rule_set import RuleSet
from barograph_core.alerts.published_rules import RulesReader, confirm_rules, publish_rules, read_rules
from barograph_core.keyspace.keys import ShardKeys, rules_holder_key, rules_key
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int
from tests.integration.alerter.test_process import RULES, start
from tests.support import FakeClock, wait_until
from tests.unit.alerter.build import rule_of


def test_an_alerter_publishes_its_rules_at_its_start(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """In place of what an earlier one published."""
    publish_rules(real, keys.prefix, published_rules(default_rules(), 1), only_if_absent=False)
    config = tmp_path / "barograph.toml"
    config.write_text(RULES)
    process = start(config, "--url", valkey_url, "--prefix", keys.prefix)
    try:
        wait_until(lambda: names(real, keys) == ["errors"], what="the rules of this alerter")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    found = read_rules(real, keys.prefix)
    assert found is not None
    assert found.rules[0].fires[0].threshold == 5.0
    assert found.at_ms > 1


def test_rules_come_back_after_a_flush_and_replace_nobody_elses_later(
    real: Connection, valkey_url: str, keys: ShardKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alerter that started last has its say; an earlier one only fills a gap."""
    monkeypatch.setattr(publishing, "_AGAIN_S", 0.02)
    stop = threading.Event()
    publisher = RulePublisher(Connection.open(valkey_url), keys.prefix, published_rules([rule_of()], 1))
    thread = threading.Thread(target=publisher.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: names(real, keys) == ["r"], what="the rules")
        confirm_rules(real, keys.prefix, published_rules(default_rules(), 2).digest, 60_000)
        publish_rules(real, keys.prefix, published_rules(default_rules(), 2), only_if_absent=False)
        assert not stop.wait(0.2)
        assert len(names(real, keys)) == len(default_rules())
        real.command("DEL", rules_key(keys.prefix))
        wait_until(lambda: names(real, keys) == ["r"], what="the rules after the flush")
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_rules_whose_alerters_are_gone_give_way_to_those_of_one_that_lives(real: Connection, keys: ShardKeys) -> None:
    """A rollout that was given up: the rules that only the remaining alerter has are judged again."""
    old, new = published_rules([rule_of()], 1), published_rules(default_rules(), 2)
    remaining, gone = (RulePublisher(real, keys.prefix, published) for published in (old, new))
    remaining.keep()
    rules = RuleSet([rule_of()], real, keys.prefix, clock := FakeClock())
    publish_rules(real, keys.prefix, new, only_if_absent=False)
    gone.keep()
    remaining.keep()
    assert (rules.watching("ranker"), rules.is_newest) == ((), False)
    assert 10_000 < as_int(real.command("PTTL", rules_holder_key(new.digest, keys.prefix))) <= 15_000
    real.command("DEL", rules_holder_key(new.digest, keys.prefix))
    remaining.keep()
    clock.advance(1_000)
    assert ([rule.name for rule in rules.watching("ranker")], rules.is_newest) == (["r"], True)
    found = read_rules(real, keys.prefix)
    assert found is not None
    assert (found.digest, found.epoch) == (old.digest, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", b"\xff"])
def test_what_is_no_document_is_as_if_nothing_was_published(
    real: Connection, keys: ShardKeys, text: str | bytes
) -> None:
    """A console goes on without rules."""
    real.command("SET", rules_key(keys.prefix), text)
    assert read_rules(real, keys.prefix) is None


def test_a_document_that_has_not_changed_is_parsed_once(
    real: Connection, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """An alerter looks each second: a thousand rules cost it nothing, and a damaged document is logged once."""
    reader = RulesReader(real, keys.prefix)
    assert reader.read() is None
    publish_rules(real, keys.prefix, published_rules(default_rules(), 1), only_if_absent=False)
    found = reader.read()
    assert found is not None
    assert reader.read() is found
    real.command("SET", rules_key(keys.prefix), "{")
    assert [reader.read(), reader.read()] == [None, None]
    assert [record.message for record in caplog.records] == ["rules.unreadable"]


def names(connection: Connection, keys: ShardKeys) -> list[str]:
    found = read_rules(connection, keys.prefix)
    return [] if found is None else [rule.name for rule in found.rules]
