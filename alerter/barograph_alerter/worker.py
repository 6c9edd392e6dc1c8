"""The alerter's part of the consumer loop: a hint makes it judge a service, a tick looks for what is due by time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_alerter.judge.judge import Judge, Judged
from barograph_alerter.judge.silence_keeper import SilenceKeeper
from barograph_alerter.judge.standstill import Standstill
from barograph_alerter.states.writer import TransitionWriter
from barograph_core.clock import Clock
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import is_service_name
from barograph_core.server.replies import Entry, EntryId
from barograph_core.store.pane_store import PaneStore
from barograph_core.workers.consumer import UnreadableEntryError

GROUP: Final = "alerter"
# A service with alerts is judged at least this often, also without a hint.
_IDLE_MS: Final = 1_000
_SWEEP_EVERY_MS: Final = 1_000
# The cursor of an idle service moves this often. That matters only if another alerter dies: an alert may then wait
# for it.
_REST_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Seen:
    judged: Judged
    at_ms: float


class AlerterHandler:
    """Turns hints into alert transitions.

    An entry of the metrics stream only names services; the stored panes decide. So a hint that is handled
    twice, or by two alerters at once, changes nothing: the state is compared and set.
    """

    def __init__(
        self,
        judge: Judge,
        writer: TransitionWriter,
        store: PaneStore,
        *,
        base_step_ms: int,
        clock: Clock,
        standstill: Standstill | None = None,
        silences: SilenceKeeper | None = None,
    ) -> None:
        self._judge = judge
        self._writer = writer
        self._store = store
        self._step_ms = base_step_ms
        self._seen: dict[str, _Seen] = {}
        # Monotonic: if the wall clock is set back, services must not count as just judged.
        self._clock = clock
        self._sweep_due_ms = 0.0
        # Services whose open panes are still to be looked at, and from when on there is time for it.
        self._deferred: set[str] = set()
        self._is_free_ms = 0.0
        self._standstill = standstill
        self._silences = silences

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Judge every service that ``entries`` name, each once, and acknowledge the entries.

        An entry is acknowledged with the last of its services to be judged.
        """
        del is_redelivered  # a hint means the same every time
        order: dict[str, int] = {}
        named = [(entry.id, self._services(entry)) for entry in entries]
        revised: dict[str, list[int]] = {}
        for entry in entries:
            start_ms = _revised_start(entry)
            if start_ms is not None:
                revised.setdefault(entry.text("service"), []).append(start_ms)
        for _, services in named:
            for service in services:
                order.setdefault(service, len(order))
        by_service: dict[str, list[EntryId]] = {}
        idle: list[EntryId] = []
        for entry_id, services in named:
            if services:
                by_service.setdefault(max(services, key=order.__getitem__), []).append(entry_id)
            else:
                idle.append(entry_id)
        self._writer.acknowledge(idle)
        began_ms = self._clock.monotonic_ms()
        for service in order:
            self._deferred.discard(service)
            self._look_at(service, by_service.get(service, ()), revised.get(service, ()))
        if all(entry.fields.get(b"type") == b"advanced" for entry in entries):
            self._is_free_ms = 2 * self._clock.monotonic_ms() - began_ms

    def tick(self, now_ms: int) -> None:
        """Judge services with pending alerts, those that had no hint lately, and those whose cursor is behind."""
        del now_ms
        now = self._clock.monotonic_ms()
        if now >= self._is_free_ms:
            deferred, self._deferred = self._deferred, set()
            for service in sorted(deferred):
                self._look_at(service, ())
        for service, seen in list(self._seen.items()):
            waits = seen.judged.has_pending and self._judge.is_provisional(service)
            if waits or (seen.judged.has_alerts and now - seen.at_ms >= _IDLE_MS):
                self._look_at(service, ())
        if now >= self._sweep_due_ms:
            self._sweep_due_ms = now + _SWEEP_EVERY_MS
            self._sweep()
            if self._silences is not None:
                self._silences.look()
        if self._standstill is not None:
            self._standstill.look()

    def _services(self, entry: Entry) -> list[str]:
        """Return the services to judge because of ``entry``."""
        try:
            kind, names = entry.text("type"), entry.text("service")
        except MalformedEventError as error:
            raise UnreadableEntryError(entry, error.reason) from error
        services = [name for name in names.split(",") if name]
        wrong = [name for name in services if not is_service_name(name)]
        if wrong:
            raise UnreadableEntryError(entry, f"field 'service' names {wrong[0]!r}")
        if kind == "advanced":
            provisional = [service for service in services if self._judge.is_provisional(service)]
            # Errors are what rules wait for most.
            return self._defer(provisional) if entry.fields.get(b"errors") == b"0" else provisional
        if kind == "closed" and not entry.fields.get(b"start_ms"):
            # A quiet tick: it lists services without a new pane.
            return [service for service in services if not self._rests(service)]
        # Entries of types that newer versions add are ignored.
        return services if kind == "closed" else []

    def _defer(self, services: list[str]) -> list[str]:
        """Return ``services``, or none while looks take more than half of the time: a tick makes up for it."""
        if self._clock.monotonic_ms() >= self._is_free_ms:
            return services
        self._deferred.update(services)
        return []

    def _rests(self, service: str) -> bool:
        """Say whether a quiet tick can be ignored, so that thousands of quiet services cost nothing."""
        seen = self._seen.get(service)
        return seen is not None and seen.judged.is_idle and self._clock.monotonic_ms() - seen.at_ms < _REST_MS

    def _look_at(self, service: str, ids: Sequence[EntryId], revised: Sequence[int] = ()) -> None:
        self._seen[service] = _Seen(self._judge.judge(service, ids, revised), self._clock.monotonic_ms())

    def _sweep(self) -> None:
        """Judge services whose hints went to an alerter that died, or were trimmed."""
        through = self._store.services()
        for service in [service for service in self._seen if service not in through]:
            del self._seen[service]
        for service, through_ms in through.items():
            seen = self._seen.get(service)
            closed_at = seen.judged.closed_at_ms if seen else None
            if self._rests(service):
                continue
            # Hints of the last step may not have arrived yet, or another alerter may have them. But alerts are pushed
            # without hints: what was seen long ago may have some by now.
            is_fresh = seen is not None and self._clock.monotonic_ms() - seen.at_ms < _REST_MS
            if is_fresh and closed_at is not None and through_ms - closed_at <= 2 * self._step_ms:
                continue
            state = self._judge.load(service)
            if state.closed_at_ms is None or through_ms - state.closed_at_ms > 2 * self._step_ms:
                self._look_at(service, ())
            else:
                judged = Judged(state.closed_at_ms, not state.is_empty, state.has_pending)
                self._seen[service] = _Seen(judged, self._clock.monotonic_ms())


def _revised_start(entry: Entry) -> int | None:
    """Return the start of the pane that the hint says was revised; ``None`` for any other hint."""
    start, revision = entry.fields.get(b"start_ms", b""), entry.fields.get(b"revision", b"0")
    is_revised = entry.fields.get(b"type") == b"closed" and start.isdigit() and revision.isdigit() and int(revision) > 0
    return int(start) if is_revised else None
