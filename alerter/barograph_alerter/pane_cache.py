"""Holds the panes that windows need, for the services judged of late; reads only what is new or was revised."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from barograph_alerter.ring import PaneRing
from barograph_alerter.windows import Window, ring_spans, segments
from barograph_core.clock import Clock
from barograph_core.errors import PanesDroppedError
from barograph_core.pane import Pane
from barograph_core.steps import Step
from barograph_core.store import PaneStore

# Revisions of panes older than this are looked for every _RECHECK_MS only: asking for each costs.
_RECENT_MS = 15_000
_RECHECK_MS = 10_000
# Panes are dropped some minutes after the newest, and a window reads what it is judged by within this time.
_KEPT_EVERY_MS = 1_000


@dataclass(slots=True)
class _Held:
    """The panes of one service.

    Attributes:
        rings: By step.
        oldest_ms: Every base pane from here to ``through_ms`` is known.
        through_ms: ``closed_through_ms`` as last read.
        checked_ms: Monotonic time at which all revisions were last compared.
        is_new: Whether it was never counted towards the bound.
        coarse_ms: Coarse step -> the span that was read.
        base_from_ms: Some base panes before it had been dropped to make room when they were read.
    """

    rings: dict[int, PaneRing]
    oldest_ms: int
    through_ms: int
    checked_ms: float
    is_new: bool = True
    coarse_ms: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    base_from_ms: int = 0


class ServicePanes:
    """What is closed and what is open of one service, as of one moment."""

    def __init__(
        self,
        steps: Sequence[Step],
        rings: Mapping[int, PaneRing],
        closed_through_ms: int,
        opened: Mapping[int, Pane],
        read_coarse: Callable[[int, int, int], None],
        base_from_ms: int,
    ) -> None:
        self._steps = steps
        self._base_from_ms = base_from_ms
        self._rings = rings
        self._read_coarse = read_coarse
        self.closed_through_ms = closed_through_ms
        self.opened = opened

    @property
    def is_empty(self) -> bool:
        """Say whether nothing held has an event."""
        return not self.opened and all(ring.is_empty for ring in self._rings.values())

    def missing(self, start_ms: int) -> int:
        """Return how many instances may lack events in the closed pane at ``start_ms``."""
        return self._rings[self._steps[0].step_ms].missing.get(start_ms, 0)

    def windows_ending_at(self, end_ms: int) -> Callable[[int], Window]:
        """Return a function from a span in ms to the window of that span that ends at ``end_ms``."""
        windows: dict[int, Window] = {}

        def window_of(window_ms: int) -> Window:
            if window_ms not in windows:
                windows[window_ms] = self._window(end_ms, window_ms)
            return windows[window_ms]

        return window_of

    def _window(self, end_ms: int, window_ms: int) -> Window:
        parts = segments(end_ms, window_ms, self._steps)
        panes: list[Pane] = []
        for part in parts:
            if part.step_ms != self._steps[0].step_ms:
                self._read_coarse(part.step_ms, part.from_ms, part.to_ms)
            elif part.from_ms < min(self._base_from_ms, part.to_ms):
                raise PanesDroppedError(part.step_ms, self._base_from_ms)
            until = min(part.to_ms, self.closed_through_ms)
            if until > part.from_ms:
                panes.append(self._rings[part.step_ms].merged(part.from_ms, until))
        newest = parts[-1]
        panes += [pane for start, pane in self.opened.items() if newest.from_ms <= start < end_ms]
        return Window(Pane.merge(panes), end_ms - parts[0].from_ms)


class PaneCache:
    """Panes by service; the services judged longest ago are forgotten beyond ``max_panes``."""

    def __init__(
        self, store: PaneStore, steps: Sequence[Step], windows_ms: Sequence[int], *, max_panes: int, clock: Clock
    ) -> None:
        self._store = store
        self._steps = tuple(steps)
        self._spans = ring_spans(windows_ms, steps)
        self._max_panes = max_panes
        self._clock = clock
        self._services: OrderedDict[str, _Held] = OrderedDict()
        self._kept_from_ms: Mapping[int, int] = {}
        self._kept_due_ms = 0.0

    @property
    def base_span_ms(self) -> int:
        """Return how far before a moment base panes are looked at."""
        return self._spans[self._steps[0].step_ms]

    @property
    def reach_ms(self) -> int:
        """Return how long before the newest closed pane a window may end and still find all its panes in the store.

        Older ones would be judged by what is left of them: a pane that has expired looks like an empty one.
        """
        base = self._steps[0]
        return max(base.step_ms, base.keep_ms - self.base_span_ms)

    def refresh(self, service: str, since_ms: int | None, catch_up_ms: int) -> ServicePanes | None:
        """Return the panes of ``service`` as they are now, ``None`` while nothing of it was closed.

        Args:
            service: One service.
            since_ms: Windows that end after this will be asked for; ``None``: with the newest closed pane.
            catch_up_ms: None will be asked for that ends longer before the newest closed pane.
        """
        held = self._services.get(service)
        if held is not None and since_ms is not None and since_ms - self.base_span_ms > held.through_ms:
            # Others judged it meanwhile: nothing held is needed, nor all that lies in between.
            held = None
        if held is None:
            through = self._store.closed_through_ms(service)
            if through is None:
                return None
            held = self._begin(through)
            self._services[service] = held
        self._services.move_to_end(service)
        base = held.rings[self._steps[0].step_ms]
        # By the panes' own time: a clock that runs ahead of a backlog would leave out what is judged next.
        since_ms = held.through_ms if since_ms is None else max(since_ms, held.through_ms - catch_up_ms)
        needed_ms = min(since_ms, held.through_ms) - self.base_span_ms
        from_ms = self._read_from(held, needed_ms)
        if from_ms < min(held.oldest_ms, kept_from_ms := self._kept_from(self._steps[0].step_ms)):
            held.base_from_ms = kept_from_ms
        view = self._store.read_live(service, from_ms, base.known_from(from_ms))
        if view is None:
            del self._services[service]
            return None
        for stored in view.closed:
            base.put(stored.start_ms, stored.revision, stored.missing, stored.pane)
        held.oldest_ms = min(held.oldest_ms, from_ms)
        held.through_ms = view.closed_through_ms
        self._trim(held, min(needed_ms, view.closed_through_ms - self.base_span_ms))

        def read_coarse(step_ms: int, from_ms: int, to_ms: int) -> None:
            self._read_coarse(service, held, step_ms, from_ms, to_ms)

        return ServicePanes(
            self._steps, held.rings, view.closed_through_ms, view.opened, read_coarse, held.base_from_ms
        )

    def _kept_from(self, step_ms: int) -> int:
        now = self._clock.monotonic_ms()
        if now >= self._kept_due_ms:
            self._kept_from_ms, self._kept_due_ms = self._store.kept_from_ms(), now + _KEPT_EVERY_MS
        return self._kept_from_ms.get(step_ms, 0)

    def _begin(self, through_ms: int) -> _Held:
        rings = {step_ms: PaneRing(step_ms) for step_ms in self._spans}
        return _Held(rings, through_ms, through_ms, self._clock.monotonic_ms())

    def _read_from(self, held: _Held, needed_ms: int) -> int:
        now = self._clock.monotonic_ms()
        if needed_ms < held.oldest_ms:
            return needed_ms
        if now - held.checked_ms >= _RECHECK_MS or self._lacks_instances(held):
            held.checked_ms = now
            return held.oldest_ms
        return max(held.oldest_ms, held.through_ms - _RECENT_MS)

    def _lacks_instances(self, held: _Held) -> bool:
        """Say whether a pane held lacks an instance: when that is back, revisions come in any number at once."""
        return any(held.rings[self._steps[0].step_ms].missing.values())

    def _read_coarse(self, service: str, held: _Held, step_ms: int, from_ms: int, to_ms: int) -> None:
        """Read the whole range anew each time a coarse pane is added: that finds its revisions too."""
        known_from_ms, known_to_ms = held.coarse_ms.get(step_ms, (to_ms, from_ms))
        if known_from_ms <= from_ms and to_ms <= known_to_ms:
            return
        if from_ms < min(known_from_ms, kept_from_ms := self._kept_from(step_ms)):
            raise PanesDroppedError(step_ms, kept_from_ms)
        ring = held.rings[step_ms]
        for stored in self._store.read(service, step_ms, from_ms, to_ms):
            if ring.revisions.get(stored.start_ms) != stored.revision:
                ring.put(stored.start_ms, stored.revision, stored.missing, stored.pane)
        held.coarse_ms[step_ms] = (min(from_ms, known_from_ms), max(to_ms, known_to_ms))

    def _trim(self, held: _Held, oldest_ms: int) -> None:
        if held.oldest_ms <= oldest_ms < held.oldest_ms + _RECHECK_MS and not held.is_new:
            # Not at every step: it walks through all that is held.
            return
        held.is_new = False
        held.oldest_ms = max(held.oldest_ms, oldest_ms)
        base_step_ms = self._steps[0].step_ms
        for step_ms, ring in held.rings.items():
            ring.forget_before(held.oldest_ms if step_ms == base_step_ms else held.through_ms - self._spans[step_ms])
        panes = sum(len(ring) for other in self._services.values() for ring in other.rings.values())
        while panes > self._max_panes and len(self._services) > 1:
            _, forgotten = self._services.popitem(last=False)
            panes -= sum(len(ring) for ring in forgotten.rings.values())
