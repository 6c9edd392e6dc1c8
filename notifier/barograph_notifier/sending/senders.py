"""Makes the senders of a channel: several threads that share leases, pace and figures."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.workers.counters import WorkerCounters
from barograph_notifier.channel import Channel
from barograph_notifier.escalation.scheduling import Escalating
from barograph_notifier.muting.inhibition import Inhibition
from barograph_notifier.muting.muting import Muting
from barograph_notifier.outbox.grouping import Grouping
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.item_cache import ItemCache
from barograph_notifier.outbox.leases import LEASE_MS, Leases, keep_leases
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.results import Results
from barograph_notifier.outbox.turns import Turns
from barograph_notifier.posting.token_bucket import TokenBucket
from barograph_notifier.sending.attempts import Attempts, SenderSettings
from barograph_notifier.sending.delivery_log import DeliveryLog
from barograph_notifier.sending.done_before import DoneBefore
from barograph_notifier.sending.group_turn import GroupTurns
from barograph_notifier.sending.pacing.pace import Pace
from barograph_notifier.sending.pacing.tempo import Tempo
from barograph_notifier.sending.pacing.wake_up import WakeUp
from barograph_notifier.sending.sender import Postponed, Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderPlace:
    """What the senders of one channel in one shard have in common.

    Attributes:
        keys: Of the shard.
        name: The channel's name.
        keep_ms: How long the deliveries stream and the memory of a firing without an end are kept.
        remember_ms: How long a finished alert is remembered.
        bucket: Of the channel's rate, for all shards.
        inhibitions: Which alerts hold back others.
        cache: Items that this process has queued.
        escalating_of: Makes what queues steps of escalations over a sender's connection; ``None`` if there are none.
        hand_over_of: Makes the way to the fallback channel over a sender's connection; ``None`` if there is none.
    """

    keys: ShardKeys
    name: str
    channel: Channel
    grouping: Grouping
    settings: SenderSettings
    keep_ms: int
    remember_ms: int
    clock: Clock
    counters: WorkerCounters
    wake: WakeUp
    cache: ItemCache = field(default_factory=ItemCache)
    bucket: TokenBucket | None = None
    inhibitions: Sequence[Inhibition] = ()
    hand_over_of: Callable[[Connection], HandOver | None] = lambda _: None
    escalating_of: Callable[[Connection], Escalating | None] = lambda _: None
    lease_ms: int = LEASE_MS


class SenderFactory:
    """Makes senders that know of each other.

    Attributes:
        turns_class, results_class: What a sender uses.
    """

    turns_class: type[Turns] = Turns
    results_class: type[Results] = Results

    def __init__(self, place: SenderPlace) -> None:
        self._place = place
        self._pace = Pace(place.clock, place.bucket)
        self._postponed = Postponed(place.clock)
        self._help = WakeUp()
        self._tempo = Tempo(place.clock)
        self._log = DeliveryLog(place.name, place.counters)
        self.leases = Leases(place.lease_ms)

    def turns(self, connection: Connection) -> Turns:
        place = self._place
        return self.turns_class(
            connection, place.keys, place.name, self.leases, keep_ms=place.keep_ms, cache=place.cache
        )

    def results(self, connection: Connection) -> Results:
        place, escalating = self._place, self._place.escalating_of(connection)
        return self.results_class(
            connection,
            place.keys,
            place.name,
            self.leases.token,
            keep_ms=place.keep_ms,
            remember_ms=place.remember_ms,
            grouping=place.grouping,
            **({} if escalating is None else {"note_sent": escalating.note_sent}),
        )

    def sender(self, connection: Connection, rng: random.Random, *, number: int = 0) -> Sender:
        """Return a sender that uses ``connection`` alone; all but number 0 are helpers."""
        place, turns, results = self._place, self.turns(connection), self.results(connection)
        attempts = Attempts(
            place.name,
            place.channel,
            settings=place.settings,
            clock=place.clock,
            rng=rng,
            pace=self._pace,
            hold_others=turns.hold,
            counters=place.counters,
            hand_over=place.hand_over_of(connection),
            done_before=DoneBefore(connection, place.keys, place.clock),
        )
        muting = Muting(connection, place.keys, place.clock, place.inhibitions)
        groups = GroupTurns(
            connection,
            place.keys,
            outbox=Outbox(connection, place.keys, place.name, keep_ms=place.keep_ms, grouping=place.grouping),
            turns=turns,
            results=results,
            attempts=attempts,
            muting=muting,
            grouping=place.grouping,
            pace=self._pace,
            clock=place.clock,
            delivery_log=self._log,
        )
        return Sender(
            name=place.name,
            turns=turns,
            results=results,
            attempts=attempts,
            groups=groups,
            muting=muting,
            leases=self.leases,
            pace=self._pace,
            postponed=self._postponed,
            poll_ms=place.settings.poll_ms,
            clock=place.clock,
            delivery_log=self._log,
            rng=rng,
            wake=self._help if number else place.wake,
            call_help=self._help.set,
            tempo=self._tempo,
            number=number,
        )


def sender_loops(
    place: SenderPlace, count: int, connect: Callable[[], Connection]
) -> list[Callable[[threading.Event], None]]:
    """Return the loops of ``count`` senders and of the thread that prolongs their leases, each with a connection."""
    factory = SenderFactory(place)

    def sending(stop: threading.Event, *, number: int) -> None:
        connection = connect()
        rng = random.Random()  # noqa: S311  # jitter needs no secret
        factory.sender(connection, rng, number=number).run(stop)
        connection.close()

    def keep_until_stopped(stop: threading.Event) -> None:
        connection = connect()
        turns = factory.turns(connection)
        keep_leases(factory.leases, lambda groups: turns.extend(groups, place.clock.now_ms()), stop)
        connection.close()

    return [*(partial(sending, number=number) for number in range(count)), keep_until_stopped]
