"""Keeps panes that were unpacked a moment ago: of the last minute, one in sixty is new each second."""

import threading
from collections import OrderedDict
from typing import Final

from barograph_core.store.pane_store import PackedPane, StoredPane

# Limit of the packed panes that are held. Unpacked they take about ten times as much.
_BOUND_BYTES: Final = 8 * 1_048_576


class PaneMemory:
    """Unpacks panes, and remembers those used last. For any number of threads."""

    def __init__(self, bound_bytes: int = _BOUND_BYTES) -> None:
        self._bound = bound_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, int, int], tuple[bytes, StoredPane]] = OrderedDict()
        self._bytes = 0

    def unpack(self, service: str, step_ms: int, packed: PackedPane) -> StoredPane:
        """Return the pane. One that was revised has other bytes, and is unpacked again.

        Raises:
            MalformedEventError: It is not a packed pane.
        """
        key = (service, step_ms, packed.start_ms)
        with self._lock:
            held = self._held.get(key)
            if held is not None and held[0] == packed.content:
                self._held.move_to_end(key)
                pane = held[1].pane
                return StoredPane(packed.start_ms, packed.revision, packed.missing, pane)
        stored = packed.unpack()
        with self._lock:
            replaced = self._held.pop(key, None)
            self._bytes += len(packed.content) - (0 if replaced is None else len(replaced[0]))
            self._held[key] = packed.content, stored
            while self._bytes > self._bound:
                _, (content, _) = self._held.popitem(last=False)
                self._bytes -= len(content)
        return stored
