"""Reads ``[[slo]]`` tables and makes a rule of each; every mistake becomes a problem with its line and key."""

from typing import Any, Final

from barograph_alerter.conditions.calls import Scope
from barograph_alerter.rules.flapping import read_flapping
from barograph_alerter.rules.reading import check_labels, read_period_ms, read_short_text, read_where, summary_of
from barograph_alerter.rules.rule import NO_DATA, RULE_OVERFLOW, Rule, fixed_values
from barograph_alerter.rules.slo.compiling import breach_of, levels_of, recovery_of
from barograph_alerter.rules.slo.slo import BurnWindows, Slo, default_windows
from barograph_core.alerts.flapping.flaps import Flapping
from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.events.kinds import KINDS, Kind
from barograph_core.objectives.budget import Objective
from barograph_core.objectives.event_test import EventTest, EventTestError, kind_of_subject
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_core.text.durations import format_duration

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_SHORTEST_PERIOD_MS: Final = 60_000
_LONGEST_PERIOD_MS: Final = 366 * _DAY_MS
_LONGEST_WINDOW_MS: Final = 30 * _DAY_MS
_PERIOD_MS: Final = 30 * _DAY_MS
_MIN_EVENTS: Final = 20
_MOST_EVENTS: Final = 1_000_000_000
_MOST_ALERTS: Final = 100_000
_MOST_WINDOWS: Final = 6
# Moments between two verdicts: in the shortest window of the workbook, of 5 minutes, 10 seconds.
_VERDICTS_PER_WINDOW: Final = 30
_LONGEST_WAIT_MS: Final = 10_000
_SUMMARY: Final = "burns its budget {{ burn_rate | rounded(1) }} times as fast as allowed: {{ budget }}"


def parse_slos(config: ConfigFile, problems: list[Problem], flapping: Flapping | None, taken: set[str]) -> list[Rule]:
    """Return the rules of the correct objectives of ``config``, in order, and append every mistake to ``problems``.

    Args:
        config: The file.
        problems: Is added to.
        flapping: What holds for objectives that say nothing about it.
        taken: Names of rules, which no objective may have; theirs are added.
    """
    rules = [_read_slo(entry, taken, flapping) for entry in TableEntry.all_of(config, "slo", problems)]
    return [rule for rule in rules if rule is not None]


def _read_slo(entry: TableEntry, taken: set[str], flapping: Flapping | None) -> Rule | None:
    """Return the rule of an objective, or ``None`` when anything in its table is wrong."""
    name = entry.name(taken)
    if name == RULE_OVERFLOW:
        entry.add_problem("name", f"{name!r} is the name of alerts about max_alerts: choose another")
    good_text = entry.text("good", is_required=True)
    kind = _kind(entry, good_text)
    good = None if kind is None or not good_text else _good(entry, good_text, kind)
    target = entry.share("objective", is_required=True)
    period_ms = read_period_ms(entry, "period", _PERIOD_MS, minimum=_SHORTEST_PERIOD_MS, maximum=_LONGEST_PERIOD_MS)
    min_events = entry.whole_number("min_events", minimum=1, maximum=_MOST_EVENTS) or _MIN_EVENTS
    windows = _windows(entry, period_ms)
    by, where = entry.texts("by"), read_where(entry)
    facts: dict[str, Any] = {**_plain_facts(entry), "flapping": read_flapping(entry, flapping)}
    summary_text = read_short_text(entry, "summary")
    entry.add_unknown_keys()
    if kind is None or good is None or target is None:
        return None
    check_labels(entry, by, where, facts, kind)
    objective = Objective(good, target, period_ms)
    slo = Slo(objective, _reachable(entry, objective, windows), min_events, period_ms)
    if entry.has_problems:
        return None
    window_ms = min(pair.short_ms for pair in slo.windows)
    scope = Scope(kind, window_ms, (*by, *where))
    levels = levels_of(slo, scope)
    summary = summary_of(
        entry, summary_text or _default_summary(by), kind, (*by, *fixed_values(where)), slo.sample_facts()
    )
    if summary is None:
        return None
    return Rule(
        name=name,
        on=kind,
        by=by,
        where=where,
        window_ms=window_ms,
        when=breach_of(levels),
        resolve_when=recovery_of(slo, scope),
        severity=levels[0].severity,
        levels=levels if len(levels) > 1 else (),
        every_ms=min(_LONGEST_WAIT_MS, max(1_000, window_ms // _VERDICTS_PER_WINDOW // 1_000 * 1_000)),
        fire_on="closed",
        late="ignore",
        summary=summary,
        slo=slo,
        **facts,
    )


def _kind(entry: TableEntry, good: str) -> Kind | None:
    name = entry.text("on")
    if name and name not in KINDS:
        entry.add_problem("on", f"{name!r} is not a kind of event{suggestion(name, KINDS)}")
        return None
    # What only one kind has names it; where several do, the first: errors are those of requests.
    return KINDS[name] if name else kind_of_subject(good) or KINDS["request"]


def _good(entry: TableEntry, text: str, kind: Kind) -> EventTest | None:
    try:
        return EventTest.parse(text, kind)
    except EventTestError as error:
        entry.add_problem("good", str(error))
        return None


def _plain_facts(entry: TableEntry) -> dict[str, Any]:
    services = entry.matcher("service")
    if not entry.is_given("service"):
        entry.add_problem("service", "is missing: an objective is that of a service, or of each of several")
    return {
        "services": services,
        "keep_firing_for_ms": read_period_ms(entry, "keep_firing_for", 0),
        "cooldown_ms": read_period_ms(entry, "cooldown", 300_000),
        "no_data": entry.choice("no_data", [one for one in NO_DATA if one != "alert"], default="keep"),
        "no_data_for_ms": read_period_ms(entry, "no_data_for", 300_000),
        "stale_after_ms": read_period_ms(entry, "stale_after", 86_400_000),
        "max_alerts": entry.whole_number("max_alerts", minimum=1, maximum=_MOST_ALERTS) or 0,
        "labels": entry.text_table("labels"),
        "runbook": read_short_text(entry, "runbook"),
    }


def _windows(entry: TableEntry, period_ms: int) -> tuple[BurnWindows, ...]:
    """Return the pairs of windows, as they are written or as the workbook has them."""
    given = [_pair(one, period_ms) for one in entry.tables("windows")]
    page, ticket = _severity(entry, "page", Severity.CRITICAL), _severity(entry, "ticket", Severity.WARNING)
    if not entry.is_given("windows"):
        pairs = default_windows(page, ticket)
        longest_ms = max(pair.long_ms for pair in pairs)
        if longest_ms > period_ms:
            fitting = '[{ burn_rate = 6, long = "30m", short = "5m" }]'
            longest = format_duration(longest_ms)
            entry.add_problem(
                "period", f"is shorter than the longest window that alerts ({longest}): write windows = {fitting}"
            )
        return pairs
    for key in ("page", "ticket"):
        entry.refuse(key, "is the severity of the windows that are used without 'windows': write it in each of those")
    if not 1 <= len(given) <= _MOST_WINDOWS:
        entry.add_problem("windows", f"must be 1 to {_MOST_WINDOWS} pairs, not {len(given)}")
        return default_windows(page, ticket)
    return tuple(given)


def _pair(entry: TableEntry, period_ms: int) -> BurnWindows:
    burn_rate = entry.number("burn_rate")
    long_ms = read_period_ms(entry, "long", _HOUR_MS, minimum=2_000, maximum=_LONGEST_WINDOW_MS)
    short_ms = read_period_ms(entry, "short", long_ms // 12, minimum=1_000, maximum=_LONGEST_WINDOW_MS)
    severity = _severity(entry, "severity", Severity.CRITICAL)
    entry.add_unknown_keys()
    for key in ("burn_rate", "long", "short"):
        if not entry.is_given(key):
            entry.add_problem(key, 'is missing: a pair is such as { burn_rate = 14.4, long = "1h", short = "5m" }')
    if burn_rate is not None and burn_rate <= 0:
        entry.add_problem("burn_rate", f"must be more than 0, not {burn_rate:g}")
    if short_ms >= long_ms:
        entry.add_problem("short", "must be shorter than 'long': it says whether the burning goes on")
    if long_ms > period_ms:
        entry.add_problem("long", f"must not be longer than the period, {format_duration(period_ms)}")
    for key, span_ms in (("long", long_ms), ("short", short_ms)):
        if span_ms % 1_000:
            entry.add_problem(key, "must be whole seconds: windows are made of panes of one second")
    return BurnWindows(severity, burn_rate or 1.0, long_ms, short_ms)


def _severity(entry: TableEntry, key: str, default: Severity) -> Severity:
    return Severity(entry.choice(key, [one.value for one in Severity], default=default.value))


def _reachable(entry: TableEntry, objective: Objective, windows: tuple[BurnWindows, ...]) -> tuple[BurnWindows, ...]:
    """Return the pairs that can alert: where all events are bad, the budget burns at a rate that none exceeds.

    Of the workbook's pairs one may always be left out, because the last can alert at any objective.
    """
    highest = objective.highest_burn_rate
    if entry.is_given("windows"):
        for number, pair in enumerate(windows, 1):
            if pair.burn_rate >= highest:
                entry.add_problem(
                    "windows",
                    f"pair {number} can never alert: with an objective of {objective.target:g} the burn rate is "
                    f"{highest:.3g} when all events are bad; take a lower one than {pair.burn_rate:g}",
                )
        return windows
    return tuple(pair for pair in windows if pair.burn_rate < highest)


def _default_summary(by: tuple[str, ...]) -> str:
    labels = "".join(f" {{{{ label[{name!r}] }}}}" for name in by)
    return f"{{{{ service }}}}{labels} {_SUMMARY}"
