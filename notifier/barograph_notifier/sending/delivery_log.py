"""Counts results of deliveries and logs them."""

import logging
from collections.abc import Sequence
from typing import Final

from barograph_core.workers.counters import MetricName, WorkerCounters
from barograph_notifier.outbox.outbox import Result
from barograph_notifier.outbox.results import DeliveryResult

log = logging.getLogger(__name__)

_COUNTED: Final[dict[Result, MetricName]] = {
    "sent": "deliveries_sent",
    "retry": "deliveries_retried",
    "held": "deliveries_held",
    "dead": "deliveries_dead",
    "suppressed": "deliveries_suppressed",
}
_LEVELS: Final[dict[Result, int]] = {
    "sent": logging.INFO,
    "retry": logging.WARNING,
    "held": logging.INFO,
    "dead": logging.ERROR,
    "suppressed": logging.INFO,
}


class DeliveryLog:
    """Counts and logs for one channel.

    Attributes:
        counters: The channel's figures.
    """

    def __init__(self, channel: str, counters: WorkerCounters) -> None:
        self._channel = channel
        self.counters = counters

    def note(self, deliveries: Sequence[DeliveryResult], are_recorded: Sequence[bool]) -> None:
        """Count and log results of items, and whether each was recorded."""
        for delivery, is_recorded in zip(deliveries, are_recorded, strict=True):
            if not is_recorded:
                self.counters.add("fence_rejections")
                log.warning("delivery.fenced", extra=self._facts(delivery))
                continue
            self.counters.add(_COUNTED[delivery.result])
            if log.isEnabledFor(_LEVELS[delivery.result]):
                log.log(_LEVELS[delivery.result], f"delivery.{delivery.result}", extra=self._facts(delivery))

    def note_digest(self, result: Result, group: str, alerts: int, attempt: int, reason: str) -> None:
        """Count and log what became of a digest."""
        self.counters.add(_COUNTED[result], 1 if result == "retry" else alerts)
        facts = {"channel": self._channel, "group": group, "alerts": alerts, "attempt": attempt, "reason": reason}
        log.log(_LEVELS[result], f"digest.{result}", extra=facts)

    def _facts(self, delivery: DeliveryResult) -> dict[str, object]:
        transition = delivery.item.transition
        return {
            "channel": self._channel,
            "alert_id": transition.alert_id,
            "transition": transition.transition,
            "attempt": delivery.item.attempt,
            "reason": delivery.reason,
        }
