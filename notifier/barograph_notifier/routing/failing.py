"""An alert that a channel fails goes through the others: the one that fails would fail it too. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from barograph_core.keyspace.keys import is_own_service
from barograph_notifier.routing.route import RoutedAlert

# Name of the rule that ships; its alerts name the channel in a label.
DELIVERY_FAILING: Final = "delivery-failing"
CHANNEL_LABEL: Final = "channel"


def failing_channel(alert: RoutedAlert) -> str:
    """Return the channel that ``alert`` is about, empty where it is about none."""
    is_one = alert.rule == DELIVERY_FAILING and is_own_service(alert.service)
    return alert.labels.get(CHANNEL_LABEL, "") if is_one else ""


def through_others(
    alert: RoutedAlert, due: Mapping[str, int], channels: Sequence[str], at_ms: int
) -> Mapping[str, int]:
    """Return ``due``, the channels that routes choose for ``alert``, without the channel that the alert is about.

    Where routes choose no other, every other channel gets it at once. Where there is no other, it stays: the channel
    may be back by then.
    """
    failing = failing_channel(alert)
    if not failing or failing not in due:
        return due
    others = {name: from_ms for name, from_ms in due.items() if name != failing}
    return others or {name: at_ms for name in channels if name != failing} or due
