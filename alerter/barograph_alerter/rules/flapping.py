"""Reads when the alerts of a rule count as flapping."""

from typing import Final

from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, MOST_FIRINGS, Flapping
from barograph_core.settings.table_entry import TableEntry

SHORTEST_MS: Final = 10_000
LONGEST_MS: Final = 86_400_000
_WANTED: Final = 'false, or such as { firings = 5, within = "15m", calm = 1 }'


def read_flapping(entry: TableEntry, default: Flapping | None) -> Flapping | None:
    """Return the rule's own, with ``default`` for what it leaves out; ``None``: its alerts never count as flapping."""
    given = entry.flag_or_table("flapping", _WANTED)
    if given is None or given is True:
        return default
    if given is False:
        return None
    base = default or DEFAULT_FLAPPING
    firings = given.whole_number("firings", minimum=2, maximum=MOST_FIRINGS)
    within_ms = given.duration_ms("within", minimum=SHORTEST_MS, maximum=LONGEST_MS)
    calm = given.whole_number("calm", minimum=0, maximum=MOST_FIRINGS - 1)
    given.add_unknown_keys()
    read = Flapping(
        base.firings if firings is None else firings,
        base.within_ms if within_ms is None else within_ms,
        base.calm if calm is None else calm,
    )
    if read.calm >= read.firings:
        given.add_problem("calm", f"{read.calm} firings would end what {read.firings} begin: it must be fewer")
        return default
    return read
