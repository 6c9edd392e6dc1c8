"""The words that alerter, notifier and console share."""

from dataclasses import replace

import pytest

from barograph_core.alerts import (
    AlertRecord,
    AlertState,
    Contributor,
    Severity,
    Transition,
    alert_id,
    resolve_by_hand,
    transition_id,
    transition_of,
)
from barograph_core.errors import MalformedEventError

RECORD = AlertRecord(
    alert_id=alert_id("slow", "ranker", {"route": "/predict"}),
    rule="slow",
    service="ranker",
    labels={"route": "/predict"},
    severity=Severity.ERROR,
    state=AlertState.FIRING,
    episode_ms=1_000,
    changed_at_ms=2_000,
    breached_to_ms=3_000,
    cooldown_ms=300_000,
    number=2,
    fired_at_ms=2_000,
    value=512.5,
    threshold=500.0,
    summary="p95 beträgt 512 ms",
    runbook="https://example.org/slow",
    contributors=(Contributor({"method": "GET"}, "errors", 3.0, 0.75),),
)


def fields_of(transition: Transition) -> dict[bytes, bytes]:
    flat = transition.to_fields()
    return {flat[i].encode(): flat[i + 1].encode() for i in range(0, len(flat), 2)}


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


def test_a_record_of_a_newer_version_can_be_read() -> None:
    """A fleet is upgraded one alerter at a time."""
    assert AlertRecord.from_json(RECORD.to_json()[:-1] + ',"zzz_new":[1]}') == RECORD


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"state":"firing"}', RECORD.to_json().replace("error", "bad")]
)
def test_what_is_not_a_record_is_malformed(text: str) -> None:
    """A broken field of the state is found out, not half read."""
    with pytest.raises(MalformedEventError):
        AlertRecord.from_json(text)


def test_a_transition_survives_the_stream() -> None:
    """The notifier reads what the alerter wrote."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True, reason="", actor="ann")
    assert Transition.from_fields(fields_of(told)) == told


def test_the_fields_stand_in_the_order_of_the_design() -> None:
    """Entries read the same way for people with redis-cli."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=False, reason="cooldown")
    assert told.to_fields()[::2] == [
        "transition", "alert_id", "rule", "severity", "service", "labels", "from", "to", "at_ms", "episode_ms",
        "value", "threshold", "summary", "runbook", "contributors", "notify", "reason", "actor", "cooldown_ms",
    ]  # fmt: skip


def test_the_server_adds_what_the_cooldown_key_decides() -> None:
    """Before the server has decided, the entry has neither notify nor reason."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=None)
    assert not {"notify", "reason"} & set(told.to_fields()[::2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"severity", b"awful"),
        (b"labels", b"[1]"),
        (b"at_ms", b"soon"),
        (b"value", b"nan"),
        (b"notify", b"2"),
        (b"contributors", b'[{"labels":1}]'),
    ],
)
def test_a_malformed_entry_names_its_field(field: bytes, value: bytes) -> None:
    """The dead-letter stream says what was wrong."""
    told = transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True)
    with pytest.raises(MalformedEventError, match=repr(field.decode())):
        Transition.from_fields(fields_of(told) | {field: value})


def test_an_entry_without_a_field_names_it() -> None:
    """Nothing is guessed."""
    told = fields_of(transition_of(RECORD, before=AlertState.PENDING, at_ms=2_000, notify=True))
    del told[b"episode_ms"]
    with pytest.raises(MalformedEventError, match="lacks field 'episode_ms'"):
        Transition.from_fields(told)


def test_firing_to_firing_is_a_reminder() -> None:
    """It carries its own number, so that channels do not take it for the firing."""
    assert transition_of(RECORD, before=AlertState.FIRING, at_ms=2_000, notify=True).is_reminder


def test_resolving_by_hand_mutes_and_tells_who_did_it() -> None:
    """A person's word ends the episode; the record stays until one closed pane is clear."""
    muted, told = resolve_by_hand(RECORD, "ann", 9_000)
    assert muted is not None
    assert (muted.state, muted.is_muted, muted.is_active, muted.changed_at_ms) == (
        AlertState.RESOLVED,
        True,
        False,
        9_000,
    )
    assert (told.before, told.after, told.actor, told.notify, told.reason) == (
        AlertState.FIRING,
        AlertState.RESOLVED,
        "ann",
        True,
        "resolved_by_hand",
    )


def test_resolving_a_pending_alert_by_hand_notifies_nobody() -> None:
    """Nobody was told of it."""
    _, told = resolve_by_hand(replace(RECORD, state=AlertState.PENDING), "ann", 9_000)
    assert told.notify is False


def test_a_muted_alert_cannot_be_resolved_again() -> None:
    """One resolution, one entry."""
    muted, _ = resolve_by_hand(RECORD, "ann", 9_000)
    assert muted is not None
    with pytest.raises(ValueError, match="resolved"):
        resolve_by_hand(muted, "bob", 9_001)
