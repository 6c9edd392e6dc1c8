"""Keeps panes that this worker has packed itself, by their bytes: unpacking them takes ten times as long."""

from typing import Final

from barograph_core.panes.pane import Pane

# Memory of a pane in addition to its bytes: some dozens of small arrays.
_OVERHEAD_BYTES: Final = 8_192
# Memory of an unpacked column as a multiple of its packed bytes.
_UNPACKED_RATIO: Final = 6
MAX_BYTES: Final = 64 * 1_048_576


class PaneMemory:
    """Keeps panes up to a bound of memory; the oldest are dropped first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._panes: dict[bytes, Pane] = {}

    def put(self, blob: bytes, pane: Pane) -> None:
        """Keep ``pane``, which packs to ``blob``."""
        if blob in self._panes:
            return
        self._panes[blob] = pane
        self._bytes += _cost(blob)
        while self._bytes > self._max_bytes:
            oldest = next(iter(self._panes))
            del self._panes[oldest]
            self._bytes -= _cost(oldest)

    def unpack(self, blob: bytes) -> Pane:
        """Return the pane of ``blob``.

        Raises:
            MalformedEventError: ``blob`` is not a packed pane.
        """
        found = self._panes.get(blob)
        return Pane.unpack(blob) if found is None else found


def _cost(blob: bytes) -> int:
    return _OVERHEAD_BYTES + _UNPACKED_RATIO * len(blob)
