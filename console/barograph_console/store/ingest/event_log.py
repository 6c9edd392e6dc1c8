"""The port through which events are appended, and what goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from barograph_core.alerts.actions import Once
from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import Kind

# Bounds of one call; what is over them is refused before.
MOST_EVENTS: Final = 5_000
MOST_SERVICES: Final = 100
# How far ahead of the server's clock an event may be: as far as an aggregator allows unless it is set otherwise.
AHEAD_MS: Final = 600_000
# The allowed lateness where no aggregator has stated its own.
LATENESS_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event, every value checked.

    Attributes:
        at_ms: When it happened.
        labels: As ``encode_batch`` wants them: the kind's own, the status of a request, free ones sorted by name.
        values: One for each measure of the kind, ``None`` where the event has none.
        weight: Number of events that it stands for.
        digest: What makes it the same when it is sent again; empty where nothing does.
    """

    kind: Kind
    service: str
    at_ms: int
    labels: LabelSet
    values: tuple[float | None, ...]
    weight: int = 1
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the events of one call.

    Attributes:
        accepted: Number of events that were appended, by this call or, where it repeats one, by that.
        duplicate: Number of events that had been sent before.
        late: Events older than the allowed lateness, by their positions; ``late_count`` tells how many where a
            repeated call does not say which.
        early: Likewise those too far ahead of the server's clock.
        lateness_ms: The allowed lateness.
        now_ms: The server's time.
    """

    accepted: int = 0
    duplicate: int = 0
    late: Sequence[int] = ()
    early: Sequence[int] = ()
    late_count: int = 0
    early_count: int = 0
    lateness_ms: int = LATENESS_MS
    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class Writing:
    """How events are to be written.

    Attributes:
        sender: Who sends them; stands in the entries.
        once: Of a request that may be sent again.
        is_strict: Write all, or nothing where an event is too old or too far ahead.
    """

    sender: str
    once: Once | None = field(default=None)
    is_strict: bool = False


class EventLog(Protocol):
    """Appends events. May be called from several threads at once."""

    def append(self, events: Sequence[Event], writing: Writing) -> Receipt:
        """Append events, those that were sent before excepted.

        Shard by shard: where the server fails in between, the call is to be made again.

        Raises:
            KeyReusedError: ``once`` stands for another request.
            BarographError: The server is away, full or refuses.
        """
        ...
