"""The words that alerter, notifier and console share."""

from dataclasses import replace

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.record import AlertRecord, AlertState, Severity, alert_id, transition_id
from barograph_core.errors import MalformedEventError
from tests.unit.core.alerts.samples import RECORD


def test_severities_rise_from_info_to_critical() -> None:
    """Severities are compared by rank."""
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert Severity("critical").rank > Severity("warning").rank


def test_the_order_of_labels_does_not_make_another_alert() -> None:
    """The identity is made of the labels' names and values."""
    assert alert_id("r", "s", {"a": "1", "b": "2"}) == alert_id("r", "s", {"b": "2", "a": "1"})


@pytest.mark.parametrize(
    ("rule", "service", "labels"),
    [("r2", "s", {"a": "1"}), ("r", "s2", {"a": "1"}), ("r", "s", {"a": "2"}), ("r", "s", {"b": "1"}), ("r", "s", {})],
)
def test_rule_service_and_labels_each_make_another_alert(rule: str, service: str, labels: dict[str, str]) -> None:
    """No two alerts share an id."""
    assert alert_id(rule, service, labels) != alert_id("r", "s", {"a": "1"})


def test_ids_are_hex_and_stay_the_same_from_release_to_release() -> None:
    """State on the server and idempotency keys of channels depend on these."""
    assert alert_id("high-error-rate", "ranker", {}) == "f4395ffb01620f54"
    assert (
        transition_id("0123456789abcdef", 1_700_000_000_000, AlertState.FIRING, 1) == "012abf97acf57fa8f0a35505fbbf9118"
    )


def test_each_transition_of_an_episode_has_an_id_of_its_own() -> None:
    """Episode, state and number tell transitions apart."""
    ids = {
        transition_id("a", episode, state, number)
        for episode in (1, 2)
        for state in (AlertState.FIRING, AlertState.RESOLVED)
        for number in (1, 2)
    }
    assert len(ids) == 8


def test_a_record_survives_json() -> None:
    """What one alerter writes, another reads."""
    assert AlertRecord.from_json(RECORD.to_json()) == RECORD


def test_a_record_without_optional_facts_survives_json() -> None:
    """Absent numbers stay absent."""
    bare = replace(RECORD, value=None, threshold=None, fired_at_ms=None, contributors=())
    assert AlertRecord.from_json(bare.to_json().encode()) == bare


def test_an_acknowledgement_survives_json_and_costs_others_nothing() -> None:
    """A record without one is the same text as before there were any."""
    acked = replace(RECORD, ack=Acknowledgement(actor="ann", at_ms=5, until_ms=9, note="on it"))
    assert AlertRecord.from_json(acked.to_json()) == acked
    assert '"ack"' not in RECORD.to_json()


def test_a_record_of_a_newer_version_can_be_read() -> None:
    """A fleet is upgraded one alerter at a time."""
    assert AlertRecord.from_json(RECORD.to_json()[:-1] + ',"zzz_new":[1]}') == RECORD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"state":"firing"}',
        RECORD.to_json().replace("error", "bad"),
        RECORD.to_json()[:-1] + ',"ack":{"actor":"ann"}}',
    ],
)
def test_what_is_not_a_record_is_malformed(text: str) -> None:
    """A broken field of the state is found out, not half read."""
    with pytest.raises(MalformedEventError):
        AlertRecord.from_json(text)
