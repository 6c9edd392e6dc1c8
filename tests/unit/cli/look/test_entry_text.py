"""Entries as people read them."""

import pytest

from barograph_cli.look.entry_text import entry_document, entry_lines
from barograph_core.keyspace.keys import StreamName
from barograph_core.server.replies import Entry, EntryId
from tests.support import request_batch

ID = EntryId(1_700_000_000_123, 4)


def _entry(**fields: str) -> Entry:
    return Entry(ID, {name.encode(): value.encode() for name, value in fields.items()})


def _events() -> Entry:
    batch = request_batch([(1_000, "/a", 200, 10.0), (1_001, "/a", 200, 30.0), (1_002, "/b", 503, 5.0)])
    fields = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in batch.items()
    }
    return Entry(ID, fields)


def _text(stream: StreamName, entry: Entry) -> str:
    return "\n".join(line.plain for line in entry_lines(stream, entry))


def test_a_batch_is_shown_series_by_series() -> None:
    shown = _text("events", _events())
    assert "3 events" in shown
    assert "/a GET 200  n=2  duration_ms 10 / 20 / 30" in shown
    assert "/b GET 503  n=1  duration_ms 5 / 5 / 5" in shown


def test_a_batch_as_json_holds_its_figures() -> None:
    assert entry_document("events", _events())["series"] == [
        {
            "labels": ("/a", "GET"),
            "status": 200,
            "n": 2,
            "measures": {"duration_ms": {"n": 2, "min": 10.0, "avg": 20.0, "max": 30.0}},
        },
        {
            "labels": ("/b", "GET"),
            "status": 503,
            "n": 1,
            "measures": {"duration_ms": {"n": 1, "min": 5.0, "avg": 5.0, "max": 5.0}},
        },
    ]


def test_a_batch_that_cannot_be_read_says_why() -> None:
    assert "malformed: v" in _text("events", _entry(v="99", data="x"))


def test_an_alert_shows_its_way_and_why_it_was_not_sent() -> None:
    entry = _entry(
        **{"from": "inactive", "to": "firing"}, rule="high-error-rate", severity="critical", service="api",
        labels="{}", value="0.123456789", threshold="0.05", notify="0", reason="cooldown", summary="12 % failed",
    )  # fmt: skip
    shown = _text("alerts", entry)
    assert "inactive → firing" in shown
    assert "value 0.1235 limit 0.05" in shown
    assert "not sent: cooldown" in shown


def test_a_flag_shows_who_changed_it_and_until_when() -> None:
    entry = _entry(
        **{"from": "firing", "to": "firing"}, rule="slow", severity="error", service="api", labels="{}",
        flag="acknowledged", actor="mira", note="rolling\x1b back", until_ms="1700000000000",
    )  # fmt: skip
    shown = _text("alerts", entry)
    assert "acknowledged" in shown
    assert "until 2023-11-14T22:13:20Z  by mira: rolling\N{REPLACEMENT CHARACTER} back" in shown
    assert "→" not in shown


def test_a_silence_shows_what_it_mutes_and_why() -> None:
    matchers = '[{"name":"route","value":"/a.*","isRegex":true,"isEqual":false}]'
    entry = _entry(
        kind="silence", change="added", silence_id="5f0c", matchers=matchers, ends_ms="1700000000000", actor="mira",
        note="deploy", reason="",
    )  # fmt: skip
    assert 'silence added  route!~"/a.*"  5f0c  until 2023-11-14T22:13:20Z  by mira: deploy' in _text("alerts", entry)


def test_an_entry_of_a_kind_of_later_is_shown_by_its_fields() -> None:
    entry = _entry(kind="mood", change="deploy", title="api 2.15")
    assert "mood deploy  title api 2.15" in _text("alerts", entry)


@pytest.mark.parametrize("stream", ["events", "metrics", "alerts", "deliveries", "dead"])
def test_escape_sequences_from_outside_never_reach_the_terminal(stream: StreamName) -> None:
    """A label could otherwise clear the screen or set the window's title."""
    evil = "\x1b]0;owned\x07\x1b[2J"
    fields = dict.fromkeys(
        ("type", "service", "rule", "severity", "summary", "channel", "reason", "dead_reason", "from", "to", "v"), evil
    )
    assert "\x1b" not in _text(stream, _entry(**fields))


def test_an_entry_beyond_the_year_9999_is_still_shown() -> None:
    """Anybody may write such an id; it must not end `tail` for all that follow."""
    (line,) = entry_lines("dead", Entry(EntryId(2**64 - 1, 0), {}))
    assert line.plain.startswith("18446744073709551615 ms 18446744073709551615-0")


def test_an_entry_without_any_known_field_is_still_shown() -> None:
    for stream in ("events", "metrics", "alerts", "deliveries", "dead"):
        assert "1700000000123-4" in _text(stream, _entry(x="y"))
