"""How much totals that only grow have grown since they were last reported."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from barograph_core.panes.self_values import SelfValue
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.samples import number
from barograph_core.pipeline.status import WorkerStatus
from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.workers.counters import MetricName

# Stage -> counters that are added up over all its workers of the shard.
_COUNTED: Final[Mapping[str, tuple[MetricName, ...]]] = {
    "aggregator": (
        "events_committed",
        "events_late",
        "fence_rejections",
        "entries_claimed",
        "series_refused",
        "blocks_dropped",
        "loop_errors",
    ),
    "alerter": ("evaluation_errors",),
    "notifier": (),
}
# Counters of notifiers, which report for each channel: an alert about one of them must not go through it.
_OF_CHANNELS: Final[tuple[MetricName, ...]] = ("deliveries_dead", "deliveries_retried")
_STAGE_COUNTERS: Final[Mapping[str, tuple[MetricName, ...]]] = {**_COUNTED, "notifier": _OF_CHANNELS}
_CHANNEL: Final = "channel"


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a shard. They are stored on the server, so that another worker continues where this one stopped.

    Attributes:
        losses: Losses of the events stream by name; empty before the first check of the stream.
        counts: Worker -> counter -> figure.
    """

    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    @classmethod
    def of(cls, account: EventsAccount | None, workers: Sequence[WorkerStatus], before: "Totals") -> "Totals":
        """Return the current totals. Without an ``account``, the losses are those of ``before``."""
        losses = before.losses
        if account is not None:
            losses = {"entries_lost": account.lost, "events_lost": account.lost_events, "entries_dead": account.dead}
        counts: dict[str, dict[str, float]] = {
            f"{worker.stage}:{worker.name}": {name: number(worker, name) for name in _STAGE_COUNTERS[worker.stage]}
            for worker in workers
            if worker.facts and worker.stage in _COUNTED
        }
        return cls(losses, counts)

    @classmethod
    def parse(cls, text: str) -> "Totals | None":
        """Parse a text written by ``to_json``; return ``None`` for any other text."""
        try:
            found: Any = load_foreign_json(text)
            losses = {str(name): float(figure) for name, figure in found["losses"].items()}
            counts = {
                str(worker): {str(name): float(figure) for name, figure in figures.items()}
                for worker, figures in found["counts"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return cls(losses, counts)

    def to_json(self) -> str:
        return json.dumps({"losses": self.losses, "counts": self.counts}, separators=(",", ":"))

    def growth_since(self, before: "Totals") -> list[SelfValue]:
        """Return the growth of each total. A worker that was not known before adds nothing."""
        values = [
            SelfValue(name, max(0.0, figure - before.losses[name]))
            for name, figure in self.losses.items()
            if name in before.losses
        ]
        names = chain.from_iterable(_COUNTED.values())
        values += [SelfValue(name, sum(self._grown(name, before).values())) for name in names]
        for name in _OF_CHANNELS:
            by_channel: dict[str, float] = {}
            for worker, grown in self._grown(name, before).items():
                # Notifiers report as `notifier:<process>:<channel>`.
                channel = worker.rpartition(":")[2]
                by_channel[channel] = by_channel.get(channel, 0.0) + grown
            values += [SelfValue(name, grown, (_CHANNEL, channel)) for channel, grown in sorted(by_channel.items())]
        return values

    def _grown(self, name: str, before: "Totals") -> dict[str, float]:
        """Return by how much a counter has grown, by worker."""
        return {
            # A restarted worker counts from 0.
            worker: max(0.0, figures[name] - before.counts[worker].get(name, 0.0))
            for worker, figures in self.counts.items()
            if name in figures and worker in before.counts
        }
