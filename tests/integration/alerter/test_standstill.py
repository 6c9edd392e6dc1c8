"""With all aggregators dead no pane closes and no rule is judged: the alerter judges the watermark's age itself."""

from pathlib import Path

import pytest

from barograph_alerter.judge.standstill import Standstill
from barograph_alerter.rules.defaults import effective_rules, pipeline_rules
from barograph_alerter.rules.rule import Rule
from barograph_core.errors import Problem
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.self_values import WATERMARK_AGE, SelfValue, pane_of_values
from barograph_core.server.connection import Connection, read_now
from barograph_core.settings.config_file import parse_config
from tests.integration.alerter.desk import STEP, Alerter, Desk, rules_of
from tests.support import FakeClock

SERVICE = "barograph"
FIRED = ("inactive", "firing", True, "")
RESOLVED = ("firing", "resolved", True, "")


class Watched(Desk):
    """A desk whose watermark the test sets, and an alerter that looks at it."""

    def __init__(self, connection: Connection, keys: ShardKeys, rules: list[Rule] | None = None) -> None:
        super().__init__(connection, keys, FakeClock(read_now(connection)))
        self.rules = pipeline_rules() if rules is None else rules
        self.first = self.make()

    def make(self, name: str = "a1") -> tuple[Alerter, Standstill]:
        worker = Alerter(self.connection, self.keys, self.rules, self.clock, name)
        watch = Standstill(self.connection, self.keys, self.rules, judge=worker.judge, clock=self.clock)
        return worker, watch

    def age(self, age_ms: int) -> None:
        """Set the watermark and look at it."""
        self.connection.command("HSET", self.keys.progress, "watermark_ms", read_now(self.connection) - age_ms)
        self.look()

    def look(self, watch: Standstill | None = None) -> None:
        """Look often enough that the age is no slip of a clock."""
        for _ in range(21):
            self.clock.advance(1_000)
            (watch or self.first[1]).look()


def test_before_the_first_aggregator_ran_nothing_is_behind(connection: Connection, keys: ShardKeys) -> None:
    desk = Watched(connection, keys)
    desk.look()
    assert desk.told == []


def test_an_old_watermark_fires_once_and_a_young_one_resolves(connection: Connection, keys: ShardKeys) -> None:
    """Where the pipeline writes no panes of itself, nobody else can resolve it."""
    desk = Watched(connection, keys)
    desk.age(1_000)
    assert desk.told == []
    desk.age(65_000)
    desk.age(70_000)
    assert desk.told == [FIRED]
    assert (desk.entries[0].rule, desk.entries[0].service, desk.entries[0].severity) == (
        "pipeline-lag",
        SERVICE,
        "critical",
    )
    assert "behind" in desk.entries[0].summary
    desk.age(500)
    assert desk.told == [FIRED, RESOLVED]
    assert desk.records(SERVICE) == []


def test_of_several_alerters_one_fires_and_any_resolves(connection: Connection, keys: ShardKeys) -> None:
    """One that starts later finds what another left."""
    desk = Watched(connection, keys)
    _, other = desk.make("a2")
    desk.age(65_000)
    desk.look(other)
    assert desk.told == [FIRED]
    _, late = desk.make("a3")
    connection.command("HSET", keys.progress, "watermark_ms", read_now(connection))
    desk.look(late)
    assert desk.told == [FIRED, RESOLVED]


def test_where_aggregators_write_panes_these_resolve_it(connection: Connection, keys: ShardKeys) -> None:
    """The age between two looks may be that of an aggregator that comes and goes: what closed panes say holds."""
    desk = Watched(connection, keys)
    desk.next_ms = (read_now(connection) // STEP - 1) * STEP
    desk.close(pane_of_values([SelfValue(WATERMARK_AGE, 500)], desk.next_ms, STEP), service=SERVICE)
    desk.first[0].work()
    desk.age(65_000)
    desk.age(500)
    assert desk.told == [FIRED]
    desk.next_ms += 60_000
    for _ in range(6):
        desk.close(pane_of_values([SelfValue(WATERMARK_AGE, 500)], desk.next_ms, STEP), service=SERVICE)
    desk.first[0].work()
    assert desk.told == [FIRED, RESOLVED]


def test_rules_of_ones_own_on_the_age_are_judged_too(connection: Connection, keys: ShardKeys) -> None:
    """With their threshold and hold; rules on other values are left alone."""
    rules = rules_of(
        """
[[rule]]
name = "slow"
on = "custom"
where = { name = "barograph.watermark_age_ms" }
window = "10s"
when = "value.max > 20000"
for = "2s"
fire_on = "provisional"

[[rule]]
name = "any"
on = "custom"
window = "10s"
when = "count > 0"
"""
    )
    desk = Watched(connection, keys, rules)
    desk.age(25_000)
    assert desk.told == [("inactive", "pending", False, "pending")]


def test_a_clock_that_is_ahead_for_a_moment_makes_no_alert(connection: Connection, keys: ShardKeys) -> None:
    """The watermark is as old as the clock is ahead, until it is right again."""
    desk = Watched(connection, keys)
    desk.age(500)
    connection.command("HSET", keys.progress, "watermark_ms", read_now(connection) - 3_600_000)
    for _ in range(15):
        desk.clock.advance(1_000)
        desk.first[1].look()
    desk.age(500)
    assert desk.told == []


@pytest.mark.parametrize(("default_rules", "expected"), [(True, True), (False, False)])
def test_the_rule_ships_and_goes_with_the_others(default_rules: bool, expected: bool) -> None:
    problems: list[Problem] = []
    rules = effective_rules(parse_config("", Path("barograph.toml")), problems, with_defaults=default_rules)
    assert ("pipeline-lag" in [rule.name for rule in rules]) is expected
