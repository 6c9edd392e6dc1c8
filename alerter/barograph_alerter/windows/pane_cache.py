"""Holds the panes that windows need, for the services judged lately; reads only new and revised ones."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from barograph_alerter.conditions.row import Look
from barograph_alerter.windows.held_panes import RECENT_PANES, HeldPanes
from barograph_alerter.windows.window import Window, ring_spans, window_runs
from barograph_core.clock import Clock
from barograph_core.panes.pane import Pane
from barograph_core.steps import Step
from barograph_core.store.pane_store import PaneStore

# Revisions of panes older than this are read every _RECHECK_MS only, because each costs a look-up on the server.
_RECENT_MS = 15_000
_RECHECK_MS = 10_000
# Producers ship this often: events that came alone are not a rate.
_LEAST_SO_FAR_MS = 250
# How long an answer to "which panes are kept" may be reused.
_KEPT_EVERY_MS = 1_000


class ServicePanes:
    """The closed and the open panes of one service, as of one moment."""

    def __init__(self, steps: Sequence[Step], held: HeldPanes) -> None:
        self._steps = steps
        self._held = held
        self.closed_through_ms = held.through_ms
        self.opened = held.opened

    @property
    def is_empty(self) -> bool:
        """Say whether nothing held has an event."""
        return self._held.is_empty

    def missing(self, start_ms: int) -> int:
        """Return how many instances may lack events in the closed pane at ``start_ms``."""
        return self._held.base.ring.missing.get(start_ms, 0)

    def recent(self, arrived_ms: float) -> Sequence[Window]:
        """Return windows that show at which rate events come of each series.

        Of the newest closed panes, of the last of them, and of the open panes so far.

        Args:
            arrived_ms: The time by which all events have arrived.
        """
        so_far_ms = max(_LEAST_SO_FAR_MS, int(max(arrived_ms, self.closed_through_ms)) - self.closed_through_ms)
        so_far = Window(Pane.merge(list(self.opened.values())), so_far_ms, self._held.groupings)
        return (*self._held.recent(), so_far)

    def windows_at(self, end_ms: int) -> Callable[[Look], Window]:
        """Return a function that gives the windows of the moment ``end_ms``.

        It raises ``WindowNotWholeError`` for a window of which panes are gone or still to be made.
        """
        windows: dict[Look, Window] = {}

        def window_of(look: Look) -> Window:
            if look not in windows:
                windows[look] = self._window(end_ms, look)
            return windows[look]

        return window_of

    def _window(self, end_ms: int, look: Look) -> Window:
        runs = window_runs(end_ms, look, self._steps, self._held)
        rings = {held.ring.step_ms: held.ring for held in self._held.steps}
        panes: list[Pane] = []
        for run in runs:
            until = min(run.to_ms, self.closed_through_ms)
            if until > run.from_ms:
                panes.append(rings[run.step_ms].merged(run.from_ms, until))
        newest = runs[-1]
        panes += [pane for start, pane in self.opened.items() if newest.from_ms <= start < newest.to_ms]
        return Window(Pane.merge(panes), newest.to_ms - runs[0].from_ms, self._held.groupings)


class _StoreTimes:
    """From where on the store holds all panes of each step, asked once a second."""

    def __init__(self, store: PaneStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._whole_from_ms: Mapping[int, int] = {}
        self._due_ms = 0.0

    def now_ms(self) -> float:
        return self._clock.monotonic_ms()

    def whole_from_ms(self, step_ms: int) -> int:
        now = self.now_ms()
        if now >= self._due_ms or not self._whole_from_ms:
            self._whole_from_ms, self._due_ms = self._store.whole_from_ms(), now + _KEPT_EVERY_MS
        return self._whole_from_ms[step_ms]


class PaneCache:
    """Panes by service, ``max_panes`` of all together: beyond that, services are forgotten."""

    def __init__(
        self, store: PaneStore, steps: Sequence[Step], looks: Iterable[Look], *, max_panes: int, clock: Clock
    ) -> None:
        self._store = store
        self._steps = tuple(steps)
        self._spans = ring_spans(looks, steps)
        self._max_panes = max_panes
        self._times = _StoreTimes(store, clock)
        self._services: OrderedDict[str, HeldPanes] = OrderedDict()
        # Where the panes of each service were trimmed last.
        self._trimmed_ms: dict[str, int] = {}
        # Panes held of each service as of then, and of all together.
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._breaks = store.breaks

    @property
    def base_span_ms(self) -> int:
        """Return how far before a moment base panes are needed."""
        return max(self._spans[self._steps[0].step_ms], RECENT_PANES * self._steps[0].step_ms)

    @property
    def reach_ms(self) -> int:
        """Return how long before the newest closed pane a window may end and still find all its panes in the store.

        Older ones would be judged without their expired panes, because a pane that has expired looks empty.
        """
        base = self._steps[0]
        return max(base.step_ms, base.keep_ms - self.base_span_ms)

    def heard_until_ms(self, service: str) -> int:
        """Return until when a producer of ``service`` counts as alive; 0 when none is listed."""
        return self._store.heard_until_ms(service)

    def has_stored(self, service: str) -> bool:
        """Say whether any closed pane of ``service`` is stored: one with events, now or long ago."""
        return self._store.has_blocks(service)

    def missing_instances(self, service: str, end_ms: int, most: int) -> tuple[str, ...]:
        """Return up to ``most`` instances that have not shipped all before ``end_ms``."""
        return self._store.missing_instances(service, end_ms, most)

    def arrived_ms(self, service: str, closed_through_ms: int) -> float:
        """Return the time by which all events of ``service`` have arrived; minus infinity if that is not known."""
        return self._store.arrived_ms(service, closed_through_ms)

    def refresh(
        self, service: str, since_ms: int | None, catch_up_ms: int, revised_from_ms: int | None = None
    ) -> ServicePanes | None:
        """Return the panes of ``service`` as they are now, ``None`` while nothing of it was closed.

        Args:
            service: One service.
            since_ms: The caller will ask for windows that end after this; ``None``: with the newest closed pane.
            catch_up_ms: The caller will ask for no window that ends longer before the newest closed pane.
            revised_from_ms: Start of the oldest pane that is known to be revised.
        """
        asked_ms = since_ms
        if self._store.breaks != self._breaks:
            # After a failover a pane may have closed once more, with other events under the same number.
            for known in list(self._services):
                self._forget(known)
            self._breaks = self._store.breaks
        held = self._services.get(service)
        if held is not None and self._is_outdated(held, since_ms):
            held = None
        if held is None:
            through = self._store.closed_through_ms(service)
            if through is None:
                return None
            held = HeldPanes(self._store, service, self._steps, through, self._times, _RECHECK_MS)
            self._forget(service)
            self._services[service] = held
        self._services.move_to_end(service)
        # Event time: during a backlog the wall clock is ahead, and panes that are judged next would be skipped.
        since_ms = held.through_ms if since_ms is None else max(since_ms, held.through_ms - catch_up_ms)
        needed_ms = min(since_ms, held.through_ms) - self.base_span_ms
        held.known(0, needed_ms, held.through_ms)
        from_ms = self._read_from(held)
        if revised_from_ms is not None:
            from_ms = max(held.base.from_ms, min(from_ms, revised_from_ms))
        view = self._store.read_live(service, from_ms, held.base.ring.known_from(from_ms))
        if view is None:
            self._forget(service)
            return None
        if view.closed_through_ms < held.through_ms:
            # The server lost the newest panes in a failover, or the cursor was set back: what is held is of no use.
            self._forget(service)
            return self.refresh(service, asked_ms, catch_up_ms, revised_from_ms)
        held.base.put(view.closed)
        held.base.to_ms = held.through_ms = view.closed_through_ms
        held.read_ms = self._times.now_ms()
        held.opened = view.opened
        self._trim(service, held, min(needed_ms, view.closed_through_ms - self.base_span_ms))
        return ServicePanes(self._steps, held)

    def _is_outdated(self, held: HeldPanes, since_ms: int | None) -> bool:
        # Other alerters judged it in the meantime: neither the held panes nor those up to there are needed.
        is_past = since_ms is not None and since_ms - self.base_span_ms > held.through_ms
        # Panes that were closed since may have expired already, and would look empty.
        return is_past or self._times.now_ms() - held.read_ms >= self._steps[0].keep_ms

    def _read_from(self, held: HeldPanes) -> int:
        """Return from where on base panes are compared with the server's."""
        base, now = held.base, self._times.now_ms()
        # When an instance that was missing returns, many panes are revised at once.
        if now - base.checked_ms >= _RECHECK_MS or any(base.ring.missing.values()):
            base.checked_ms = now
            return base.from_ms
        return max(base.from_ms, held.through_ms - _RECENT_MS)

    def _trim(self, service: str, held: HeldPanes, oldest_ms: int) -> None:
        trimmed_ms = self._trimmed_ms.get(service)
        if trimmed_ms is not None and trimmed_ms <= oldest_ms < trimmed_ms + _RECHECK_MS:
            # Not at every step, because it visits every held pane.
            return
        self._trimmed_ms[service] = oldest_ms
        held.base.forget_before(oldest_ms)
        for step in held.steps[1:]:
            step.forget_before(held.through_ms - self._spans[step.ring.step_ms])
        if 2 * self._size > self._max_panes:
            # It costs a third of a look, which a few services need not pay.
            for step in held.steps:
                step.ring.pack_before(held.through_ms)
        self._size += held.size - self._sizes.get(service, 0)
        self._sizes[service] = held.size
        self._make_room(service)

    def _make_room(self, newest: str) -> None:
        """Forget services while too many panes are held: those that are judged no more, and else the newest one.

        Where all are judged in turns, and there is no room for all, to forget the one judged longest ago would be to
        forget each just before its turn.
        """
        now = self._times.now_ms()
        while self._size > self._max_panes and len(self._services) > 1:
            oldest = next(iter(self._services))
            is_idle = now - self._services[oldest].read_ms >= _RECHECK_MS
            self._forget(oldest if is_idle else newest)
            if not is_idle:
                return

    def _forget(self, service: str) -> None:
        self._services.pop(service, None)
        self._trimmed_ms.pop(service, None)
        self._size -= self._sizes.pop(service, 0)
