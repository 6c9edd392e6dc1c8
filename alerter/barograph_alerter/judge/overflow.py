"""The limit of the alerts that one rule makes: those that there are stay, and one alert says how many were refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from barograph_alerter.judge.fact import Fact, Identity, Transitioned
from barograph_alerter.judge.state_machine import advance
from barograph_alerter.rules.rule import RULE_OVERFLOW, Rule
from barograph_core.alerts.record import AlertRecord, alert_id

# The label of an overflow alert that names the rule.
_RULE: Final = "rule"


class Places:
    """How many alerts a rule may still begin on one service at one moment.

    Attributes:
        refused: Number of alerts that found no place.
    """

    def __init__(self, rule: Rule, held: int) -> None:
        self._left = max(0, rule.max_alerts - held) if rule.max_alerts else None
        self.refused = 0

    def takes(self) -> bool:
        """Say whether there is a place for one more, and take it."""
        if self._left is None:
            return True
        if self._left:
            self._left -= 1
            return True
        self.refused += 1
        return False


def overflow_identity(rule: Rule, service: str) -> Identity:
    """Return the identity of the alert about the refused alerts of ``rule``."""
    labels = {_RULE: rule.name}
    return Identity(alert_id(RULE_OVERFLOW, service, labels), service, labels)


def is_overflow_of(record: AlertRecord, rules: Mapping[str, Rule]) -> bool:
    """Say whether ``record`` is the overflow alert of one of ``rules`` that has a limit."""
    rule = rules.get(record.labels.get(_RULE, ""))
    return record.rule == RULE_OVERFLOW and rule is not None and rule.max_alerts > 0


def advance_overflow(
    rule: Rule, identity: Identity, record: AlertRecord | None, refused: int, moment: Fact, now_ms: int
) -> Transitioned:
    """Return the overflow alert of ``rule`` after a moment in which ``refused`` alerts found no place.

    Args:
        rule: A rule with a limit.
        identity: Of the overflow alert.
        record: Its state, ``None`` when inactive.
        refused: Number of alerts that were refused.
        moment: The times of the moment; its verdict is not used.
        now_ms: Wall time, for the record only.
    """
    own = replace(rule, name=RULE_OVERFLOW, by=(), levels=(), for_ms=0, no_data="keep", resolve_when=None)
    fact = replace(moment, breach=refused > 0, clear=refused == 0, value=float(refused), threshold=0.0)
    outcome = advance(own, identity, record, fact, now_ms)
    words = f"{rule.name}: {refused or 'no'} further alerts are refused: max_alerts is {rule.max_alerts}"
    return Transitioned(
        outcome.record and replace(outcome.record, summary=words),
        outcome.move and replace(outcome.move, record=replace(outcome.move.record, summary=words)),
    )
