"""Reads a file of tests; every mistake becomes a problem with its line and key."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.cases.case import Case, CaseSeries, Expectation, Values
from barograph_alerter.trial.cases.values import ValuesError, parse_values
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.errors import Problem, SettingsError
from barograph_core.events.kinds import FAILED, KINDS, Kind
from barograph_core.settings.config_file import ConfigFile, parse_config, suggestion
from barograph_core.settings.table_entry import TableEntry

_KEYS: Final = ("rules", "rule", "slo", "test")
_STATES: Final = ("inactive", "pending", "firing")
_DAY_MS: Final = 86_400_000
LoadRules = Callable[[ConfigFile], Sequence[Rule]]


def read_cases(path: Path, load_rules: LoadRules) -> list[tuple[Case, Sequence[Rule]]]:
    """Return the tests of the file ``path`` and the rules that they are about.

    Args:
        path: The file. Its key ``rules`` names the configuration file with the rules, from its own folder; without it,
            the rules are its own ``[[rule]]``.
        load_rules: Returns the rules of a configuration, or raises ``SettingsError``.

    Raises:
        SettingsError: With every mistake.
    """
    config = _read(path)
    named = config.data.get("rules")
    problems = [
        Problem(config.where(key), key, f"is not a key of a file of tests{suggestion(key, _KEYS)}")
        for key in config.data
        if key not in _KEYS
    ]
    if named is not None and not isinstance(named, str):
        problems.append(Problem(config.where("rules"), "rules", "must be the path of a configuration file, in quotes"))
        named = None
    rules = load_rules(config if named is None else _read(path.parent / named))
    cases = [_case(entry, rules) for entry in TableEntry.all_of(config, "test", problems)]
    if not cases:
        problems.append(Problem(str(path), "test", "is missing: write [[test]] with series and expect"))
    if problems:
        raise SettingsError(problems)
    return [(case, [rule for rule in rules if rule.applies_to(case.service)]) for case in cases]


def _read(path: Path) -> ConfigFile:
    try:
        return parse_config(path.read_text(encoding="utf-8-sig"), path)
    except OSError as error:
        raise SettingsError([Problem(str(path), "file", f"cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([Problem(str(path), "file", f"is not UTF-8 text: byte {error.start}")]) from error


def _case(entry: TableEntry, rules: Sequence[Rule]) -> Case:
    step_ms = entry.duration_ms("step", minimum=1_000, maximum=_DAY_MS) or 60_000
    if step_ms % 1_000:
        entry.add_problem("step", "must be whole seconds")
    service = entry.text("service") or "test"
    series = [_series(one) for one in entry.tables("series")]
    known = {rule.name: rule for rule in rules if rule.applies_to(service)}
    expectations = [_expectation(one, known, service) for one in entry.tables("expect")]
    name = entry.text("name")
    entry.add_unknown_keys()
    if not expectations and not entry.has_problems:
        entry.add_problem("expect", "is missing: a test without expectations cannot fail")
    for rule in known.values():
        wrong = [look.offset_ms for look in rule.looks if look.offset_ms % step_ms]
        if wrong and rule.name in {one.rule for one in expectations if one is not None}:
            entry.add_problem("step", f"rule {rule.name!r} looks back by no whole number of steps: take shorter ones")
    return Case(
        name,
        service,
        step_ms,
        tuple(one for one in series if one is not None),
        tuple(one for one in expectations if one is not None),
    )


def _series(entry: TableEntry) -> CaseSeries | None:
    on = entry.text("on", is_required=True)
    kind = KINDS.get(on)
    labels = entry.text_table("labels")
    if kind is None:
        entry.take_rest()
        if on:
            entry.add_problem("on", f"{on!r} is not a kind of event{suggestion(on, KINDS)}")
        return None
    count = _values(entry, "count")
    errors = _values(entry, "errors") if kind.has_errors else ()
    status: Mapping[int, Values] = _status(entry) if kind.has_status else {}
    measures = {name: _values(entry, name) for name in kind.measure_names if name != FAILED}
    entry.add_unknown_keys()
    found = {name: values for name, values in measures.items() if values}
    for name, values in (
        ("count", count),
        ("errors", errors),
        *((f"status.{code}", of_code) for code, of_code in status.items()),
    ):
        if any(value is not None and (value < 0 or value % 1) for value in values):
            entry.add_problem(name, "counts events: it takes whole numbers from 0 on")
    if not (count or errors or status or found) and not entry.has_problems:
        entry.add_problem("count", f"is missing: give count, errors or a measure ({', '.join(measures)})")
    return CaseSeries(kind, _labels(entry, kind, labels), count, errors, status, found)


def _values(entry: TableEntry, key: str) -> Values:
    text = entry.given_text(key)
    if text is None:
        return ()
    try:
        return parse_values(text)
    except ValuesError as error:
        entry.add_problem(key, str(error))
        return ()


def _status(entry: TableEntry) -> Mapping[int, Values]:
    found: dict[int, Values] = {}
    for code, text in entry.text_table("status").items():
        if not (code.isdigit() and len(code) == 3):
            entry.add_problem("status", f"{code!r} is not a status code of three digits")
            continue
        try:
            found[int(code)] = parse_values(text)
        except ValuesError as error:
            entry.add_problem("status", f"{code}: {error}")
    return found


def _labels(entry: TableEntry, kind: Kind, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels as events have them. One that is not given has a value all the same: events have them all."""
    free = sorted(name for name in given if name not in kind.labels)
    if free and not kind.has_free_labels:
        entry.add_problem("labels", f"{free[0]!r} is not a label of {kind.name!r}{suggestion(free[0], kind.labels)}")
    fixed = [given.get(name) or _DEFAULTS.get(name, "test") for name in kind.labels]
    return (*fixed, *(part for name in free for part in (name, given[name])))


_DEFAULTS: Final = {"route": "/", "method": "GET", "scope": "process"}


def _expectation(entry: TableEntry, rules: Mapping[str, Rule], service: str) -> Expectation | None:
    at_ms = entry.duration_ms("at", minimum=0, maximum=400 * _DAY_MS)
    name = entry.text("rule", is_required=True)
    state = entry.choice("state", _STATES, default="firing")
    severity = (
        entry.choice("severity", [one.value for one in Severity], default="") if entry.is_given("severity") else ""
    )
    labels = entry.text_table("labels")
    value, summary = entry.number("value"), entry.given_text("summary")
    entry.add_unknown_keys()
    if at_ms is None and not entry.has_problems:
        entry.add_problem("at", 'is missing: when it is expected, such as "12m"')
    if name and name not in rules:
        entry.add_problem("rule", f"there is no rule {name!r} about service {service!r}{suggestion(name, rules)}")
    if entry.has_problems:
        return None
    return Expectation(
        entry.place("at"),
        at_ms or 0,
        name,
        AlertState(state),
        labels,
        Severity(severity) if severity else None,
        value,
        summary,
    )
