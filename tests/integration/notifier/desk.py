"""A notifier's parts around one channel, driven step by step."""

import random
import threading
from collections.abc import Sequence

from barograph_core.errors import BarographError
from barograph_core.keys import ShardKeys
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, Entry, EntryId, as_entries, as_hash, as_int, as_list, as_text
from barograph_core.transitions import Transition
from barograph_notifier.backoff import Backoff
from barograph_notifier.outbox import Outbox
from barograph_notifier.routing import Route
from barograph_notifier.sender import Sender, SenderSettings
from barograph_notifier.worker import NotifierHandler, group_of
from tests.support import FakeClock
from tests.unit.notifier.samples import Recorder

CHANNEL = "hook"
EVERYTHING = (Route(channels=(CHANNEL,)),)


class Desk:
    """One notifier worker: reads as ``consumer``, sends through ``channel``."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        clock: FakeClock,
        channel: Recorder | None = None,
        *,
        consumer: str = "one",
        routes: Sequence[Route] = EVERYTHING,
        retry_for_ms: int = 3_600_000,
        outbox_class: type[Outbox] = Outbox,
    ) -> None:
        self.connection, self.keys, self.clock = connection, keys, clock
        self.channel = channel or Recorder()
        self.consumer = consumer
        self.counters = Counters()
        self.wake = threading.Event()
        self.stop = threading.Event()
        self.outbox = outbox_class(connection, keys, CHANNEL, keep_ms=10**10, remember_ms=86_400_000)
        self.handler = NotifierHandler(
            self.outbox,
            routes,
            channel=CHANNEL,
            consumer=consumer,
            clock=clock,
            counters=self.counters,
            wake=self.wake,
        )
        self.sender = Sender(
            self.outbox,
            name=CHANNEL,
            channel=self.channel,
            settings=SenderSettings(
                timeout_ms=1_000,
                retry_for_ms=retry_for_ms,
                poll_ms=500,
                backoff=Backoff(first_ms=1_000, cap_ms=60_000),
            ),
            clock=clock,
            counters=self.counters,
            rng=random.Random(1),
            wake=self.wake,
        )
        self._make_group()

    def _make_group(self) -> None:
        try:
            self.connection.command("XGROUP", "CREATE", self.keys.alerts, group_of(CHANNEL), "$", "MKSTREAM")
        except BarographError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def write(self, *transitions: Transition) -> None:
        for transition in transitions:
            self.connection.command("XADD", self.keys.alerts, "*", *transition.to_fields())

    def read(self) -> list[Entry]:
        """Take unread entries as this consumer does."""
        reply = self.connection.command(
            "XREADGROUP", "GROUP", group_of(CHANNEL), self.consumer, "STREAMS", self.keys.alerts, ">"
        )
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def handle(self) -> None:
        self.handler.handle(self.read(), is_redelivered=False)

    def send(self) -> int:
        """Make passes until there is nothing to do now; return the wait."""
        wait_ms = self.sender.make_pass(self.stop)
        return self.send() if wait_ms == 0 else wait_ms

    def tell(self, *transitions: Transition) -> int:
        self.write(*transitions)
        self.handle()
        return self.send()

    def deliveries(self) -> list[tuple[str, str]]:
        """Return (result, reason) of each entry of the deliveries stream."""
        return [(note["result"].decode(), note["reason"].decode()) for note in self.notes(self.keys.deliveries)]

    def notes(self, stream: str) -> list[dict[str, bytes]]:
        return [as_hash(as_list(row)[1]) for row in as_list(self.connection.command("XRANGE", stream, "-", "+"))]

    def pending(self) -> int:
        return as_int(as_list(self.connection.command("XPENDING", self.keys.alerts, group_of(CHANNEL)))[0])

    def waiting(self) -> list[str]:
        found = as_list(self.connection.command("ZRANGE", self.keys.outbox(CHANNEL), 0, -1))
        return [as_text(member) for member in found]

    def last_id(self) -> EntryId:
        last = as_list(self.connection.command("XREVRANGE", self.keys.alerts, "+", "-", "COUNT", 1))
        return EntryId.parse(as_text(as_list(last[0])[0]))
