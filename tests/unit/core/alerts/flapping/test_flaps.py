"""What is remembered of an alert's firings, and which incident goes on."""

from dataclasses import replace
from typing import Final

import pytest

from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, MOST_FIRINGS, Flapping, Flaps, incident_of
from barograph_core.alerts.flapping.incident import read_incident
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.state import ServiceState, alert_field, flaps_field
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.replies import as_entries, as_hash
from barograph_core.services.ending import ServiceEnd
from tests.support import fake_connection
from tests.unit.core.alerts.samples import RECORD

LAST: Final = replace(RECORD, state=AlertState.RESOLVED, is_flapping=True, incident_ms=1_000, episode_ms=9_000)
FLAPPING: Final = Flaps(rule="slow", fired_ms=(1_000, 9_000), incident_ms=1_000, last=LAST)


@pytest.mark.parametrize("flaps", [Flaps(rule="r"), Flaps(rule="r", fired_ms=(5, 9)), FLAPPING])
def test_what_is_written_is_read(flaps: Flaps) -> None:
    assert Flaps.from_json(flaps.to_json()) == flaps


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "{}", '{"rule":"r"}', '{"rule":"r","fired_ms":["x"]}', '{"rule":"r","fired_ms":[],"last":"{}"}'],
)
def test_what_is_something_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedEventError):
        Flaps.from_json(text)


def test_what_cannot_be_read_is_counted_from_anew() -> None:
    """A state with it is read all the same."""
    fields = {"version": b"3", flaps_field("a"): b"nonsense", flaps_field("b"): FLAPPING.to_json().encode()}
    assert ServiceState.from_hash(fields).flaps == {"b": FLAPPING}


def test_firings_within_the_time_count_and_are_bounded() -> None:
    policy = Flapping(5, 10, 1)
    flaps = Flaps(rule="r", fired_ms=(0, 5, 9))
    assert flaps.recent(10, policy) == (5, 9)
    assert flaps.after_firing(14, policy).fired_ms == (5, 9, 14)
    many = Flaps(rule="r", fired_ms=tuple(range(500)))
    assert len(many.after_firing(500, DEFAULT_FLAPPING).fired_ms) == MOST_FIRINGS


def test_a_clock_that_was_set_back_leaves_no_firing_of_the_future() -> None:
    assert Flaps(rule="r", fired_ms=(5, 90)).set_back(10).fired_ms == (5, 10)


@pytest.mark.parametrize(
    ("record", "flaps", "expected"),
    [
        (None, None, None),
        (RECORD, None, RECORD),
        (RECORD, FLAPPING, RECORD),
        (None, FLAPPING, replace(LAST, state=AlertState.FIRING)),
        (replace(RECORD, state=AlertState.PENDING), FLAPPING, replace(LAST, state=AlertState.FIRING)),
        (replace(RECORD, state=AlertState.PENDING), None, None),
        (replace(RECORD, state=AlertState.RESOLVED, is_muted=True), FLAPPING, None),
        (None, replace(FLAPPING, incident_ms=None), None),
        (None, replace(FLAPPING, last=None), None),
    ],
)
def test_an_incident_goes_on_while_an_alert_flaps(
    record: AlertRecord | None, flaps: Flaps | None, expected: AlertRecord | None
) -> None:
    """Also while it is clear for a moment, unless somebody has resolved it."""
    assert incident_of(record, flaps) == expected


def test_the_incident_of_an_alert_is_read_from_its_state() -> None:
    connection, keys = fake_connection(), ShardKeys()
    assert read_incident(connection, keys, "ranker", RECORD.alert_id) is None
    connection.command("HSET", keys.state("ranker"), flaps_field(RECORD.alert_id), FLAPPING.to_json())
    found = read_incident(connection, keys, "ranker", RECORD.alert_id)
    assert found is not None
    assert (found.state, found.told_episode_ms) == (AlertState.FIRING, 1_000)
    connection.command("HSET", keys.state("ranker"), alert_field(RECORD.alert_id), RECORD.to_json())
    assert read_incident(connection, keys, "ranker", RECORD.alert_id) == RECORD


def test_the_end_of_a_service_ends_the_incident_of_an_alert_that_is_clear() -> None:
    """It is open with those who were told of it."""
    connection, keys = fake_connection(), ShardKeys()
    connection.command("HSET", keys.state(RECORD.service), flaps_field(RECORD.alert_id), FLAPPING.to_json())
    assert ServiceEnd(connection, keys, RECORD.service).end_alerts("ann", 20_000) == 1
    (entry,) = as_entries(connection.command("XRANGE", keys.alerts, "-", "+"))
    told = {name.decode(): value.decode() for name, value in entry.fields.items()}
    assert (told["from"], told["to"], told["reason"], told["flag"]) == (
        *("inactive", "resolved", "service_retired"),
        "flapping_ended",
    )
    assert (told["notify"], told["incident_ms"], told["actor"]) == ("1", "1000", "ann")
    assert flaps_field(RECORD.alert_id) not in as_hash(connection.command("HGETALL", keys.state(RECORD.service)))
