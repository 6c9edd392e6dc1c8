"""What people do to an alert, and the entry that tells of it."""

from dataclasses import replace

import pytest

from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import (
    NotApplicableError,
    acknowledge,
    expire_acknowledgement,
    resolve_by_hand,
    unacknowledge,
)
from barograph_core.alerts.record import AlertState
from tests.unit.core.alerts.samples import RECORD

ACK = Acknowledgement(actor="ann", at_ms=9_000, until_ms=19_000, note="on it")


def test_an_acknowledgement_stands_on_the_record_and_on_an_entry_of_its_own() -> None:
    """Nothing else changes, and channels tell nobody."""
    after, told = acknowledge(RECORD, ACK)
    assert after == replace(RECORD, ack=ACK, number=RECORD.number + 1)
    assert (told.before, told.after, told.notify) == (AlertState.FIRING, AlertState.FIRING, False)
    assert (told.flag, told.actor, told.note, told.until_ms) == ("acknowledged", "ann", "on it", 19_000)


def test_an_entry_names_the_tool_in_which_a_person_acted() -> None:
    """A notifier does not send it back there."""
    after, told = acknowledge(RECORD, ACK, via="pagerduty")
    _, back = unacknowledge(after, actor="ann", note="", now_ms=9_500, via="slack")
    _, here = acknowledge(RECORD, ACK)
    assert [one.via for one in (told, back, here)] == ["pagerduty", "slack", ""]
    assert "via" in told.to_fields()
    assert "via" not in here.to_fields()


def test_a_later_acknowledgement_takes_the_place_of_an_earlier_one() -> None:
    """The next shift takes over; each entry has an id of its own."""
    first, told = acknowledge(RECORD, ACK)
    second, told_again = acknowledge(first, replace(ACK, actor="bob"))
    assert second.ack == replace(ACK, actor="bob")
    assert told.transition != told_again.transition


@pytest.mark.parametrize("state", [AlertState.PENDING, AlertState.RESOLVED])
def test_only_what_fires_can_be_acknowledged(state: AlertState) -> None:
    """Of anything else nobody was told."""
    with pytest.raises(NotApplicableError, match=state.value):
        acknowledge(replace(RECORD, state=state), ACK)


def test_an_acknowledgement_can_be_taken_back_once() -> None:
    after, told = unacknowledge(replace(RECORD, ack=ACK), actor="bob", note="slip", now_ms=9_500)
    assert after == replace(RECORD, number=RECORD.number + 1)
    assert (told.flag, told.actor, told.note, told.notify, told.is_only_flag) == (
        "unacknowledged",
        "bob",
        "slip",
        False,
        True,
    )
    with pytest.raises(NotApplicableError, match="not acknowledged"):
        unacknowledge(after, actor="bob", note="", now_ms=9_600)


def test_an_acknowledgement_that_expires_is_told() -> None:
    """Otherwise a forgotten alert stays quiet for good."""
    after, told = expire_acknowledgement(replace(RECORD, ack=ACK), 19_000)
    assert (after.ack, after.is_announced) == (None, True)
    assert (told.flag, told.reason, told.notify, told.actor) == ("unacknowledged", "ack_expired", True, "")
    assert not told.is_only_flag


def test_resolving_ends_the_acknowledgement() -> None:
    after, _ = resolve_by_hand(replace(RECORD, ack=ACK), actor="ann", note="", now_ms=9_000)
    assert after.ack is None


def test_resolving_by_hand_mutes_and_tells_who_did_it() -> None:
    """A person's word ends the episode; the record stays until one closed pane is clear."""
    muted, told = resolve_by_hand(RECORD, actor="ann", note="rolled back", now_ms=9_000)
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
    assert told.note == "rolled back"


def test_resolving_a_pending_alert_by_hand_notifies_nobody() -> None:
    """Nobody was told of it."""
    _, told = resolve_by_hand(replace(RECORD, state=AlertState.PENDING), actor="ann", note="", now_ms=9_000)
    assert told.notify is False


def test_a_muted_alert_cannot_be_resolved_again() -> None:
    """One resolution, one entry."""
    muted, _ = resolve_by_hand(RECORD, actor="ann", note="rolled back", now_ms=9_000)
    with pytest.raises(NotApplicableError, match="resolved"):
        resolve_by_hand(muted, actor="bob", note="", now_ms=9_001)
