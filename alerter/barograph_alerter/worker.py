"""The alerter's part of the consumer loop: hints become verdicts, ticks look for what is due by time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_alerter.judge import Judge, Judged
from barograph_alerter.transition_writer import TransitionWriter
from barograph_core.clock import Clock
from barograph_core.consumer import UnreadableEntryError
from barograph_core.errors import MalformedEventError
from barograph_core.keys import is_service_name
from barograph_core.store import PaneStore
from barograph_core.stream import Entry, EntryId

GROUP: Final = "alerter"
# A service whose alerts were not looked at for this long is looked at without a hint.
_IDLE_MS: Final = 1_000
_SWEEP_EVERY_MS: Final = 1_000
# The cursor of an idle service moves this often; an alert can hang on it only after another alerter's death.
_REST_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Seen:
    judged: Judged
    at_ms: float


class AlerterHandler:
    """Turns hints into alert transitions.

    An entry of the metrics stream only says where to look; what is there decides. So a hint handled
    twice, or by two alerters at once, changes nothing: the state is compared and set.
    """

    def __init__(
        self, judge: Judge, writer: TransitionWriter, store: PaneStore, *, base_step_ms: int, clock: Clock
    ) -> None:
        self._judge = judge
        self._writer = writer
        self._store = store
        self._step_ms = base_step_ms
        self._seen: dict[str, _Seen] = {}
        # Monotonic: a wall clock set back must not put services to rest.
        self._clock = clock
        self._sweep_due_ms = 0.0

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Judge every service that ``entries`` name, each once, and acknowledge the entries.

        An entry goes with the last of its services to be judged.
        """
        del is_redelivered  # a hint is a hint
        order: dict[str, int] = {}
        named = [(entry.id, self._services(entry)) for entry in entries]
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
        for service in order:
            self._look_at(service, by_service.get(service, ()))

    def tick(self, now_ms: int) -> None:
        """Look at pending alerts, at alerts that no hint has touched lately, and at cursors left behind."""
        del now_ms
        now = self._clock.monotonic_ms()
        for service, seen in list(self._seen.items()):
            waits = seen.judged.has_pending and self._judge.is_provisional(service)
            if waits or (seen.judged.has_alerts and now - seen.at_ms >= _IDLE_MS):
                self._look_at(service, ())
        if now >= self._sweep_due_ms:
            self._sweep_due_ms = now + _SWEEP_EVERY_MS
            self._sweep()

    def _services(self, entry: Entry) -> list[str]:
        """Return the services to look at because of ``entry``."""
        try:
            kind, names = entry.text("type"), entry.text("service")
        except MalformedEventError as error:
            raise UnreadableEntryError(entry, error.reason) from error
        services = [name for name in names.split(",") if name]
        wrong = [name for name in services if not is_service_name(name)]
        if wrong:
            raise UnreadableEntryError(entry, f"field 'service' names {wrong[0]!r}")
        if kind == "advanced":
            return [service for service in services if self._judge.is_provisional(service)]
        if kind == "closed" and not entry.fields.get(b"start_ms"):
            # A quiet tick: services in which nothing was closed.
            return [service for service in services if not self._rests(service)]
        # Entries of types still to come concern nobody here.
        return services if kind == "closed" else []

    def _rests(self, service: str) -> bool:
        """Say whether a quiet tick can be passed over: thousands of quiet services cost nothing then."""
        seen = self._seen.get(service)
        return seen is not None and seen.judged.is_idle and self._clock.monotonic_ms() - seen.at_ms < _REST_MS

    def _look_at(self, service: str, ids: Sequence[EntryId]) -> None:
        self._seen[service] = _Seen(self._judge.judge(service, ids), self._clock.monotonic_ms())

    def _sweep(self) -> None:
        """Look at services whose hints went to an alerter that died, or were trimmed."""
        through = self._store.services()
        for service in [service for service in self._seen if service not in through]:
            del self._seen[service]
        for service, through_ms in through.items():
            seen = self._seen.get(service)
            closed_at = seen.judged.closed_at_ms if seen else None
            if self._rests(service):
                continue
            # Hints of the last step are on their way; another alerter may have them.
            if closed_at is not None and through_ms - closed_at <= 2 * self._step_ms:
                continue
            state = self._judge.load(service)
            if state.closed_at_ms is None or through_ms - state.closed_at_ms > 2 * self._step_ms:
                self._look_at(service, ())
            else:
                judged = Judged(state.closed_at_ms, bool(state.records), state.has_pending)
                self._seen[service] = _Seen(judged, self._clock.monotonic_ms())
