"""Reads rules from the configuration; every mistake becomes a problem with its line and key."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

from barograph_alerter.conditions.calls import Scope
from barograph_alerter.conditions.condition import Condition, any_of, parse_condition
from barograph_alerter.conditions.parser import ConditionError
from barograph_alerter.rules.flapping import read_flapping
from barograph_alerter.rules.rule import FIRE_ON, LATE, NO_DATA, RULE_OVERFLOW, Level, Rule, fixed_values
from barograph_alerter.rules.silence import check_silence, read_silence
from barograph_alerter.rules.summary import SummaryTemplate, compile_summary
from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, Flapping
from barograph_core.alerts.record import Severity
from barograph_core.errors import Problem
from barograph_core.events.kinds import KINDS, Kind
from barograph_core.events.labels import has_label
from barograph_core.matching.matcher import Matcher
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_core.templates.compiled import TemplateError

_MAX_LABEL: Final = 64
_MOST_ALERTS: Final = 100_000
_MAX_WINDOW_MS: Final = 7 * 86_400_000
_MAX_PERIOD_MS: Final = 30 * 86_400_000
_MAX_TEXT: Final = 2_000
_MAX_LABELS: Final = 8


def parse_rules(
    config: ConfigFile,
    problems: list[Problem],
    flapping: Flapping | None = DEFAULT_FLAPPING,
    taken: set[str] | None = None,
) -> list[Rule]:
    """Return the correct rules of ``config``, in order, and append every mistake to ``problems``.

    Args:
        config: The file.
        problems: Are appended to.
        flapping: What holds for rules that say nothing about it; ``None``: their alerts never count as flapping.
        taken: Names of rules, which no further one may have; theirs are added.
    """
    taken = set() if taken is None else taken
    rules = [_read_rule(entry, taken, flapping) for entry in TableEntry.all_of(config, "rule", problems)]
    return [rule for rule in rules if rule is not None]


def rule_places(config: ConfigFile) -> dict[str, tuple[str, int]]:
    """Return where each rule and objective stands in the file, by its name: section and number from 0."""
    return {
        str(table.get("name")): (section, index)
        for section in ("rule", "slo")
        for index, table in enumerate(config.tables(section))
    }


@dataclass(frozen=True, slots=True)
class _Wording:
    """The texts of a rule whose meaning depends on the kind of events.

    All are read before the kind is checked, because a key that was not read is reported as unknown.
    """

    by: tuple[str, ...]
    where: Mapping[str, str | Matcher]
    when: str | None
    resolve_when: str | None
    summary: str

    @classmethod
    def read(cls, entry: TableEntry) -> Self:
        return cls(
            by=entry.texts("by"),
            where=read_where(entry),
            when=entry.text("when", is_required=not entry.is_given("levels")) or None,
            resolve_when=entry.given_text("resolve_when"),
            summary=read_short_text(entry, "summary"),
        )


def _read_rule(entry: TableEntry, taken: set[str], flapping: Flapping | None) -> Rule | None:
    """Return the rule, or ``None`` when anything in its table is wrong."""
    name = entry.name(taken)
    if name == RULE_OVERFLOW:
        entry.add_problem("name", f"{name!r} is the name of alerts about max_alerts: choose another")
    kind = _kind(entry)
    facts: dict[str, Any] = {**_plain_facts(entry), "flapping": read_flapping(entry, flapping)}
    wording = _Wording.read(entry)
    levels = _read_levels(entry)
    entry.add_unknown_keys()
    if kind is None:
        return None
    check_labels(entry, wording.by, wording.where, facts, kind)
    check_silence(entry, facts, wording.by)
    scope = Scope(kind, facts["window_ms"], (*wording.by, *wording.where))
    when = _condition(entry, "when", wording.when, scope)
    facts["levels"] = _levels(levels, scope)
    if facts["levels"]:
        when = any_of([level.when for level in facts["levels"]])
        facts["severity"] = facts["levels"][0].severity
    resolve_when = _condition(entry, "resolve_when", wording.resolve_when, scope)
    if when is not None and resolve_when is not None and when.leaves_out_recovery(resolve_when):
        entry.add_problem("resolve_when", f"is true of a breach and not of a recovery: when is {when.text!r}")
    summary = summary_of(entry, wording.summary, kind, (*wording.by, *fixed_values(wording.where)))
    if when is None or summary is None or entry.has_problems:
        return None
    return Rule(
        name=name,
        on=kind,
        by=wording.by,
        where=wording.where,
        when=when,
        resolve_when=resolve_when,
        summary=summary,
        **facts,
    )


@dataclass(frozen=True, slots=True)
class _LevelText:
    """A level whose condition is still to be read."""

    entry: TableEntry
    severity: Severity
    when: str
    for_ms: int


def _read_levels(entry: TableEntry) -> list[_LevelText]:
    """Return the levels of the rule, ascending."""
    found: list[_LevelText] = []
    for one in entry.tables("levels"):
        severity = Severity(one.choice("severity", [each.value for each in Severity], default="warning"))
        found.append(_LevelText(one, severity, one.text("when", is_required=True), read_period_ms(one, "for", 0)))
        one.add_unknown_keys()
        if not one.is_given("severity"):
            one.add_problem("severity", "is missing: levels differ by it")
        elif severity in (earlier.severity for earlier in found[:-1]):
            one.add_problem("severity", f"{severity.value!r} is that of another level already")
    if entry.is_given("levels"):
        for key in ("when", "severity", "for"):
            entry.refuse(key, "stands in each of 'levels' where a rule has them: move it there")
        if not found and not entry.has_problems:
            entry.add_problem("levels", "is empty: name two or more, or write 'when' and 'severity'")
    return sorted(found, key=lambda level: level.severity.rank)


def _levels(texts: Sequence[_LevelText], scope: Scope) -> tuple[Level, ...]:
    """Return the levels whose conditions can be read."""
    read = [(text, _condition(text.entry, "when", text.when or None, scope)) for text in texts]
    return tuple(Level(text.severity, when, text.for_ms) for text, when in read if when is not None)


def _kind(entry: TableEntry) -> Kind | None:
    name = entry.text("on", is_required=True)
    if name and name not in KINDS:
        entry.add_problem("on", f"{name!r} is not a kind of event{suggestion(name, KINDS)}")
    return KINDS.get(name)


def _plain_facts(entry: TableEntry) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "window_ms": read_period_ms(entry, "window", 60_000, minimum=1_000, maximum=_MAX_WINDOW_MS),
        "for_ms": read_period_ms(entry, "for", 0),
        "keep_firing_for_ms": read_period_ms(entry, "keep_firing_for", 0),
        "cooldown_ms": read_period_ms(entry, "cooldown", 300_000),
        "no_data_for_ms": read_period_ms(entry, "no_data_for", 300_000),
        "stale_after_ms": read_period_ms(entry, "stale_after", 86_400_000),
        "severity": Severity(entry.choice("severity", [one.value for one in Severity], default="warning")),
        "no_data": entry.choice("no_data", NO_DATA, default="keep"),
        "max_alerts": entry.whole_number("max_alerts", minimum=1, maximum=_MOST_ALERTS) or 0,
        "late": entry.choice("late", LATE, default="fire"),
        "labels": entry.text_table("labels"),
        "fire_on": entry.choice("fire_on", FIRE_ON, default="auto"),
        "runbook": read_short_text(entry, "runbook"),
        "services": entry.matcher("services"),
        **read_silence(entry),
    }
    if facts["window_ms"] % 1_000:
        entry.add_problem("window", "must be whole seconds: windows are made of panes of one second")
    return facts


def read_period_ms(
    entry: TableEntry, key: str, default_ms: int, *, minimum: int = 0, maximum: int = _MAX_PERIOD_MS
) -> int:
    """Return a duration, ``default_ms`` when absent or wrong."""
    given = entry.duration_ms(key, minimum=minimum, maximum=maximum)
    return default_ms if given is None else given


def read_short_text(entry: TableEntry, key: str) -> str:
    """Return a text of bounded length, empty when absent or wrong."""
    text = entry.text(key)
    if len(text) > _MAX_TEXT:
        entry.add_problem(key, f"is longer than {_MAX_TEXT} characters")
        return ""
    return text


def read_where(entry: TableEntry) -> dict[str, str | Matcher]:
    """Return what is meant by ``where``: a label's one value, or a matcher of its values."""
    return {name: _plain_or_matcher(matcher) for name, matcher in entry.matchers("where").items()}


def check_labels(
    entry: TableEntry, by: Sequence[str], where: Mapping[str, str | Matcher], facts: Mapping[str, Any], kind: Kind
) -> None:
    """Name what is wrong with the labels of ``by``, ``where`` and ``labels``, and with a limit of alerts without any.

    Args:
        entry: Is added to.
        by: Names of labels.
        where: Label -> what is meant.
        facts: Of the rule, with ``labels`` and ``max_alerts``.
        kind: Of the events.
    """
    _check_names(entry, "by", by, kind)
    if len(set(by)) < len(by) or len(by) > _MAX_LABELS:
        entry.add_problem("by", f"must be up to {_MAX_LABELS} different labels")
    _check_names(entry, "where", where, kind)
    if facts["max_alerts"] and not by:
        entry.add_problem("max_alerts", "means something with 'by' only: the whole service is one alert")
    _check_added_labels(entry, facts["labels"], (*by, *where))


def _check_names(entry: TableEntry, key: str, names: Iterable[str], kind: Kind) -> None:
    for name in names:
        if not has_label(kind, name) or not _is_label_name(name):
            entry.add_problem(key, f"{name!r} is not a label of {kind.name!r}{suggestion(name, kind.labels)}")


def _is_label_name(name: str) -> bool:
    """Say whether a free label can have this name; one that is no plain word is written ``label["région"]``."""
    return 0 < len(name) <= _MAX_LABEL and name.isprintable() and name == name.strip()


def _plain_or_matcher(matcher: Matcher) -> str | Matcher:
    """Return the one text that ``matcher`` means, else itself: most rules name one value, which compares faster."""
    texts = matcher.texts
    return next(iter(texts)) if texts is not None and len(texts) == 1 else matcher


def _check_added_labels(entry: TableEntry, labels: Mapping[str, str], own: Sequence[str]) -> None:
    for name in labels:
        if name in own:
            entry.add_problem("labels", f"{name!r} stands on the alert already, by 'by' or 'where'")
        elif not _is_label_name(name):
            entry.add_problem("labels", f"{name!r} is not a name of a label")


def _condition(entry: TableEntry, key: str, text: str | None, scope: Scope) -> Condition | None:
    if text is None:
        return None
    try:
        return parse_condition(text, scope)
    except ConditionError as error:
        for message in error.mistakes:
            entry.add_problem(key, message)
        return None


def summary_of(
    entry: TableEntry, text: str, kind: Kind, labels: Iterable[str], sample: Mapping[str, object] = MappingProxyType({})
) -> SummaryTemplate | None:
    """Return the compiled summary, ``None`` when it has a mistake.

    Args:
        entry: Is added to.
        text: The template.
        kind: Of the events.
        labels: Names of the labels of the alerts.
        sample: Further names that it may use, with a value of each.
    """
    try:
        return compile_summary(text, kind, labels, sample)
    except TemplateError as error:
        entry.add_problem("summary", str(error))
        return None
