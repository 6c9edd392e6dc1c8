"""A large alert state is read again only when somebody else has changed it."""

from dataclasses import replace

from barograph_alerter.states.memory import StateMemory
from barograph_core.alerts.change import Change
from barograph_core.alerts.flapping.flaps import Flaps
from barograph_core.alerts.state import ServiceState, alert_field, flaps_field
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from tests.support import FakeClock, fake_connection
from tests.unit.core.alerts.samples import RECORD

KEYS = ShardKeys()


class Counted(Connection):
    """Counts how often a state is read whole."""

    def __init__(self) -> None:
        self._inner = fake_connection()
        self.reads = 0

    def command(self, *args: Value) -> Reply:
        self.reads += args[0] == "HGETALL"
        return self._inner.command(*args)


class Desk:
    """A memory of one service with so many alerts, which was loaded and is as on the server."""

    def __init__(self, alerts: int = 20) -> None:
        self.server, self.clock = Counted(), FakeClock()
        self.memory = StateMemory(self.server, KEYS, self.clock)
        for number in range(alerts):
            self.write(number)
        self.server.command("HSET", KEYS.state("ranker"), "version", 7, "closed_at", 5_000)
        self.memory.keep("ranker", self.memory.load("ranker"))
        self.server.reads = 0

    def write(self, number: int, value: float | None = RECORD.value) -> None:
        record = replace(RECORD, alert_id=f"a{number}", value=value)
        self.server.command("HSET", KEYS.state("ranker"), alert_field(record.alert_id), record.to_json())

    def load(self) -> ServiceState:
        state = self.memory.load("ranker")
        self.memory.keep("ranker", state)
        return state


def test_a_state_that_nobody_changed_is_not_read_again() -> None:
    """Ten thousand alerts are six megabytes, and a service is judged some times a second."""
    desk = Desk()
    assert len(desk.load().records) == 20
    assert desk.server.reads == 0


def test_a_few_alerts_are_read_in_the_time_of_their_version() -> None:
    """So nothing of them is remembered."""
    desk = Desk(alerts=3)
    assert len(desk.load().records) == 3
    assert desk.server.reads == 1


def test_what_is_remembered_of_firings_makes_a_state_large_too() -> None:
    """A storm of thousands of alerts leaves it for a quarter of an hour after the last has ended."""
    desk = Desk(alerts=0)
    for number in range(20):
        text = Flaps(rule="r", fired_ms=(1_000,)).to_json()
        desk.server.command("HSET", KEYS.state("ranker"), flaps_field(f"a{number}"), text)
    desk.load()
    desk.server.reads = 0
    assert len(desk.load().flaps) == 20
    assert desk.server.reads == 0


def test_what_another_writer_changed_is_read() -> None:
    """Every writer raises the version."""
    desk = Desk()
    desk.write(3, value=99.0)
    desk.server.command("HSET", KEYS.state("ranker"), "version", 8)
    assert desk.load().records["a3"].value == 99.0


def test_a_deleted_state_is_gone() -> None:
    """A service that comes back begins anew."""
    desk = Desk()
    desk.server.command("DEL", KEYS.state("ranker"))
    assert desk.load() == ServiceState()


def test_a_cursor_that_moved_is_seen() -> None:
    """Also where the number of the version should be the same by chance."""
    desk = Desk()
    desk.server.command("HSET", KEYS.state("ranker"), "closed_at", 6_000)
    assert desk.load().closed_at_ms == 6_000


def test_a_state_that_was_written_past_its_version_is_found_within_ten_seconds() -> None:
    """As by a tool that knows nothing of versions."""
    desk = Desk()
    desk.write(3, value=99.0)
    assert desk.load().records["a3"].value == RECORD.value
    desk.clock.advance(10_000)
    assert desk.load().records["a3"].value == 99.0


def test_a_state_that_was_not_written_to_its_end_is_read_again() -> None:
    """Whoever judged it has changed it already."""
    desk = Desk()
    desk.memory.load("ranker").apply(Change(alert_id="a3", record=None))
    assert len(desk.load().records) == 20
    assert desk.server.reads == 1


def test_after_the_loss_of_a_server_all_is_read_again() -> None:
    """The one that answers now may have lost writes, and counts on from there."""
    desk = Desk()
    desk.server.breaks += 1
    desk.load()
    assert desk.server.reads == 1
