"""What a silence means, and which ones cannot be meant."""

from dataclasses import replace

import pytest

from barograph_core.alerts.record import Severity
from barograph_core.errors import MalformedEventError
from barograph_core.silences.entry import SilenceEntry, ended, entry_of
from barograph_core.silences.silence import (
    Silence,
    SilenceError,
    SilenceState,
    check_silence,
    labels_of,
    parse_matchers,
)
from tests.unit.core.alerts.samples import RECORD
from tests.unit.core.silences.samples import HOUR, NOW, SILENCE


def test_a_silence_mutes_what_all_of_its_matchers_mean() -> None:
    assert SILENCE.mutes(labels_of(RECORD))
    assert not SILENCE.mutes(labels_of(replace(RECORD, rule="fast")))
    assert not SILENCE.mutes(labels_of(replace(RECORD, labels={})))


@pytest.mark.parametrize(
    "text", ["alertname=slow", "rule=slow", "service=ranker", "severity=error", "route=/predict", "pool=", "team!=ml"]
)
def test_matchers_see_rule_service_severity_and_labels(text: str) -> None:
    assert replace(SILENCE, matchers=parse_matchers([text])).mutes(labels_of(RECORD))


def test_a_label_cannot_pass_for_another_rule_service_or_severity() -> None:
    """A label comes from outside; only ``rule`` gives way to a label of that name."""
    forged = replace(RECORD, labels={"alertname": "x", "service": "y", "severity": "info", "rule": "z"})
    assert labels_of(forged) == {"alertname": "slow", "service": "ranker", "severity": "error", "rule": "z"}


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [(NOW - 1, "pending"), (NOW, "active"), (NOW + HOUR - 1, "active"), (NOW + HOUR, "expired")],
)
def test_a_silence_lasts_from_its_start_to_before_its_end(at_ms: int, expected: SilenceState) -> None:
    assert SILENCE.state_at(at_ms) == expected


def test_a_silence_without_an_end_lasts_until_it_is_ended() -> None:
    endless = replace(SILENCE, ends_ms=None)
    assert endless.state_at(NOW + 1_000 * HOUR) == "active"
    assert ended(endless, "resolved", NOW + 5).state_at(NOW + 5) == "expired"


@pytest.mark.parametrize(
    ("matchers", "is_refused"),
    [
        ([], True),
        (["service=ranker"], False),
        (["severity=error"], False),
        (["alertname=~high-.*"], False),
        (["severity=~warning|error"], False),
        (["route="], True),
        (["route!=/a"], True),
        (["route=~.*"], True),
        (["route=~.+"], False),
        (["service=~.*"], True),
        (["service=~.+"], True),
        (["alertname=~.+", "severity=~.+"], True),
        (["rule!="], True),
        (["service!="], True),
        (["severity!="], True),
        (["service=~.+", "route=/a"], False),
        (["route!=/a", "service=ranker"], False),
    ],
)
def test_what_would_mute_every_alert_is_refused(matchers: list[str], is_refused: bool) -> None:
    """A matcher that takes the empty text narrows nothing, nor does one that takes anything of what is always there."""
    silence = replace(SILENCE, matchers=parse_matchers(matchers))
    if is_refused:
        with pytest.raises(SilenceError) as caught:
            check_silence(silence, NOW)
        assert caught.value.where == "matchers"
    else:
        check_silence(silence, NOW)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"ends_ms": NOW}, "ends"),
        ({"ends_ms": NOW - 1}, "ends"),
        ({"starts_ms": NOW + 5, "ends_ms": NOW + 5}, "ends"),
        ({"starts_ms": NOW - 10, "ends_ms": NOW - 5}, "ends"),
        ({"comment": "x" * 1_001}, "comment"),
        ({"actor": ""}, "actor"),
        ({"matchers": parse_matchers([f"l{n}=x" for n in range(21)])}, "matchers"),
    ],
)
def test_a_silence_that_cannot_be_meant_names_its_mistake(changes: dict[str, object], where: str) -> None:
    with pytest.raises(SilenceError) as caught:
        check_silence(replace(SILENCE, **changes), NOW)  # type: ignore[arg-type]  # one mistake at a time
    assert caught.value.where == where


def test_a_matcher_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SilenceError, match="no regular expression"):
        parse_matchers(["route=~("])


@pytest.mark.parametrize(
    "silence", [SILENCE, replace(SILENCE, ends_ms=None), ended(SILENCE, "by_hand", NOW + 1, "ann")]
)
def test_a_silence_survives_json(silence: Silence) -> None:
    assert Silence.from_json(silence.to_json()) == silence


def test_a_silence_of_a_newer_version_can_be_read() -> None:
    assert Silence.from_json(SILENCE.to_json()[:-1] + ',"zzz_new":[1]}') == SILENCE


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", SILENCE.to_json().replace("/pre.*", "/pre(")])
def test_what_is_no_silence_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEventError):
        Silence.from_json(text)


@pytest.mark.parametrize(
    "entry",
    [
        entry_of(SILENCE, "added"),
        entry_of(replace(SILENCE, ends_ms=None), "changed"),
        entry_of(ended(SILENCE, "by_hand", NOW + 1, "ann"), "ended"),
    ],
)
def test_an_entry_survives_the_stream(entry: SilenceEntry) -> None:
    flat = entry.to_fields()
    fields = {flat[i].encode(): flat[i + 1].encode() for i in range(0, len(flat), 2)}
    assert SilenceEntry.from_fields(fields) == entry
    with pytest.raises(MalformedEventError):
        SilenceEntry.from_fields({**fields, b"starts_ms": b"soon"})


def test_the_entry_of_an_end_says_who_ended_it() -> None:
    """Not who asked for the silence."""
    entry = entry_of(ended(SILENCE, "by_hand", NOW + 1, "ann"), "ended")
    assert (entry.actor, entry.reason, entry.ends_ms) == ("ann", "by_hand", NOW + 1)
    assert entry_of(ended(SILENCE, "expired", NOW + HOUR), "ended").actor == ""


def test_severities_are_among_what_a_matcher_is_tried_with() -> None:
    """``severity=~"info|warning|error|critical"`` narrows nothing."""
    everything = "|".join(one.value for one in Severity)
    with pytest.raises(SilenceError):
        check_silence(replace(SILENCE, matchers=parse_matchers([f"severity=~{everything}"])), NOW)
