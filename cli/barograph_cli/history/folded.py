"""What became of a log that was folded."""

from dataclasses import dataclass

from barograph_core.self_metrics import Counters


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of the log of one shard, as counted by one run.

    Attributes:
        entries: Written by this run; one that goes on does not count those before it.
        panes: Closed for the first time, roll-ups too; ``panes_revised`` counts every further closing.
        blocks_dropped: Closed panes that had to go again, to stay within the store's memory.
    """

    entries: int
    events: int
    events_late: int
    entries_dead: int
    panes: int
    panes_revised: int
    series_refused: int
    blocks_dropped: int

    @classmethod
    def of(cls, entries: int, counts: Counters) -> "Folded":
        """Return what ``counts`` of the fold's worker come to."""
        return cls(
            entries=entries,
            events=counts["events_committed"],
            events_late=counts["events_late"],
            entries_dead=counts["entries_dead"],
            panes=counts["panes_closed"],
            panes_revised=counts["panes_revised"],
            series_refused=counts["series_refused"],
            blocks_dropped=counts["blocks_dropped"],
        )
