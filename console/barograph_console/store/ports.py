"""What the console needs of the store, as protocols. Every method may be called from several threads at once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from barograph_console.store.ingest.event_log import EventLog
from barograph_core.access.session import Session
from barograph_core.access.token import Token
from barograph_core.alerts.actions import Applied, Once
from barograph_core.alerts.by_hand import HandChange
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.transition import Transition
from barograph_core.events.kinds import Kind, Labels
from barograph_core.markers.marker import Marker
from barograph_core.matching.label_matcher import match_every
from barograph_core.pipeline.channel_tests import ChannelTest, TriedMessage
from barograph_core.pipeline.deliveries import DeliveryPage
from barograph_core.pipeline.status import PipelineStatus, ServiceProducers
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.pushed.pushing import RefusedPush
from barograph_core.server.replies import EntryId
from barograph_core.silences.entry import SilenceEntry
from barograph_core.silences.silence import Silence
from barograph_core.silences.store import HeldSilence
from barograph_core.steps import Step
from barograph_core.store.figure_store import FigureRange
from barograph_core.store.figures import Figures
from barograph_core.store.pane_store import PackedPane, StoredPane


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """An entry of the alerts stream with its id."""

    id: EntryId
    transition: Transition


@dataclass(frozen=True, slots=True)
class SilenceChange:
    """An entry of the alerts stream about a silence, with its id; it stands on every shard."""

    id: EntryId
    entry: SilenceEntry


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Entries, newest first, and the id before which the next page begins (``None``: there is none).

    Attributes:
        silences: Changes of silences within the time of the page, newest first.
    """

    entries: tuple[AlertEntry, ...]
    next_before: EntryId | None
    silences: tuple[SilenceChange, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which entries of the alerts stream are wanted; an empty text is any."""

    rule: str = ""
    alert_id: str = ""
    actor: str = ""
    from_ms: int = 0

    def fits(self, transition: Transition) -> bool:
        """Return whether ``transition`` is wanted."""
        return (
            self.rule in ("", transition.rule)
            and self.alert_id in ("", transition.alert_id)
            and self.actor in ("", transition.actor)
        )

    def fits_silence(self, entry: SilenceEntry, service: str) -> bool:
        """Return whether a change of a silence is wanted: one that may mute alerts of ``service``, empty for any."""
        by_service = (one for one in entry.matchers if one.name == "service")
        is_about = not service or match_every(by_service, {"service": service})
        return not self.rule and not self.alert_id and self.actor in ("", entry.actor) and is_about


EVERY_ENTRY = HistoryFilter()


@dataclass(frozen=True, slots=True)
class EpisodeCounts:
    """How many alerts fired and resolved in a span. ``is_capped``: there were more than are counted."""

    fired: int
    resolved: int
    is_capped: bool


@dataclass(frozen=True, slots=True)
class ReadinessProblem:
    """Why the console is not ready.

    Attributes:
        kind: ``gone`` (cannot be reached), ``refuses`` (answers, but takes no writes), ``no_library``, ``evicts``
            (drops keys when its memory is full), ``ids_ahead``, ``no_aggregator`` (nothing closes panes) or ``stuck``
            (something does not close).
        reason: As ``StreamUnavailableError.reason``; ``can_evict`` for ``evicts``, and the kind for those after it.
    """

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaneClosed:
    """A service is closed through ``through_ms`` now.

    Attributes:
        revised_ms: Start of a pane that was closed again with late events; ``None`` for the newest pane.
    """

    service: str
    through_ms: int
    revised_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SilenceChanged:
    """A silence was added, changed or ended. Each shard says so by itself: a silence lies on all of them."""

    entry: SilenceEntry


@dataclass(frozen=True, slots=True)
class ChangesMissed:
    """Changes may have gone unread: the server was away. What is known has to be read again."""


@dataclass(frozen=True, slots=True)
class MarkerTold:
    """Somebody told what they did to a service."""

    marker: Marker


Change = PaneClosed | AlertEntry | MarkerTold | SilenceChanged | ChangesMissed


class Retention(NamedTuple):
    """How far back panes are kept.

    Attributes:
        present_ms: The moment from which it counts: the clock's, or the end of the log that the prefix was rebuilt of.
        steps: The steps of the store, each with how far back from there all panes are kept.
    """

    present_ms: int
    steps: Sequence[Step]


class PaneSource(Protocol):
    def retention(self, service: str, now_ms: int) -> Retention:
        """Return how far back all panes of ``service`` are kept, seen from the clock's ``now_ms``."""
        ...

    def services(self) -> dict[str, int]:
        """Return every service with its ``closed_through_ms``."""
        ...

    def pending_roll_ups(self, service: str, through_ms: int) -> Sequence[tuple[int, int]]:
        """Return step and start of each roll-up of ``service`` that ends by ``through_ms`` and is still to be made."""
        ...

    def settled_ms(self, service: str) -> int | None:
        """Return the time before which no pane of ``service`` is revised any more; ``None`` where no one knows it."""
        ...

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[StoredPane]:
        """Return the closed panes that begin in ``[from_ms, to_ms)``; empty ones may be absent."""
        ...

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> Sequence[StoredPane]:
        """Return what ``read`` does, without the panes of which ``known`` (start -> revision) has the revision."""
        ...

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[PackedPane]:
        """Return what ``read`` does, as it lies on the server."""
        ...

    def unpack(self, service: str, step_ms: int, packed: PackedPane) -> StoredPane:
        """Return a pane that ``read_packed`` returned; those that were used last are remembered.

        Raises:
            MalformedEventError: It is not a packed pane.
        """
        ...

    def series(self, where: FigureRange, kind: str) -> Sequence[Labels]:
        """Return every series of ``kind`` that may have figures in the range, which is of a roll-up."""
        ...

    def figures(self, where: FigureRange, kind: Kind, measure: int, series: Sequence[Labels]) -> tuple[Figures, int]:
        """Return the figures of ``series`` in the range, and the most instances missing from a pane of it."""
        ...


class AlertBook(Protocol):
    def records(self, services: Sequence[str]) -> list[AlertRecord]:
        """Return the alerts of these services that are not inactive."""
        ...

    def find(self, alert_id: str) -> AlertRecord | None:
        """Return the state of one alert, ``None`` when it is inactive."""
        ...

    def quiet_until(self, service: str, alert_id: str) -> int | None:
        """Return when the cooldown of an alert ends, in ms of the server's clock; ``None`` when there is none."""
        ...

    def deliveries(
        self, *, transitions: Collection[str] | None, channel: str, before: EntryId | None, limit: int
    ) -> DeliveryPage:
        """Return up to ``limit`` deliveries, of some transitions and one channel if these are given."""
        ...

    def history(
        self, *, before: EntryId | None, limit: int, service: str, only: HistoryFilter = EVERY_ENTRY
    ) -> HistoryPage:
        """Return up to ``limit`` entries older than ``before``, of one service unless ``service`` is empty.

        Entries of several shards may have the same id. Those with the last one of a page all stand on it, beyond
        ``limit`` if need be.
        """
        ...

    def between(self, service: str, from_ms: int, to_ms: int) -> list[AlertEntry]:
        """Return the entries of one service written in ``[from_ms, to_ms)``, the oldest first.

        Only the newest are returned where there are more than a bound of entries to read.
        """
        ...

    def count_since(self, from_ms: int) -> EpisodeCounts: ...

    def change(self, alert_id: str, decide: Callable[[AlertRecord], HandChange], once: Once | None) -> Applied:
        """Change an alert as a person asks; with ``once``, however often they ask.

        Raises:
            AlertNotFoundError: There is no such alert.
            AlertStateError: It is in another state.
            AlertConflictError: Others changed its service's state again and again.
            KeyReusedError: ``once`` stands for another request.
        """
        ...


class PipelineSource(Protocol):
    def read(self) -> list[PipelineStatus]:
        """Return the status of each shard."""
        ...

    def producers_of(self, services: Sequence[str]) -> dict[str, ServiceProducers]: ...


class AccessSource(Protocol):
    """Tokens and sessions, as ``barograph_core.access.access_store`` keeps them."""

    def tokens(self) -> Sequence[Token]: ...

    def note_use(self, token_id: str, day: str) -> None: ...

    def session(self, digest: str) -> Session | None: ...

    def begin_session(self, digest: str, session: Session, now_ms: int) -> None: ...

    def prolong_session(self, digest: str, session: Session, now_ms: int) -> None: ...

    def end_session(self, digest: str) -> None: ...


class RuleSource(Protocol):
    def read(self) -> PublishedRules | None:
        """Return the rules in force as an alerter published them; ``None`` where none can be read."""
        ...


class SilenceSource(Protocol):
    """Silences, as ``barograph_core.silences.book`` keeps them: its methods raise what those of the same name do."""

    def all(self) -> list[HeldSilence]: ...

    def meant(self, silence: Silence) -> list[AlertRecord]: ...

    def add(self, draft: Silence, once: Once | None = None) -> Silence: ...

    def change(self, silence_id: str, draft: Silence, once: Once | None = None) -> Silence: ...

    def end(self, silence_id: str, *, actor: str, note: str, once: Once | None = None) -> Silence: ...


class PushTarget(Protocol):
    def push(self, alerts: Sequence[PushedAlert]) -> list[RefusedPush]:
        """Take alerts that another program pushes; return those that are refused."""
        ...


class MarkerBook(Protocol):
    """What people and their tools did to services, as ``barograph_core.markers.store`` keeps it."""

    def of(self, service: str) -> list[Marker]:
        """Return the markers of a service, the oldest first."""
        ...

    def add(self, marker: Marker) -> Marker:
        """Write a marker once for each key; return the one that holds the key.

        Raises:
            KeyReusedError: The key stands for another marker.
        """
        ...


class ChannelTester(Protocol):
    """Tests of channels, as ``barograph_core.pipeline.channel_tests`` has them."""

    def ask(self, test: ChannelTest) -> bool: ...

    def answer_to(self, test_id: str) -> list[TriedMessage] | None: ...


class HealthProbe(Protocol):
    def problems(self) -> list[ReadinessProblem]:
        """Return why requests would fail, or find figures that stand still; empty when all is well."""
        ...


class ChangeStream(Protocol):
    """The changes of one shard, in order. For one thread."""

    def read(self, wait_ms: int) -> Sequence[Change]:
        """Return what changed since the last call, or since the stream was opened; wait for it at most ``wait_ms``."""
        ...

    def close(self) -> None: ...


class ChangeSource(Protocol):
    def shards(self) -> Sequence[str]:
        """Return the name of each shard."""
        ...

    def open(self, shard: str) -> ChangeStream:
        """Begin with what changes from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The store as the console sees it."""

    panes: PaneSource
    alerts: AlertBook
    pipeline: PipelineSource
    health: HealthProbe
    access: AccessSource
    rules: RuleSource
    silences: SilenceSource
    pushes: PushTarget
    markers: MarkerBook
    events: EventLog
    channels: ChannelTester
