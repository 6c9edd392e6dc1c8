"""A notifier's parts around one channel, driven step by step."""

import random
import threading
from collections.abc import Sequence
from functools import partial

from barograph_core.alerts.transition import Transition
from barograph_core.backoff import Backoff
from barograph_core.errors import BarographError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId, as_entries, as_hash, as_int, as_list, as_text
from barograph_core.workers.counters import WorkerCounters
from barograph_notifier.channel import Channel, shows_flag
from barograph_notifier.escalation.escalation import Escalation
from barograph_notifier.escalation.scheduling import Escalating
from barograph_notifier.muting.inhibition import Inhibition
from barograph_notifier.outbox.grouping import PLAIN, Grouping
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.posting.token_bucket import TokenBucket
from barograph_notifier.routing.route import Route
from barograph_notifier.routing.routing import Routing
from barograph_notifier.sending.attempts import SenderSettings
from barograph_notifier.sending.pacing.wake_up import WakeUp
from barograph_notifier.sending.senders import SenderFactory, SenderPlace
from barograph_notifier.wording.templates import NO_TEMPLATES, MessageTemplates
from barograph_notifier.worker import NotifierHandler, group_of
from tests.support import FakeClock
from tests.unit.notifier.samples import Recorder

CHANNEL = "hook"
# Longer than a slow machine may take for a step: the server's clock ends a lease, and no thread prolongs it here.
LEASE_MS = 60_000
EVERYTHING = (Route(channels=(CHANNEL,)),)


class NotifierHarness:
    """One notifier worker: reads as ``consumer``, sends through ``channel``."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        clock: FakeClock,
        channel: Channel | None = None,
        *,
        consumer: str = "one",
        routes: Sequence[Route] = EVERYTHING,
        retry_for_ms: int = 3_600_000,
        sends_resolved: bool = True,
        bucket: TokenBucket | None = None,
        hand_over: HandOver | None = None,
        channel_name: str = CHANNEL,
        escalations: Sequence[Escalation] = (),
        grouping: Grouping = PLAIN,
        templates: MessageTemplates = NO_TEMPLATES,
        inhibitions: Sequence[Inhibition] = (),
        factory_class: type[SenderFactory] = SenderFactory,
    ) -> None:
        self.name = channel_name
        self.connection, self.keys, self.clock = connection, keys, clock
        self.channel = channel if isinstance(channel, Recorder) else Recorder()
        self.consumer = consumer
        self.counters = WorkerCounters()
        self.wake = WakeUp()
        self.stop = threading.Event()
        self.outbox = Outbox(connection, keys, channel_name, keep_ms=10**10, grouping=grouping)
        self.handler = NotifierHandler(
            self.outbox,
            Routing(routes),
            channel=channel_name,
            consumer=consumer,
            clock=clock,
            counters=self.counters,
            wake=self.wake,
            sends_resolved=sends_resolved,
            shows_flag=partial(shows_flag, channel or self.channel),
        )
        self.factory = factory_class(
            SenderPlace(
                keys=keys,
                name=channel_name,
                channel=channel or self.channel,
                grouping=grouping,
                settings=SenderSettings(
                    timeout_ms=1_000,
                    retry_for_ms=retry_for_ms,
                    poll_ms=500,
                    backoff=Backoff(first_ms=1_000, longest_ms=60_000),
                    templates=templates,
                ),
                keep_ms=10**10,
                remember_ms=86_400_000,
                clock=clock,
                counters=self.counters,
                wake=self.wake,
                bucket=bucket,
                inhibitions=inhibitions,
                hand_over_of=lambda _: hand_over,
                escalating_of=lambda _: Escalating(
                    connection,
                    keys,
                    escalations,
                    lambda name: Outbox(connection, keys, name, keep_ms=10**10),
                    keep_ms=10**10,
                ),
                lease_ms=LEASE_MS,
            )
        )
        self.sender = self.factory.sender(connection, random.Random(1))
        self._make_group()

    def _make_group(self) -> None:
        try:
            self.connection.command("XGROUP", "CREATE", self.keys.alerts, group_of(self.name), "$", "MKSTREAM")
        except BarographError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def write(self, *transitions: Transition) -> None:
        for transition in transitions:
            self.connection.command("XADD", self.keys.alerts, "*", *transition.to_fields())

    def read(self) -> list[Entry]:
        """Take unread entries as this consumer does."""
        reply = self.connection.command(
            "XREADGROUP", "GROUP", group_of(self.name), self.consumer, "STREAMS", self.keys.alerts, ">"
        )
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def handle(self) -> None:
        self.handler.handle(self.read(), is_redelivered=False)

    def send(self) -> int:
        """Make passes until there is nothing to do now; return the wait."""
        wait_ms = self.sender.make_pass(self.stop)
        return self.send() if wait_ms == 0 else wait_ms

    def deliver(self, *transitions: Transition) -> int:
        self.write(*transitions)
        self.handle()
        return self.send()

    def deliveries(self) -> list[tuple[str, str]]:
        """Return (result, reason) of each entry of the deliveries stream."""
        return [(note["result"].decode(), note["reason"].decode()) for note in self.notes(self.keys.deliveries)]

    def notes(self, stream: str) -> list[dict[str, bytes]]:
        return [as_hash(as_list(row)[1]) for row in as_list(self.connection.command("XRANGE", stream, "-", "+"))]

    def pending(self) -> int:
        return as_int(as_list(self.connection.command("XPENDING", self.keys.alerts, group_of(self.name)))[0])

    def waiting(self) -> list[str]:
        found = as_list(self.connection.command("ZRANGE", self.keys.outbox(self.name), 0, -1))
        return [as_text(member) for member in found]

    def last_id(self) -> EntryId:
        last = as_list(self.connection.command("XREVRANGE", self.keys.alerts, "+", "-", "COUNT", 1))
        return EntryId.parse(as_text(as_list(last[0])[0]))
