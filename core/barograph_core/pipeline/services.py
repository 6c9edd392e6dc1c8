"""What is known of each service beyond its producers: totals that outlive them, and revisions that wait."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from barograph_core.keyspace.keys import parse_pane_member
from barograph_core.server.foreign_replies import as_count
from barograph_core.text.one_line import one_line

_DROPPED: Final = "dropped:"
# Limit of the fields that are read; baro_append_1 writes no more.
_MOST_FIELDS: Final = 100


@dataclass(frozen=True, slots=True)
class ServiceTotals:
    """One service over all of its producers, those that said goodbye and those that died included.

    Attributes:
        dropped: Events that producers reported as dropped, by reason.
        late: Events beyond the allowed lateness.
        future: Events too far ahead of the server's clock.
        duplicates: Batches that were offered again although they were here, and were refused.
        shared_names: How often a producer found that another process sends under its name.
        open_revisions: Closed panes that have received late events and wait to be closed again.
    """

    service: str
    dropped: Mapping[str, int]
    late: int
    future: int
    duplicates: int
    shared_names: int
    open_revisions: int


def parse_totals(service: str, totals: Mapping[str, bytes], open_revisions: int) -> ServiceTotals:
    """Read the hash of a service's totals; figures that are no whole numbers count as none."""
    counts = {one_line(field): as_count(value) for field, value in islice(totals.items(), _MOST_FIELDS)}
    return ServiceTotals(
        service=service,
        dropped={
            field.removeprefix(_DROPPED): count for field, count in sorted(counts.items()) if field.startswith(_DROPPED)
        },
        late=counts.get("late", 0),
        future=counts.get("future", 0),
        duplicates=counts.get("duplicates", 0),
        shared_names=counts.get("shared_names", 0),
        open_revisions=open_revisions,
    )


def count_revisions(members: Iterable[str], closed: Mapping[str, int]) -> Counter[str]:
    """Count the open panes by service that end before the newest closed pane of their service."""
    counts = Counter[str]()
    for member in members:
        try:
            service, step_ms, start_ms = parse_pane_member(member)
        except ValueError:
            continue
        counts[service] += start_ms + step_ms <= closed.get(service, 0)
    return counts
