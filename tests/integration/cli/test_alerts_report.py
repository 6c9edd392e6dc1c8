"""`barograph alerts report` over streams of a real server."""

import json

import pytest

from barograph_cli.__main__ import main
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.unit.cli.report.test_rules import episode

BEGIN_MS = 1_700_000_000_000
DAY_MS = 86_400_000


@pytest.fixture
def here(valkey_url: str, real: Connection, keys: ShardKeys) -> list[str]:
    """Return the flags of a server whose alerts stream has two episodes and what no reader knows."""
    real.command("XADD", keys.alerts, f"{BEGIN_MS - DAY_MS}-0", "transition", "garbled")
    for number, start_ms in enumerate((BEGIN_MS, BEGIN_MS + 60_000)):
        for entry in episode(start_ms, start_ms + 30_000, service=("ranker", "search")[number], alert=f"a{number}"):
            real.command("XADD", keys.alerts, f"{entry.at_ms}-0", *entry.to_fields())
    real.command("XADD", keys.alerts, f"{BEGIN_MS + 120_000}-0", "kind", "silence", "change", "added")
    real.command("XADD", keys.alerts, f"{BEGIN_MS + 120_001}-0", "transition", "garbled")
    return ["--url", valkey_url, "--prefix", keys.prefix]


def test_people_get_a_table_and_what_to_make_of_it(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "report", "--since", str(BEGIN_MS), *here]) == 0
    shown = capsys.readouterr().out
    assert "2 alerts fired, and 4 messages were due" in shown
    assert "high-error-rate" in shown
    assert "1 entries cannot be read" in shown
    assert "a longer `for` would tell less" in " ".join(shown.split())


def test_programs_get_a_document(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["alerts", "report", "--json", "--service", "search", "--since", "2023-11-01T00:00:00Z", *here]
    assert main(asked) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["oldest_ms"] == BEGIN_MS - DAY_MS
    assert [(one["rule"], one["episodes"], one["busiest"]) for one in document["rules"]] == [
        ("high-error-rate", 1, "search")
    ]


def test_a_span_that_reaches_before_the_stream_says_so(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alerts", "report", "--since", "2000d", "--until", str(BEGIN_MS + DAY_MS), *here]) == 0
    assert "what was before is not kept" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--since", "tomorrow"], "--since: 'tomorrow'"),
        (["--since", "1h", "--until", "1d"], "--since must lie before --until"),
    ],
)
def test_a_wrong_span_is_named(
    here: list[str], flags: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alerts", "report", *flags, *here]) == 2
    assert complaint in capsys.readouterr().err
