"""Objectives in a whole pipeline: read from panes of several steps, judged and written as any rule."""

from collections.abc import Callable

import pytest

from tests.virtual_pipeline import VirtualPipeline, request

SLO = """
[[slo]]
name = "availability"
service = "ranker"
good = "{good}"
objective = 0.99
period = "1h"
windows = [
  {{ burn_rate = 14.4, long = "40s", short = "8s", severity = "critical" }},
  {{ burn_rate = 2, long = "2m", short = "30s", severity = "warning" }},
]
"""
KEEP = "1s:5m,10s:30m,1m:6h"


@pytest.mark.parametrize(
    ("good", "bad", "counted"),
    [
        ("errors == 0", {"status": 500}, "errors"),
        ("duration_ms < 300", {"duration_ms": 400.0}, "duration_ms >= 300"),
    ],
)
def test_an_objective_fires_moves_and_ends_within_seconds_of_what_is_counted(
    virtual: Callable[..., VirtualPipeline], good: str, bad: dict[str, float], counted: str
) -> None:
    """Ten requests a second, all bad from 40 s to 50 s: each change comes when the pane that makes it closes."""
    world = virtual(tick_ms=1_000, keep=KEEP)
    world.alerter(SLO.format(good=good))
    api = world.producer()

    def send(second: int, at_ms: int) -> None:
        facts = bad if 40 <= second < 50 else {}
        api.send("request", [request(at_ms, **facts)] * 10)  # type: ignore[arg-type]  # status or duration

    world.each_second(range(88), send)
    world.run_until(88)
    seconds, severities = [at for at, *_ in world.told], [one.severity.value for one in world.transitions]
    assert severities == ["warning", "critical", "warning", "warning"]
    assert world.states == ["firing", "firing", "firing", "resolved"]
    # The first bad second of 41 is more than 2 %, the sixth of 40 more than 14.4 %. All but the last have left the
    # window of 8 s at 57 s, and all that of 30 s at 80 s. A pane closes within two passes.
    for found, counted_at in zip(seconds, (41, 46, 57, 80), strict=True):
        assert counted_at <= found <= counted_at + 2
    page = world.transitions[1]
    assert (page.value, page.threshold) == (0.15, 0.144)
    # 60 bad ones of 460 are 13 times what is allowed.
    assert page.summary == (
        "ranker burns its budget 15.0 times as fast as allowed: the budget for 1h is spent and 1204 % over"
    )
    assert (page.contributors[0].of, page.contributors[0].amount) == (counted, 60.0)
    assert world.alerters[0].counters["evaluation_errors"] == 0
