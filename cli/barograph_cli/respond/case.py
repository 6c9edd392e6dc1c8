"""Everything that is on record about alerts: what they are, who looks after them, what mutes them, what was sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from barograph_cli.failure import USAGE, CommandError
from barograph_core.alerts.reading import read_states, read_transitions
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import Transition
from barograph_core.keyspace.layout import Layout
from barograph_core.matching.label_matcher import LabelMatcher, match_every
from barograph_core.matching.matcher import MatcherError
from barograph_core.pipeline.deliveries import Delivery, next_end_ms, scan_deliveries
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_bytes, as_list
from barograph_core.silences.book import SilenceBook
from barograph_core.silences.silence import Silence, labels_of

# Deliveries of one episode that are looked for.
_DELIVERIES = 500


@dataclass(frozen=True, slots=True)
class Case:
    """What is on record about the present episode of one alert.

    Attributes:
        silences: Those that mute it now.
        transitions: Entries of the alerts stream about the episode, the oldest first.
        deliveries: What channels did with them, the oldest first.
        quiet_until_ms: When the first cooldown ends that holds a reminder back; ``None``: none does.
    """

    record: AlertRecord
    silences: Sequence[Silence]
    transitions: Sequence[Transition]
    deliveries: Sequence[Delivery]
    quiet_until_ms: int | None


class Cases:
    """Finds alerts on all shards."""

    def __init__(self, connection: Connection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout
        self.now_ms = read_now(connection)
        held = [one.silence for one in SilenceBook(connection, layout).all()]
        self._silences = [one for one in held if one.state_at(self.now_ms) == "active"]

    def records(self, matchers: Sequence[LabelMatcher] = ()) -> list[AlertRecord]:
        """Return the alerts that are pending or firing and that ``matchers`` mean; firing and the worst first."""
        found = [
            record
            for keys in self._layout.shards
            for state in read_states(self._connection, keys)
            for record in state.records.values()
            if record.is_active and match_every(matchers, labels_of(record))
        ]
        return sorted(found, key=_worst_first)

    def beginning(self, begin: str) -> list[AlertRecord]:
        """Return the alerts that are pending or firing and whose ids begin so."""
        return [record for record in self.records() if record.alert_id.startswith(begin)]

    def named(self, names: Sequence[str]) -> list[AlertRecord]:
        """Return the alerts with these ids, or whose ids begin so.

        Raises:
            CommandError: One is not there, or several begin so.
        """
        active = self.records()
        return [_named(active, name) for name in names]

    def silences_of(self, record: AlertRecord) -> list[Silence]:
        """Return the silences that mute an alert now."""
        return [one for one in self._silences if one.mutes(labels_of(record))]

    def case(self, record: AlertRecord) -> Case:
        """Read everything about one alert."""
        keys = self._layout.keys_of(record.service)
        entries = read_transitions(self._connection, keys, alert_id=record.alert_id)
        own = [one for one in entries[::-1] if one.episode_ms == record.episode_ms]
        page = scan_deliveries(
            self._connection,
            keys,
            transitions={one.transition for one in own},
            channel="",
            before=None,
            limit=_DELIVERIES,
        )
        quiet = map(as_bytes, as_list(self._connection.command("HVALS", keys.quiet(record.alert_id))))
        is_held_back = record.state is AlertState.FIRING and not record.is_announced
        quiet_until_ms = next_end_ms(quiet, self.now_ms) if is_held_back else None
        return Case(record, self.silences_of(record), own, page.deliveries[::-1], quiet_until_ms)

    def last_of_rule(self, rule: str, service: str) -> Transition | None:
        """Return the newest entry about any alert of a rule; ``None`` when there is none."""
        shards = [self._layout.keys_of(service)] if service else self._layout.shards
        newest = [one for keys in shards for one in read_transitions(self._connection, keys, rule=rule)[:1]]
        return max(newest, key=lambda one: one.at_ms, default=None)


def parse_matchers(texts: Iterable[str]) -> list[LabelMatcher]:
    """Read matchers of a command line; a text without an operator is the name of a rule.

    Raises:
        CommandError: One cannot be read.
    """
    try:
        return [LabelMatcher.parse(text if "=" in text or "!" in text else f"rule={text}") for text in texts]
    except MatcherError as error:
        raise CommandError(str(error), USAGE) from error


def _named(active: Sequence[AlertRecord], name: str) -> AlertRecord:
    found = [record for record in active if record.alert_id.startswith(name)] if name else []
    if not found:
        raise CommandError(f"no alert {name!r} is pending or firing; `barograph alert list` names them")
    if len(found) > 1:
        ids = ", ".join(record.alert_id for record in found[:5])
        raise CommandError(f"{name!r} begins several ids: {ids}", USAGE)
    return found[0]


def _worst_first(record: AlertRecord) -> tuple[bool, int, int, str]:
    return record.state is not AlertState.FIRING, -record.severity.rank, record.episode_ms, record.alert_id
