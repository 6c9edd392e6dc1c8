"""The panes of one service that are held in memory, and from where to where all of them are known."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from barograph_alerter.windows.ring import PaneRing
from barograph_alerter.windows.window import Window
from barograph_core.panes.grouping import Groupings
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step
from barograph_core.store.cover import ceil_to, floor_to
from barograph_core.store.pane_store import PaneStore, StoredPane

# Closed panes that show how many events of a series come.
RECENT_PANES: Final = 10


class StoreTimes(Protocol):
    """What all services of a shard have in common."""

    def whole_from_ms(self, step_ms: int) -> int:
        """Return from where on the server holds all panes of a step: none has expired or was dropped."""
        ...

    def now_ms(self) -> float:
        """Return the monotonic time."""
        ...


class HeldStep:
    """The panes of one step.

    Attributes:
        from_ms: Every pane that begins from here until before ``to_ms`` is known; an absent one is empty.
        checked_ms: Monotonic time of the last comparison of all revisions.
    """

    __slots__ = ("checked_ms", "from_ms", "ring", "to_ms")

    def __init__(self, step_ms: int, at_ms: int, checked_ms: float) -> None:
        self.checked_ms = checked_ms
        self.start_over(step_ms, at_ms)

    def start_over(self, step_ms: int, at_ms: int) -> None:
        """Forget all panes: what lies between them and ``at_ms`` can no longer be read."""
        self.ring = PaneRing(step_ms)
        self.from_ms = self.to_ms = floor_to(at_ms, step_ms)

    def put(self, panes: Sequence[StoredPane]) -> None:
        for stored in panes:
            self.ring.put(stored.start_ms, stored.revision, stored.missing, stored.pane, stored.content)

    def forget_before(self, oldest_ms: int) -> None:
        """Drop the panes that begin before ``oldest_ms``."""
        if self.from_ms < oldest_ms:
            self.ring.forget_before(oldest_ms)
            self.from_ms = ceil_to(min(oldest_ms, self.to_ms), self.ring.step_ms)


class HeldPanes:
    """The panes of one service. Coarse ones, and fine ones of the past, are read when a window asks for them.

    Attributes:
        through_ms: Everything before it is closed.
        read_ms: Monotonic time at which that was read.
        opened: Start of each open pane -> the pane.
        groupings: Of its series, by the labels that rules look at.
    """

    def __init__(
        self, store: PaneStore, service: str, steps: Sequence[Step], through_ms: int, times: StoreTimes, recheck_ms: int
    ) -> None:
        self._store = store
        self._service = service
        self._times = times
        self._recheck_ms = recheck_ms
        self.through_ms = through_ms
        self.read_ms = times.now_ms()
        self.opened: Mapping[int, Pane] = {}
        self.groupings = Groupings()
        self._recent: tuple[int, tuple[Window, ...]] | None = None
        self.steps = [HeldStep(step.step_ms, through_ms, times.now_ms()) for step in steps]

    def recent(self) -> tuple[Window, ...]:
        """Return windows that show how many events come of each series: of the newest closed panes and of the last."""
        if self._recent is None or self._recent[0] != self.through_ms:
            ring = self.base.ring
            spans = (RECENT_PANES * ring.step_ms, ring.step_ms)
            windows = [
                Window(ring.merged(self.through_ms - span, self.through_ms), span, self.groupings) for span in spans
            ]
            self._recent = self.through_ms, tuple(windows)
        return self._recent[1]

    @property
    def base(self) -> HeldStep:
        return self.steps[0]

    @property
    def size(self) -> int:
        """Return the number of panes held ready, their merges among them."""
        return sum(held.ring.size for held in self.steps)

    @property
    def is_empty(self) -> bool:
        """Say whether nothing held has an event."""
        return not self.opened and all(held.ring.is_empty for held in self.steps)

    def known(self, index: int, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Return from where to where every pane of step ``index`` is known, after reading what is needed of it."""
        held = self.steps[index]
        if index == 0:
            self._read_back(held, from_ms)
        else:
            self._read_coarse(held, from_ms, to_ms)
        return held.from_ms, held.to_ms

    def _first_whole(self, held: HeldStep, from_ms: int) -> int:
        step_ms = held.ring.step_ms
        return max(floor_to(from_ms, step_ms), ceil_to(self._times.whole_from_ms(step_ms), step_ms))

    def _read_back(self, held: HeldStep, from_ms: int) -> None:
        """Read panes of the base step from before those that are held: roll-ups of them are late, or were dropped."""
        first_ms = self._first_whole(held, from_ms) if from_ms < held.from_ms else held.from_ms
        if first_ms < held.from_ms:
            held.put(self._store.read(self._service, held.ring.step_ms, first_ms, held.from_ms))
            held.from_ms = first_ms

    def _read_coarse(self, held: HeldStep, from_ms: int, to_ms: int) -> None:
        """Extend what is known of a coarse step, and look for revisions when it grows and now and then."""
        step_ms, now_ms = held.ring.step_ms, self._times.now_ms()
        end_ms = floor_to(self.through_ms, step_ms)
        is_known = held.from_ms <= from_ms and min(to_ms, end_ms) <= held.to_ms
        if is_known and now_ms - held.checked_ms < self._recheck_ms:
            return
        if held.to_ms < self._times.whole_from_ms(step_ms):
            held.start_over(step_ms, end_ms)
        first_ms = held.from_ms if from_ms >= held.from_ms else min(held.from_ms, self._first_whole(held, from_ms))
        # In this order: what is no longer pending when we look is stored when we read.
        pending = self._store.pending_roll_ups(self._service, self.through_ms)
        ring = held.ring
        held.put(self._store.read_changed(self._service, step_ms, first_ms, end_ms, ring.revisions))
        known_to_ms = held.to_ms if held.to_ms > held.from_ms else first_ms
        held.from_ms, held.checked_ms = first_ms, now_ms
        unmade = [floor_to(start, step_ms) for step, start in pending if step <= step_ms]
        # One that is stored already awaits late events only, which then count as not yet here.
        unmade = [start for start in unmade if start >= known_to_ms and start not in ring.revisions]
        held.to_ms = max(known_to_ms, min(unmade, default=end_ms))
