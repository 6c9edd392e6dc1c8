"""Silences as Alertmanager has them: when one is active, what is refused, and which change keeps its id."""

from dataclasses import replace
from typing import Any, Final

import pytest

from barograph_core.keyspace.layout import Layout
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.silence import SilenceError, check_silence, parse_matchers
from tests.support import fake_connection
from tests.unit.core.silences.samples import HOUR, NOW, SILENCE

STATES: Final = [
    # Start and end after now, by the hour; when it was ended; state.
    (0, 1, None, "active"),
    (-1, 1, None, "active"),
    (-5, 100, None, "active"),
    (1, 2, None, "pending"),
    (100, 101, None, "pending"),
    (-2, -1, None, "expired"),
    (-1, 0, None, "expired"),
    (0, None, None, "active"),
    (1, None, None, "pending"),
    (-1, None, None, "active"),
    (-1, 1, -0.5, "expired"),
    (-1, None, -0.5, "expired"),
    (1, 2, 0, "expired"),
]
REFUSED: Final = [
    ("matchers", {"matchers": ()}),
    ("matchers", {"matchers": parse_matchers(["route="])}),
    ("matchers", {"matchers": parse_matchers(["route=~.*"])}),
    ("matchers", {"matchers": parse_matchers(["route!=/a"])}),
    ("matchers", {"matchers": parse_matchers(["route!~/a"])}),
    ("matchers", {"matchers": parse_matchers(["route=", "pool="])}),
    ("matchers", {"matchers": parse_matchers(["route=~a?"])}),
    ("matchers", {"matchers": parse_matchers(["alertname=~.+"])}),
    ("matchers", {"matchers": parse_matchers(["severity=~.+"])}),
    ("matchers", {"matchers": parse_matchers([f"a{n}=b" for n in range(21)])}),
    ("ends", {"ends_ms": NOW}),
    ("ends", {"ends_ms": NOW - 1}),
    ("ends", {"starts_ms": NOW + HOUR, "ends_ms": NOW + HOUR}),
    ("ends", {"starts_ms": NOW + 2 * HOUR, "ends_ms": NOW + HOUR}),
    ("actor", {"actor": ""}),
    ("comment", {"comment": "x" * 1_001}),
]
ACCEPTED: Final[list[dict[str, Any]]] = [
    {},
    {"matchers": parse_matchers(["route=/a"])},
    {"matchers": parse_matchers(["route=/a", "pool="])},
    {"matchers": parse_matchers(["route!=", "pool!=x"])},
    {"matchers": parse_matchers(["route=~.+"])},
    {"matchers": parse_matchers(["severity=error"])},
    {"matchers": parse_matchers([f"a{n}=b" for n in range(20)])},
    {"starts_ms": NOW + HOUR, "ends_ms": NOW + HOUR + 1},
    {"starts_ms": NOW - HOUR},
    {"ends_ms": NOW + 1},
    {"ends_ms": None},
    {"comment": ""},
    {"comment": "x" * 1_000},
]
# What is changed of an active silence, and whether it keeps its id.
CHANGES: Final = [
    ({"ends_ms": NOW + 5 * HOUR}, True),
    ({"ends_ms": NOW + 2}, True),
    ({"comment": "other"}, True),
    ({"actor": "ann"}, True),
    ({"matchers": SILENCE.matchers[::-1]}, True),
    ({"ends_ms": NOW + 9 * HOUR, "comment": "other", "actor": "ann"}, True),
    ({"matchers": parse_matchers(["alertname=slow"])}, False),
    ({"matchers": (*SILENCE.matchers, *parse_matchers(["pool=a"]))}, False),
    ({"matchers": parse_matchers(["alertname!=slow", "route=~/pre.*"])}, False),
    ({"matchers": parse_matchers(["alertname=slow", "route=/pre.*"])}, False),
    ({"starts_ms": NOW + HOUR // 2}, False),
]


@pytest.mark.parametrize(("starts_h", "ends_h", "ended_h", "expected"), STATES)
def test_a_silence_is_active_from_its_start_to_before_its_end(
    starts_h: float, ends_h: float | None, ended_h: float | None, expected: str
) -> None:
    def at(hours: float | None) -> int | None:
        return None if hours is None else NOW + int(hours * HOUR)

    silence = replace(SILENCE, starts_ms=at(starts_h) or 0, ends_ms=at(ends_h), ended_ms=at(ended_h))
    assert silence.state_at(NOW) == expected


@pytest.mark.parametrize(("where", "changes"), REFUSED)
def test_what_cannot_be_meant_is_refused(where: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SilenceError) as caught:
        check_silence(replace(SILENCE, **changes), NOW)
    assert caught.value.where == where


@pytest.mark.parametrize("changes", ACCEPTED)
def test_what_can_be_meant_is_accepted(changes: dict[str, Any]) -> None:
    check_silence(replace(SILENCE, **changes), NOW)


@pytest.mark.parametrize(("changes", "keeps_id"), CHANGES)
def test_a_change_keeps_the_id_or_ends_the_old_one(changes: dict[str, Any], keeps_id: bool) -> None:
    """What it muted until now stays on record under its id."""
    book = SilenceBook(fake_connection(), Layout("baro"))
    added = book.add(SILENCE, NOW)
    changed = book.change(added.silence_id, replace(added, **changes), NOW + 1)
    assert (changed.silence_id == added.silence_id) is keeps_id
    states = sorted(one.silence.state_at(NOW + 1) for one in book.all())
    after = "pending" if "starts_ms" in changes else "active"
    assert states == ([after] if keeps_id else sorted([after, "expired"]))


def test_a_silence_that_is_over_is_not_revived_by_a_change() -> None:
    """The same matchers make a new one."""
    book = SilenceBook(fake_connection(), Layout("baro"))
    added = book.add(SILENCE, NOW)
    later = NOW + 2 * HOUR
    again = book.change(added.silence_id, replace(added, starts_ms=later, ends_ms=later + HOUR), later)
    assert again.silence_id != added.silence_id
