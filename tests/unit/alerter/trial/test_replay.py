"""The replay of rules on recorded panes."""

import random

import pytest

from barograph_alerter.conditions.row import Look
from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.channel import Channel
from barograph_alerter.trial.recording import Recorded, Recording, Region
from barograph_alerter.trial.replay import Course, replay
from barograph_alerter.windows.window import Window
from barograph_core.panes.pane import Pane
from tests.unit.alerter.build import NOW, requests, rule_of

BEGIN = NOW - NOW % 60_000


def recording_of(panes: dict[int, Pane], seconds: int, *, missing: dict[int, int] | None = None) -> Recording:
    """Return the panes of some of ``seconds``, by their second."""
    lacks = missing or {}
    recorded = [
        Recorded(BEGIN + second * 1_000, 1_000, panes.get(second, Pane.EMPTY), lacks.get(second, 0))
        for second in sorted({*panes, *lacks})
    ]
    return Recording("ranker", recorded, [Region(1_000, BEGIN, BEGIN + seconds * 1_000)])


def judged_each_second(rule: Rule, recording: Recording) -> Course:
    """Judge every moment, as an alerter does, on windows of which each is merged from its panes."""
    course = Course(rule, recording.service, Channel(30_000))
    (region,) = recording.regions
    for end_ms in range(region.from_ms + 1_000, region.to_ms + 1, 1_000):

        def window_of(look: Look, end_ms: int = end_ms) -> Window:
            panes = recording.in_range(end_ms - look.reach_ms, end_ms - look.offset_ms)
            return Window(Pane.merge([one.pane for one in panes]), look.span_ms)

        course.go_to(end_ms, window_of, recording, 1_000)
    return course


def moves(course: Course) -> list[tuple[int, str, str, bool]]:
    return [
        ((one.at_ms - BEGIN) // 1_000, one.entry.after.value, one.entry.severity.value, one.is_sent)
        for one in course.happened
    ]


RULES = [
    rule_of("errors > 3", window='"10s"'),
    rule_of("errors > 3", window='"10s"', for_='"7s"', keep_firing_for='"5s"', cooldown='"20s"'),
    rule_of("error_rate > 0.3", window='"5s"', resolve_when='"error_rate < 0.2"', no_data_for='"9s"'),
    rule_of("duration_ms.avg > 15", window='"5s"', no_data='"resolve"', no_data_for='"4s"', by='["route"]'),
    rule_of("duration_ms.avg > 15", window='"5s"', stale_after='"11s"', by='["route"]', cooldown='"0s"'),
    rule_of("count < 2", window='"5s"', for_='"3s"', cooldown='"10s"'),
    rule_of("error_rate > 0.3", window='"5s"', no_data='"alert"', no_data_for='"6s"'),
    rule_of("count < 5", window='"5s"', by='["route"]', no_data='"alert"', expect='"seen"', expect_for='"20s"'),
    rule_of('change("10s").count > 4', window='"5s"', cooldown='"15s"'),
    rule_of('count < 0.5 * baseline("20s").rate * 5', window='"5s"', by='["route"]'),
    rule_of('min_over("15s").errors > 1', window='"5s"', keep_firing_for='"2s"'),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.when.text)
@pytest.mark.parametrize("seed", range(6))
def test_moments_left_out_change_nothing(rule: Rule, seed: int) -> None:
    """Judged only where something can change, a rule does what it does when judged each second."""
    rng = random.Random(seed)
    panes: dict[int, Pane] = {}
    second = 0
    while second < 150:
        second += rng.choice((1, 1, 1, 2, 5, 20))
        route, duration_ms = rng.choice(("/a", "/b")), rng.choice((5, 40))
        panes[second] = requests(rng.randrange(4), rng.randrange(5), route=route, duration_ms=duration_ms)
    missing = {rng.randrange(150): 1 for _ in range(rng.choice((0, 3)))}
    recording = recording_of(panes, 200, missing=missing)
    (course,) = replay([rule], recording)
    expected = judged_each_second(rule, recording)
    assert moves(course) == moves(expected)
    assert course.state.records.keys() == expected.state.records.keys()


def test_a_rule_fires_when_its_hold_is_over_and_ends_when_its_window_is_empty() -> None:
    """Nothing happens in the panes at either moment."""
    rule = rule_of("errors > 3", window='"10s"', for_='"4s"')
    (course,) = replay([rule], recording_of({5: requests(errors=9)}, 60))
    assert moves(course) == [
        (6, "pending", "warning", False),
        (10, "firing", "warning", True),
        (16, "resolved", "warning", True),
    ]


def test_the_cooldown_holds_a_firing_back_and_a_reminder_follows() -> None:
    """As a channel does that delivers at once: the resolution of what was not sent is not sent either."""
    panes = {second: requests(errors=9) for second in (5, 20, *range(50, 100))}
    rule = rule_of("errors > 3", window='"5s"', cooldown='"1m"')
    (course,) = replay([rule], recording_of(panes, 120))
    assert moves(course) == [
        (6, "firing", "warning", True),
        (11, "resolved", "warning", True),
        (21, "firing", "warning", False),
        (26, "resolved", "warning", False),
        (51, "firing", "warning", False),
        (66, "firing", "warning", True),
        (105, "resolved", "warning", True),
    ]


def test_variants_of_a_rule_are_judged_side_by_side() -> None:
    """As a sweep of its threshold does."""
    recording = recording_of({5: requests(errors=5), 30: requests(errors=9)}, 60)
    variants = [rule_of(f"errors > {least}", window='"10s"') for least in (3, 7, 20)]
    assert [len(course.happened) for course in replay(variants, recording)] == [4, 2, 0]


def test_a_rule_is_not_judged_on_panes_that_are_too_coarse() -> None:
    """Its windows would be others."""
    minutes = [Recorded(BEGIN, 60_000, requests(errors=9)), Recorded(BEGIN + 60_000, 1_000, requests(errors=9))]
    regions = [Region(60_000, BEGIN, BEGIN + 60_000), Region(1_000, BEGIN + 60_000, BEGIN + 120_000)]
    recording = Recording("ranker", minutes, regions)
    (short,) = replay([rule_of("errors > 3", window='"10s"')], recording)
    assert short.not_judged == [regions[0]]
    assert [at for at, *_ in moves(short)] == [61, 71]
    (long,) = replay([rule_of("errors > 10", window='"1m"')], recording)
    assert long.not_judged == []
    assert [at for at, *_ in moves(long)] == []
    (both,) = replay([rule_of("errors > 10", window='"2m"')], recording)
    assert [at for at, *_ in moves(both)] == [61]


def test_contributors_and_summary_are_those_of_the_alert() -> None:
    """They come from panes that are merged only then."""
    pane = Pane.merge([requests(errors=8, route="/a"), requests(errors=2, route="/b")])
    (course,) = replay([rule_of("errors > 3", summary='"{{ errors }} errors"')], recording_of({5: pane}, 10))
    entry = course.happened[0].entry
    assert entry.summary == "10 errors"
    assert [(one.labels["route"], one.amount) for one in entry.contributors] == [("/a", 8.0), ("/b", 2.0)]
