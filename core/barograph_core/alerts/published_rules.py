"""The rules in force as alerters publish them on the server, so that a console need not know how rules are judged."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Self

from barograph_core.alerts.record import Severity, json_text
from barograph_core.alerts.scope import is_about, services_of
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import rules_holder_key, rules_key
from barograph_core.matching.matcher import Matcher
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes
from barograph_core.text.foreign_json import load_foreign_json

log = logging.getLogger(__name__)
SCHEMA: Final = 1
# Limit against damaged documents; alerters refuse far shorter ones.
_LONGEST_WINDOW_MS: Final = 3_650 * 86_400_000


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison of a rule's condition: a quantity with a constant.

    Attributes:
        quantity: As a condition has it: ``error_rate``, ``duration_ms.p95``, ``status[503]``.
        operator: One of ``> >= < <= == !=``, with the quantity on its left.
        threshold: The constant.
        unit: Of both: ``ratio``, ``ms``, ``mb``, ``percent``, ``per_s``; empty for a number of events, and where the
            quantity has none.
        is_leading: Whether an alert shows its two sides as value and threshold.
    """

    quantity: str
    operator: str
    threshold: float
    unit: str = ""
    is_leading: bool = False

    @property
    def is_above(self) -> bool:
        """Say whether it holds for large values."""
        return self.operator in (">", ">=")

    @property
    def is_guard(self) -> bool:
        """Say whether it only asks how much data there is, next to the comparison that decides."""
        return not self.is_leading and "count" in self.quantity.split(".")

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read one of a document.

        Raises:
            ValueError: The threshold is not a finite number.
            KeyError: Something is missing.
        """
        threshold = float(plain["threshold"])
        if not math.isfinite(threshold):
            raise ValueError("a threshold is not finite")
        quantity, operator = _text(plain["quantity"]), _text(plain["operator"])
        return cls(quantity, operator, threshold, _text(plain.get("unit", "")), bool(plain.get("is_leading", False)))


@dataclass(frozen=True, slots=True)
class PublishedLevel:
    """One of several severities of a rule, with its own condition and hold."""

    severity: Severity
    when: str
    for_ms: int = 0


@dataclass(frozen=True, slots=True)
class PublishedWindows:
    """A pair of windows over which an objective alerts when both burn its budget faster than ``burn_rate``."""

    severity: Severity
    burn_rate: float
    long_ms: int
    short_ms: int


@dataclass(frozen=True, slots=True)
class PublishedSlo:
    """The objective of which a rule was made.

    Attributes:
        good: The test that good events pass: ``duration_ms < 300``.
        objective: The share of events that is to be good.
        period_ms: The sliding period that it is about.
        min_events: In a short window at least, for its pair to alert.
        windows: The pairs that alert.
    """

    good: str
    objective: float
    period_ms: int
    min_events: int
    windows: tuple[PublishedWindows, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read one of a document.

        Raises:
            ValueError: The objective is no share, or a window is none.
            KeyError: Something is missing.
        """
        windows = tuple(
            PublishedWindows(
                Severity(one["severity"]), float(one["burn_rate"]), int(one["long_ms"]), int(one["short_ms"])
            )
            for one in plain["windows"]
        )
        objective, period_ms = float(plain["objective"]), int(plain["period_ms"])
        spans = [period_ms, *(span for one in windows for span in (one.long_ms, one.short_ms))]
        if not 0 < objective < 1 or not all(0 < span <= _LONGEST_WINDOW_MS for span in spans):
            raise ValueError("an objective that is no share, or a window of no length")
        return cls(_text(plain["good"]), objective, period_ms, int(plain["min_events"]), windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRule:
    """A rule as others than the alerter see it. The names are those of the configuration.

    Attributes:
        where: The labels that all its series have with one value.
        where_patterns: Matchers of the values of further labels, of which its series may have several.
        severity: With levels, that of the lowest.
        when: With levels, that any of them holds.
        levels: The severities that its alerts move between, ascending; empty where there is one.
        services: The texts of its ``services`` (``scope.texts_of``); empty means every service but the pipeline's own.
        flapping_firings: So many firings within ``flapping_within_ms`` make an alert flap; 0: none does.
        flapping_calm: So few within it end that.
        slo: The objective that it was made of, ``None`` where somebody wrote it.
        fires: The bounds in ``when``: those that mean there what they mean alone, so none within a ``not``.
        clears: Likewise those in ``resolve_when``.
    """

    name: str
    on: str
    severity: Severity
    window_ms: int
    when: str
    by: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    where_patterns: Mapping[str, Matcher] = field(default_factory=dict[str, Matcher])
    services: tuple[str, ...] = ()
    resolve_when: str = ""
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    cooldown_ms: int = 0
    no_data: str = "keep"
    no_data_for_ms: int = 0
    stale_after_ms: int = 0
    expect: str = ""
    expect_for_ms: int = 0
    listed: tuple[Mapping[str, str], ...] = ()
    new_series_delay_ms: int = 0
    fire_on: str = "auto"
    late: str = "fire"
    max_alerts: int = 0
    # What an earlier alerter publishes, which does not count flaps, equals what a later one does by default.
    flapping_firings: int = 5
    flapping_within_ms: int = 900_000
    flapping_calm: int = 1
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    summary: str = ""
    runbook: str = ""
    levels: tuple[PublishedLevel, ...] = ()
    fires: tuple[Bound, ...] = ()
    clears: tuple[Bound, ...] = ()
    slo: PublishedSlo | None = None

    def applies_to(self, service: str) -> bool:
        return is_about(service, services_of(self.services), {**self.where, **self.where_patterns})

    @property
    def leading(self) -> Bound | None:
        """Return the bound whose sides an alert shows, ``None`` where what it compares is composed."""
        return next((bound for bound in self.fires if bound.is_leading), None)

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        patterns = {name: matcher.source for name, matcher in self.where_patterns.items()}
        plain = {**asdict(self), "where_patterns": patterns}
        if self.slo is None:
            # Others read rules as they did before there were objectives, and their hash is the same.
            del plain["slo"]
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read the result of ``to_plain``. Unknown keys are ignored, so that a newer version can add some.

        Raises:
            MalformedEventError: It is not a rule.
        """
        try:
            known = {name: read(plain[name]) for name, read in _READERS.items() if name in plain}
            rule = cls(**known)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as exc:
            raise MalformedEventError(f"not a published rule: {exc}") from exc
        if not 0 < rule.window_ms <= _LONGEST_WINDOW_MS:
            raise MalformedEventError("not a published rule: its window is empty or longer than ten years")
        return rule


def _text(value: object) -> str:
    """Return a text that can be sent on: half a character, which JSON can hold, becomes a question mark."""
    return str(value).encode(errors="replace").decode()


def _texts(value: Sequence[object]) -> tuple[str, ...]:
    return tuple(_text(one) for one in value)


def _services(value: Sequence[object]) -> tuple[str, ...]:
    texts = _texts(value)
    services_of(texts)
    return texts


def _text_table(value: Mapping[object, object]) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in value.items()}


def _text_tables(value: Sequence[Mapping[object, object]]) -> tuple[dict[str, str], ...]:
    return tuple(_text_table(one) for one in value)


def _matcher_table(value: Mapping[object, object]) -> dict[str, Matcher]:
    return {_text(name): Matcher.parse(one) for name, one in value.items()}


def _bounds(value: Sequence[Mapping[str, Any]]) -> tuple[Bound, ...]:
    return tuple(Bound.from_plain(one) for one in value)


def _levels(value: Sequence[Mapping[str, Any]]) -> tuple[PublishedLevel, ...]:
    return tuple(PublishedLevel(Severity(one["severity"]), _text(one["when"]), int(one["for_ms"])) for one in value)


_OTHER_READERS: Final[dict[str, Any]] = {
    "severity": Severity,
    "by": _texts,
    "services": _services,
    "where": _text_table,
    "where_patterns": _matcher_table,
    "labels": _text_table,
    "listed": _text_tables,
    "levels": _levels,
    "max_alerts": int,
    "flapping_firings": int,
    "flapping_calm": int,
    "fires": _bounds,
    "clears": _bounds,
    "slo": PublishedSlo.from_plain,
}
_READERS: Final[dict[str, Any]] = {
    one.name: _OTHER_READERS.get(one.name, int if one.name.endswith("_ms") else _text) for one in fields(PublishedRule)
}


@dataclass(frozen=True, slots=True)
class PublishedRules:
    """All rules in force.

    Attributes:
        at_ms: Wall time at which the alerter that published them started.
        digest: Hash of the rules, 64 hex digits; equal rule sets have equal hashes.
        unreadable: Number of rules that could not be read, of a newer version or damaged.
        epoch: Grows each time that an alerter starts with other rules than those in force.
    """

    rules: tuple[PublishedRule, ...]
    at_ms: int
    digest: str
    unreadable: int = 0
    epoch: int = 0

    @classmethod
    def of(cls, rules: Sequence[PublishedRule], at_ms: int) -> Self:
        """Return ``rules`` with their hash."""
        text = json_text([rule.to_plain() for rule in rules])
        return cls(tuple(rules), at_ms, hashlib.sha256(text.encode()).hexdigest())

    def find(self, name: str) -> PublishedRule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def watching(self, service: str) -> list[PublishedRule]:
        """Return the rules that are about ``service``."""
        return [rule for rule in self.rules if rule.applies_to(service)]

    def to_json(self) -> str:
        """Return JSON text with the version of its form."""
        rules = [rule.to_plain() for rule in self.rules]
        return json_text(
            {"schema": SCHEMA, "digest": self.digest, "epoch": self.epoch, "at_ms": self.at_ms, "rules": rules}
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of ``to_json``, also one of a newer version: what is unknown is left out.

        Raises:
            MalformedEventError: It is not such a document.
        """
        try:
            document = load_foreign_json(text)
            given, at_ms, digest = list(document["rules"]), int(document["at_ms"]), _text(document["digest"])
            epoch = int(document.get("epoch", 0))
        except (ValueError, KeyError, TypeError, OverflowError) as exc:
            raise MalformedEventError(f"not a document of rules: {exc}") from exc
        rules: list[PublishedRule] = []
        for plain in given:
            try:
                rules.append(PublishedRule.from_plain(plain))
            except MalformedEventError as error:
                log.warning("rules.unreadable", extra={"reason": error.reason})
        return cls(tuple(rules), at_ms, digest, len(given) - len(rules), epoch)


def publish_rules(connection: Connection, prefix: str, published: PublishedRules, *, only_if_absent: bool) -> None:
    """Write the rules in one step, with the epoch after that of other rules that are in force.

    Args:
        connection: To the server.
        prefix: Of all keys.
        published: The rules.
        only_if_absent: Leave what another alerter published.
    """
    condition = ["NX"] if only_if_absent else []
    held = read_rules(connection, prefix)
    if held is not None:
        published = replace(published, epoch=held.epoch + (held.digest != published.digest))
    connection.command("SET", rules_key(prefix), published.to_json(), *condition)


class RulesReader:
    """Reads the published rules again and again: a document that has not changed is parsed once."""

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._text: bytes | None = None
        self._found: PublishedRules | None = None

    def read(self) -> PublishedRules | None:
        """Return the published rules; ``None`` when there are none, or none that can be read."""
        reply = self._connection.command("GET", rules_key(self._prefix))
        text = None if reply is None else as_bytes(reply)
        if text != self._text:
            self._text, self._found = text, _parsed(text)
        return self._found


def read_rules(connection: Connection, prefix: str) -> PublishedRules | None:
    """Return the published rules; ``None`` when there are none, or none that can be read."""
    return RulesReader(connection, prefix).read()


def _parsed(text: bytes | None) -> PublishedRules | None:
    try:
        return None if text is None else PublishedRules.from_json(text)
    except MalformedEventError as error:
        log.warning("rules.unreadable", extra={"reason": error.reason})
        return None


def confirm_rules(connection: Connection, prefix: str, digest: str, life_ms: int) -> None:
    """Say that an alerter with the rules of this hash lives; that holds for ``life_ms``."""
    connection.command("SET", rules_holder_key(digest, prefix), 1, "PX", life_ms)


def are_held(connection: Connection, prefix: str, digest: str) -> bool:
    """Say whether an alerter with the rules of this hash lives."""
    return connection.command("EXISTS", rules_holder_key(digest, prefix)) == 1
