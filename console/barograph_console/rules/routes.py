"""The route ``/rules``."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from barograph_console.rules.models import BoundRow, RuleRow, Rules
from barograph_console.serving.numbers import finite
from barograph_console.store.ports import Ports
from barograph_console.store.services import closed_through
from barograph_core.alerts.published_rules import Bound, PublishedRule
from barograph_core.alerts.record import AlertRecord, AlertState


class RuleRoutes:
    """Answers which rules are in force, and what became of each."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.router = APIRouter(tags=["alerts"])
        self.router.add_api_route(
            "/rules",
            self.rules,
            operation_id="getRules",
            summary="The rules in force, with the number of their alerts",
        )

    def rules(
        self, service: Annotated[str, Query(description="only those that watch this service", max_length=64)] = ""
    ) -> Rules:
        if service:
            closed_through(self._ports.panes, service)
        published = self._ports.rules.read()
        if published is None:
            return Rules(published_at_ms=None, digest="", unreadable=0, rules=[])
        services = [service] if service else list(self._ports.panes.services())
        return Rules(
            published_at_ms=published.at_ms,
            digest=published.digest,
            unreadable=published.unreadable,
            rules=rule_rows(
                published.watching(service) if service else published.rules, self._ports.alerts.records(services)
            ),
        )


def rule_rows(rules: Sequence[PublishedRule], records: Iterable[AlertRecord]) -> list[RuleRow]:
    """Return the rules with the number of their alerts among ``records``."""
    states = Counter((record.rule, record.state) for record in records)
    return [
        RuleRow(
            **_texts(rule),
            by=list(rule.by),
            where={**rule.where, **{name: matcher.source for name, matcher in rule.where_patterns.items()}},
            services=list(rule.services),
            severity=rule.severity.value,
            fires=[_bound_row(bound) for bound in rule.fires],
            clears=[_bound_row(bound) for bound in rule.clears],
            firing=states[rule.name, AlertState.FIRING],
            pending=states[rule.name, AlertState.PENDING],
        )
        for rule in rules
    ]


_SAME = ("name", "on", "when", "resolve_when", "no_data", "summary", "runbook")
_PERIODS = ("window_ms", "for_ms", "keep_firing_for_ms", "cooldown_ms")


def _texts(rule: PublishedRule) -> dict[str, Any]:
    """Return the fields of a row that are those of the rule."""
    return {name: getattr(rule, name) for name in (*_SAME, *_PERIODS)}


def _bound_row(bound: Bound) -> BoundRow:
    return BoundRow(
        quantity=bound.quantity, operator=bound.operator, threshold=finite(bound.threshold) or 0.0, unit=bound.unit
    )
