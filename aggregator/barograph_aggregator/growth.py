"""What came on top since it was told last, of totals that only grow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from barograph_core.events_account import EventsAccount
from barograph_core.pipeline_samples import number
from barograph_core.pipeline_status import WorkerStatus
from barograph_core.self_metrics import MetricName

# Counters of all aggregators of the shard.
_COUNTED: Final[tuple[MetricName, ...]] = (
    "events_committed",
    "events_late",
    "fence_rejections",
    "entries_claimed",
    "series_refused",
    "blocks_dropped",
    "loop_errors",
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a shard. They lie on the server as text: another worker tells on from where this one stopped.

    Attributes:
        losses: Of the events stream, by name; empty before the first look at it.
        counts: Worker -> counter -> figure.
    """

    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    counts: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    @classmethod
    def of(cls, account: EventsAccount | None, workers: Sequence[WorkerStatus], before: "Totals") -> "Totals":
        """Return the totals as of now; without an ``account`` the losses are those of ``before``."""
        losses = before.losses
        if account is not None:
            losses = {"entries_lost": account.lost, "events_lost": account.lost_events, "entries_dead": account.dead}
        counts: dict[str, dict[str, float]] = {
            worker.name: {name: number(worker, name) for name in _COUNTED} for worker in workers if worker.facts
        }
        return cls(losses, counts)

    @classmethod
    def parse(cls, text: str) -> "Totals | None":
        """Read what ``to_json`` wrote, ``None`` from anything else."""
        try:
            found: Any = json.loads(text)
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

    def growth_since(self, before: "Totals") -> list[tuple[str, float]]:
        """Return name and growth of each total. Of a worker that was not known before nothing is told."""
        values = [(name, figure - before.losses[name]) for name, figure in self.losses.items() if name in before.losses]
        for name in _COUNTED:
            grown = sum(
                # A worker that has begun anew counts from 0.
                max(0.0, figures[name] - before.counts[worker].get(name, 0.0))
                for worker, figures in self.counts.items()
                if worker in before.counts
            )
            values.append((name, grown))
        return [(name, max(0.0, value)) for name, value in values]
