"""All markers of a service: those that were told, and those that figures show."""

from barograph_console.markers.releases import ReleaseReader
from barograph_console.markers.rows import MarkerRow, told_row
from barograph_console.reading.panes import Reading
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock


class MarkerReader:
    """Reads markers. Keeps the releases of each service for some seconds: they cost a look through all figures."""

    def __init__(self, ports: Ports, clock: Clock) -> None:
        self._told = ports.markers
        self._releases = ReleaseReader(ports.panes, clock)

    def read(self, reading: Reading) -> list[MarkerRow]:
        """Return all markers that are on record, the oldest first."""
        told = [told_row(one) for one in self._told.of(reading.service)]
        return sorted([*told, *self._releases.read(reading)], key=lambda one: (one.at_ms, one.key))
