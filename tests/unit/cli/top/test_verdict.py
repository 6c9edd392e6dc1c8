"""The sentence: the first that holds, and never that all is clear unless it is known."""

from typing import Any

import pytest

from barograph_cli.top.verdict import Verdict, in_order, verdict
from tests.unit.cli.top.overview import NOW_MS, alert, minute, pipeline, stages, state


def said(**changes: Any) -> str:
    found = verdict(state(**changes), NOW_MS)
    return found.lead + found.rest


def test_all_is_clear_only_with_requests_rules_an_alerter_and_every_producer() -> None:
    found = verdict(state(), NOW_MS)
    assert found == Verdict(
        "ok", "All clear.", " ranker serves 3,000 requests a minute, 0.20 % of them errors; p95 21 ms."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"closed_through_ms": NOW_MS - 5_001}, "No news since"),
        ({"rules": 0}, "No alert fires, but nothing watches it. No rule is about this service."),
        (
            {"pipeline": pipeline(stages=stages(alerter=0))},
            "No alert fires, but nothing watches it. No alerter is running.",
        ),
        ({"rules": None}, "No alert fires. Whether anything watches it is not known yet."),
        ({"minute": minute(requests=0)}, "No request for a minute or more. 5 rules watch ranker."),
        (
            {"pipeline": pipeline(producers={"known": 2, "missing": 1})},
            "1 of 2 producers are silent: figures are partial.",
        ),
    ],
)
def test_what_is_not_known_is_said(changes: dict[str, Any], sentence: str) -> None:
    assert said(**changes).startswith(sentence)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert verdict(None, NOW_MS).lead == "Nothing is known yet."


def test_an_alert_is_told_with_what_was_done_before_and_its_largest_parts() -> None:
    parts = [
        {"labels": {"route": "/predict", "method": "POST"}, "share_ratio": 1.0},
        {"labels": {"version": "8"}, "share_ratio": 0.96},
        {"labels": {"model": "ctr", "version": "8"}, "share_ratio": 0.9},
    ]
    markers = [
        {"at_ms": NOW_MS - 30_000, "kind": "deploy", "title": "api 2.15"},
        {"at_ms": NOW_MS - 5_000, "kind": "release", "title": "later"},
    ]
    assert said(alerts=[alert(contributors=parts), alert(id="b" * 16, severity="warning")], markers=markers) == (
        "13.1 % of POST /predict fail for 20 s, 10 s after deploy api 2.15;"
        " 96 % from model version 8 and model ctr, version 8. 1 more firing."
    )


def test_what_somebody_looks_after_comes_second() -> None:
    acked = alert(severity="critical", ack={"actor": "mira"})
    found = verdict(state(alerts=[acked]), NOW_MS)
    assert (found.severity, found.rest) == ("warning", " for 20 s; acknowledged by mira.")
    open_one = alert(id="b" * 16, severity="warning", summary="p95 is high")
    assert said(alerts=[acked, open_one]) == "p95 is high for 20 s. 1 acknowledged."


def test_silenced_and_pending_alerts_are_not_in_the_sentence() -> None:
    assert said(alerts=[alert(silenced_by=["s"]), alert(id="b" * 16, state="pending", fired_at_ms=None)]).startswith(
        "All clear."
    )


def test_alerts_stand_by_what_is_to_be_done_then_by_severity_then_by_age() -> None:
    rows = [
        alert(id="p", state="pending", severity="critical"),
        alert(id="young", fired_at_ms=NOW_MS - 1),
        alert(id="old", fired_at_ms=NOW_MS - 9),
        alert(id="acked", severity="critical", ack={"actor": "mira"}),
        alert(id="worst", severity="critical"),
    ]
    assert [one.id for one in in_order(state(alerts=rows).alerts.values())] == ["worst", "old", "young", "acked", "p"]
