"""Reads rules from the configuration; every mistake becomes a problem with its line and key."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from barograph_alerter.conditions import Condition, parse_condition
from barograph_alerter.expression_parser import ConditionError
from barograph_alerter.rules import FIRE_ON, NO_DATA, Rule
from barograph_alerter.templates import SummaryTemplate, TemplateError, compile_summary
from barograph_core.alerts import Severity
from barograph_core.config_file import ConfigFile, suggestion
from barograph_core.errors import Problem
from barograph_core.events import KINDS, Kind
from barograph_core.label_names import has_label
from barograph_core.table_entry import TableEntry

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
_MAX_WINDOW_MS: Final = 7 * 86_400_000
_MAX_PERIOD_MS: Final = 30 * 86_400_000
_MAX_TEXT: Final = 2_000
_MAX_LABELS: Final = 8


def parse_rules(config: ConfigFile, problems: list[Problem]) -> list[Rule]:
    """Return the rules of ``config`` that are right, in order, and append what is wrong to ``problems``."""
    taken: set[str] = set()
    rules = [_read_rule(entry, taken) for entry in TableEntry.all_of(config, "rule", problems)]
    return [rule for rule in rules if rule is not None]


@dataclass(frozen=True, slots=True)
class _Wording:
    """What means something only of a kind of events, as it is written.

    Read before anybody knows whether the kind is right: what was not taken would count as unknown.
    """

    by: tuple[str, ...]
    where: Mapping[str, str]
    when: str | None
    resolve_when: str | None
    summary: str

    @classmethod
    def read(cls, entry: TableEntry) -> Self:
        return cls(
            by=entry.texts("by"),
            where=entry.text_table("where"),
            when=entry.text("when", is_required=True) or None,
            resolve_when=entry.given_text("resolve_when"),
            summary=_short_text(entry, "summary"),
        )


def _read_rule(entry: TableEntry, taken: set[str]) -> Rule | None:
    """Return the rule, or ``None`` when anything in its table is wrong."""
    name = entry.name(taken)
    kind = _kind(entry)
    facts = _plain_facts(entry)
    wording = _Wording.read(entry)
    entry.complain_of_unknown_keys()
    if kind is None:
        return None
    _check_labels(entry, "by", wording.by, kind)
    if len(set(wording.by)) < len(wording.by) or len(wording.by) > _MAX_LABELS:
        entry.complain("by", f"must be up to {_MAX_LABELS} different labels")
    _check_labels(entry, "where", wording.where, kind)
    when = _condition(entry, "when", wording.when, kind)
    resolve_when = _condition(entry, "resolve_when", wording.resolve_when, kind)
    if when is not None and resolve_when is not None and when.leaves_out_recovery(resolve_when):
        entry.complain("resolve_when", f"is true of a breach and not of a recovery: when is {when.text!r}")
    summary = _summary(entry, wording, kind)
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


def _kind(entry: TableEntry) -> Kind | None:
    name = entry.text("on", is_required=True)
    if name and name not in KINDS:
        entry.complain("on", f"{name!r} is not a kind of event{suggestion(name, KINDS)}")
    return KINDS.get(name)


def _plain_facts(entry: TableEntry) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "window_ms": _period(entry, "window", 60_000, minimum=1_000, maximum=_MAX_WINDOW_MS),
        "for_ms": _period(entry, "for", 0),
        "keep_firing_for_ms": _period(entry, "keep_firing_for", 0),
        "cooldown_ms": _period(entry, "cooldown", 300_000),
        "no_data_for_ms": _period(entry, "no_data_for", 300_000),
        "severity": Severity(entry.choice("severity", [one.value for one in Severity], default="warning")),
        "no_data": entry.choice("no_data", NO_DATA, default="keep"),
        "fire_on": entry.choice("fire_on", FIRE_ON, default="auto"),
        "runbook": _short_text(entry, "runbook"),
        "services": entry.texts("services"),
    }
    if facts["window_ms"] % 1_000:
        entry.complain("window", "must be whole seconds: windows are made of panes of one second")
    return facts


def _period(entry: TableEntry, key: str, default_ms: int, *, minimum: int = 0, maximum: int = _MAX_PERIOD_MS) -> int:
    given = entry.duration_ms(key, minimum=minimum, maximum=maximum)
    return default_ms if given is None else given


def _short_text(entry: TableEntry, key: str) -> str:
    text = entry.text(key)
    if len(text) > _MAX_TEXT:
        entry.complain(key, f"is longer than {_MAX_TEXT} characters")
        return ""
    return text


def _check_labels(entry: TableEntry, key: str, names: Iterable[str], kind: Kind) -> None:
    for name in names:
        # A free label has any name that fits an expression.
        if not has_label(kind, name) or (name not in kind.labels and not _LABEL.match(name)):
            entry.complain(key, f"{name!r} is not a label of {kind.name!r}{suggestion(name, kind.labels)}")


def _condition(entry: TableEntry, key: str, text: str | None, kind: Kind) -> Condition | None:
    if text is None:
        return None
    try:
        return parse_condition(text, kind)
    except ConditionError as error:
        for message in error.mistakes:
            entry.complain(key, message)
        return None


def _summary(entry: TableEntry, wording: _Wording, kind: Kind) -> SummaryTemplate | None:
    try:
        return compile_summary(wording.summary, kind, (*wording.by, *wording.where))
    except TemplateError as error:
        entry.complain("summary", str(error))
        return None
