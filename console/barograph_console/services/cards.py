"""The card of a service, in the answer of ``/services`` and in the live topic ``*``. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from barograph_console.alerts.models import Alert
from barograph_console.alerts.view import alert_row, worst_first
from barograph_console.figures.models import ESTIMATED
from barograph_console.rows.requests import Minute
from barograph_console.serving.numbers import Finite
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord, AlertState, Severity
from barograph_core.keyspace.keys import is_own_service


@dataclass(frozen=True, slots=True)
class Card:
    """A service: its last minute and its alerts."""

    service: str
    closed_through_ms: int
    is_internal: Annotated[bool, Field(description="whether the pipeline reports on itself under this name")]
    minute: Annotated[Minute | None, Field(description="null in live messages until it is worked out")]
    worst_alert: Annotated[Alert | None, Field(description="firing before pending, then the most severe")]
    firing: Annotated[int, Field(description="alerts that are firing")]


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Requests and errors by minute; null is nothing known."""

    from_ms: int
    step_ms: int
    requests: list[int | None]
    errors: list[int | None]


@dataclass(frozen=True, slots=True)
class ServiceCard(Card):
    """A card, and what only ``/services`` knows. Rates are over the part of ``window_s`` that the service was there."""

    closed_age_ms: int
    requests: int
    rps: Finite
    error_rate: Finite | None
    estimated: Annotated[bool, Field(description=ESTIMATED)]
    producers: int
    missing_producers: int
    is_missing_producers: bool
    spark: Annotated[Sparkline | None, Field(description="null unless the parameter spark asks for it")]


@dataclass(frozen=True, slots=True)
class Services:
    """All services: the worst alert first, then the most requests; the pipeline's own last."""

    at_ms: int
    window_s: int
    services: list[ServiceCard]


@dataclass(frozen=True, slots=True)
class AlertsOfService:
    """The active alerts of one service, as its card shows them."""

    worst: Alert | None = None
    firing: int = 0


def alerts_by_service(records: Iterable[AlertRecord], rules: PublishedRules | None) -> Mapping[str, AlertsOfService]:
    """Return the alerts of each service that has an active one."""
    active = worst_first(records)
    firing = Counter(record.service for record in active if record.state is AlertState.FIRING)
    worst: dict[str, AlertRecord] = {}
    for record in active:
        worst.setdefault(record.service, record)
    return {service: AlertsOfService(alert_row(record, rules), firing[service]) for service, record in worst.items()}


def is_internal(service: str) -> bool:
    """Return whether the pipeline reports on itself under this name; further shards have a suffix."""
    return is_own_service(service)


def in_order(cards: Iterable[ServiceCard]) -> list[ServiceCard]:
    """Return the cards in the order in which a person needs them."""
    return sorted(cards, key=lambda card: (card.is_internal, -_rank(card), -_requests(card), card.service))


def _rank(card: Card) -> int:
    """Return how bad it is: a pending alert is not yet an incident."""
    worst = card.worst_alert
    return Severity(worst.severity).rank if worst is not None and worst.state == "firing" else -1


def _requests(card: Card) -> int:
    return 0 if card.minute is None else card.minute.requests
