"""What the alerter's unit tests are built from: rows, rules, panes."""

from collections.abc import Mapping
from pathlib import Path

from barograph_alerter.conditions.bounds import Bounds, Rest
from barograph_alerter.conditions.functions import Quantity
from barograph_alerter.conditions.row import Look, Sibling
from barograph_alerter.rules.reading import parse_rules
from barograph_alerter.rules.rule import Rule
from barograph_core.decode.batch import decode_batch
from barograph_core.errors import Problem
from barograph_core.events.encode import LabelSet, encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.panes.pane import Pane
from barograph_core.settings.config_file import parse_config

NOW = 1_700_000_000_000


class FixedRow:
    """A row that holds what it was given; anything else is missing."""

    def __init__(self, **numbers: float | None) -> None:
        self.numbers = {name.replace("__", "."): value for name, value in numbers.items()}

    def number(self, quantity: Quantity) -> float | None:
        return self.numbers.get(str(quantity))

    def bounds(self, quantity: Quantity, rest: Rest) -> Bounds | None:
        del rest
        value = self.number(quantity)
        return None if value is None else Bounds(value, value)

    def at(self, look: Look) -> "FixedRow":
        raise LookupError(str(look))

    def sibling(self, labels: Sibling) -> "FixedRow":
        raise LookupError(str(labels))


def problems_of(text: str) -> list[Problem]:
    """Return the problems of the rules written in ``text``."""
    problems: list[Problem] = []
    parse_rules(parse_config(text, Path("barograph.toml")), problems)
    return problems


def rules_of(text: str) -> list[Rule]:
    """Return the rules written in ``text``, which has no mistake."""
    problems: list[Problem] = []
    rules = parse_rules(parse_config(text, Path("barograph.toml")), problems)
    assert problems == []
    return rules


def rule_of(when: str = "errors > 3", on: str = "request", **keys: str) -> Rule:
    """Return a rule with the given keys, values written as in TOML; ``for_`` stands for ``for``."""
    lines = [f"{name.rstrip('_')} = {value}" for name, value in keys.items()]
    text = "\n".join(["[[rule]]", 'name = "r"', f'on = "{on}"', f"when = '{when}'", *lines])
    return rules_of(text)[0]


def pane_of(kind: str, events: Mapping[LabelSet, list[tuple[float | None, ...]]], at_ms: int = NOW) -> Pane:
    """Return a pane of one kind: label set -> measures of each event, ``None`` where it lacks one."""
    label_sets = list(events)
    rows = [(index, values) for index, labels in enumerate(label_sets) for values in events[labels]]
    nan = float("nan")
    columns = [
        [nan if values[m] is None else float(values[m] or 0) for _, values in rows]
        for m in range(len(KINDS[kind].measures))
    ]
    batch = encode_batch(KINDS[kind], label_sets, [index for index, _ in rows], [at_ms] * len(rows), columns)
    fields = entry_fields(batch, service="ranker", instance="i", seq=1, through_ms=at_ms)
    raw = {name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}
    return Pane.merge(list(Pane.of_blocks([decode_batch(raw).block], 1_000).values()))


def requests(ok: int = 0, errors: int = 0, *, route: str = "/a", duration_ms: float = 10.0) -> Pane:
    """Return a pane of requests to one route."""
    events: dict[LabelSet, list[tuple[float | None, ...]]] = {}
    if ok:
        events[route, "GET", 200] = [(duration_ms,)] * ok
    if errors:
        events[route, "GET", 500] = [(duration_ms,)] * errors
    return pane_of("request", events) if events else Pane.EMPTY
