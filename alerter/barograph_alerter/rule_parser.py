"""Reads rules from the configuration; every mistake becomes a problem with its line and key."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar, cast

from barograph_alerter.conditions import Condition, parse_condition
from barograph_alerter.expression_parser import ConditionError
from barograph_alerter.rules import FIRE_ON, NO_DATA, Rule
from barograph_alerter.templates import SummaryTemplate, TemplateError, compile_summary
from barograph_core.alerts import Severity
from barograph_core.durations import parse_duration_ms
from barograph_core.errors import Problem
from barograph_core.events import KINDS, Kind
from barograph_core.label_names import has_label
from barograph_core.settings import ConfigFile, suggestion

T = TypeVar("T", bound=str)
RULE_KEYS: Final = (
    "name", "on", "by", "where", "window", "when", "resolve_when", "for", "keep_firing_for", "cooldown",
    "severity", "no_data", "no_data_for", "fire_on", "summary", "runbook", "services",
)  # fmt: skip
_REQUIRED: Final = ("name", "on", "when")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")
_MAX_WINDOW_MS: Final = 7 * 86_400_000
_MAX_PERIOD_MS: Final = 30 * 86_400_000
_MAX_TEXT: Final = 2_000
_MAX_LABELS: Final = 8


def parse_rules(config: ConfigFile, problems: list[Problem]) -> list[Rule]:
    """Return the rules of ``config`` that are right, in order, and append what is wrong to ``problems``."""
    rules: list[Rule] = []
    names: set[str] = set()
    for index, table in enumerate(config.tables("rule")):
        reader = _RuleReader(config, index, table)
        rule = reader.read()
        if rule is not None and rule.name in names:
            reader.mistake("name", f"{rule.name!r} is taken by another rule")
        if rule is not None:
            names.add(rule.name)
            rules.append(rule)
        problems.extend(reader.problems)
    return rules


class _RuleReader:
    """Reads one table. Each getter returns something usable and notes what is wrong."""

    def __init__(self, config: ConfigFile, index: int, table: Mapping[str, object]) -> None:
        self.config, self.index, self.table = config, index, table
        self.problems: list[Problem] = []

    def mistake(self, key: str, message: str) -> None:
        where = self.config.where("rule", self.index, key)
        self.problems.append(Problem(where, f"rule[{self.index + 1}].{key}", message))

    def read(self) -> Rule | None:
        """Return the rule, or ``None`` when anything in the table is wrong."""
        for key in self.table:
            if key not in RULE_KEYS:
                self.mistake(key, f"is not a key of a rule{suggestion(key, RULE_KEYS)}")
        for key in _REQUIRED:
            if key not in self.table:
                self.mistake(key, "is missing")
        name = self._name()
        kind = self._kind()
        facts = self._plain_facts()
        if kind is None:
            return None
        by = self._by(kind)
        where = self._where(kind)
        when = self._condition("when", kind)
        resolve_when = self._condition("resolve_when", kind)
        if when is not None and resolve_when is not None and when.leaves_out_recovery(resolve_when):
            self.mistake("resolve_when", f"is true of a breach and not of a recovery: when is {when.text!r}")
        summary = self._summary(kind, (*by, *where))
        if when is None or summary is None or self.problems:
            return None
        return Rule(
            name=name, on=kind, by=by, where=where, when=when, resolve_when=resolve_when, summary=summary, **facts
        )

    def _plain_facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "window_ms": self._duration("window", 60_000, 1_000, _MAX_WINDOW_MS),
            "for_ms": self._duration("for", 0, 0, _MAX_PERIOD_MS),
            "keep_firing_for_ms": self._duration("keep_firing_for", 0, 0, _MAX_PERIOD_MS),
            "cooldown_ms": self._duration("cooldown", 300_000, 0, _MAX_PERIOD_MS),
            "no_data_for_ms": self._duration("no_data_for", 300_000, 0, _MAX_PERIOD_MS),
            "severity": Severity(self._choice("severity", tuple(s.value for s in Severity), "warning")),
            "no_data": self._choice("no_data", NO_DATA, "keep"),
            "fire_on": self._choice("fire_on", FIRE_ON, "auto"),
            "runbook": self._text("runbook"),
            "services": self._texts("services"),
        }
        if facts["window_ms"] % 1_000:
            self.mistake("window", "must be whole seconds: windows are made of panes of one second")
        return facts

    def _text(self, key: str, default: str = "") -> str:
        value = self.table.get(key, default)
        if not isinstance(value, str):
            self.mistake(key, f"must be text, not {value!r}")
            return default
        if len(value) > _MAX_TEXT:
            self.mistake(key, f"is longer than {_MAX_TEXT} characters")
            return default
        return value

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        items = cast("list[object]", value) if isinstance(value, list) else None
        if items is None or not all(isinstance(item, str) and item for item in items):
            self.mistake(key, f"must be a list of texts, not {value!r}")
            return ()
        return tuple(str(item) for item in items)

    def _choice(self, key: str, choices: tuple[T, ...], default: T) -> T:
        value = self.table.get(key, default)
        for choice in choices:
            if value == choice:
                return choice
        self.mistake(key, f"is {value!r}; must be one of {', '.join(choices)}")
        return default

    def _duration(self, key: str, default_ms: int, minimum_ms: int, maximum_ms: int) -> int:
        value = self.table.get(key)
        if value is None:
            return default_ms
        try:
            if not isinstance(value, str):
                raise ValueError(f"{value!r} has no unit; write a duration such as '10s'")
            duration = parse_duration_ms(value)
        except ValueError as error:
            self.mistake(key, str(error))
            return default_ms
        if not minimum_ms <= duration <= maximum_ms:
            self.mistake(key, f"is {value!r}; must be {minimum_ms} ms to {maximum_ms // 86_400_000} days")
            return default_ms
        return duration

    def _name(self) -> str:
        name = self._text("name")
        if "name" in self.table and not _NAME.match(name):
            self.mistake("name", f"{name!r} is not 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit")
        return name

    def _kind(self) -> Kind | None:
        name = self._text("on")
        if name not in KINDS and "on" in self.table:
            self.mistake("on", f"{name!r} is not a kind of event{suggestion(name, KINDS)}")
        return KINDS.get(name)

    def _check_labels(self, key: str, names: Iterable[str], kind: Kind) -> None:
        for name in names:
            # A free label has any name that fits an expression.
            if not has_label(kind, name) or (name not in kind.labels and not _LABEL.match(name)):
                self.mistake(key, f"{name!r} is not a label of {kind.name!r}{suggestion(name, kind.labels)}")

    def _by(self, kind: Kind) -> tuple[str, ...]:
        by = self._texts("by")
        self._check_labels("by", by, kind)
        if len(set(by)) < len(by) or len(by) > _MAX_LABELS:
            self.mistake("by", f"must be up to {_MAX_LABELS} different labels")
        return by

    def _where(self, kind: Kind) -> dict[str, str]:
        value = self.table.get("where", {})
        items = cast("dict[str, object]", value) if isinstance(value, dict) else None
        if items is None or not all(isinstance(item, str) for item in items.values()):
            self.mistake("where", f'must be labels with their values, as in {{ scope = "process" }}, not {value!r}')
            return {}
        self._check_labels("where", items, kind)
        return {name: str(item) for name, item in items.items()}

    def _condition(self, key: str, kind: Kind) -> Condition | None:
        if key not in self.table:
            return None
        try:
            text = self.table[key]
            if not isinstance(text, str):
                raise ConditionError([f"must be text, not {text!r}"])
            return parse_condition(text, kind)
        except ConditionError as error:
            for message in error.mistakes:
                self.mistake(key, message)
            return None

    def _summary(self, kind: Kind, labels: tuple[str, ...]) -> SummaryTemplate | None:
        try:
            return compile_summary(self._text("summary"), kind, labels)
        except TemplateError as error:
            self.mistake("summary", str(error))
            return None
