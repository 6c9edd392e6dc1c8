"""Ships the backlog in order, one call in flight, and gives the signs of life."""

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from barograph_core.clock import Clock
from barograph_core.encode import entry_fields
from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.stream import Reply, Value
from barograph_producer._backlog import Backlog, Parcel
from barograph_producer._layout import Layout, read_layout
from barograph_producer._stats import Counters

APPEND: Final = "baro_append_1"
# The server remembers an instance's sequence for 24 h; after that it could not tell a repeat.
DOUBT_LIMIT_MS: Final = 23 * 3_600_000
# With a slow server a long backlog takes minutes; the buffers must be drained meanwhile.
_LONGEST_SHIPPING_MS: Final = 1_000.0
_MAX_REFUSALS: Final = 3
# Of one call: a call costs the process as much as packing a batch, whatever is in it. The server answers nobody
# else meanwhile, hence the bounds.
_MOST_BATCHES: Final = 8
_MOST_BYTES: Final = 256 * 1024
_MAX_DETOURS: Final = 4

Mode = Literal["batch", "heartbeat", "goodbye"]


class Server(Protocol):
    """What the shipper needs of a connection; ``barograph_core.stream.Connection`` has it."""

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value], /) -> Reply: ...

    def command(self, *args: Value) -> Reply: ...

    def close(self) -> None: ...


class Shipper:
    """Offers batches to ``baro_append_1`` until the server has them. Only for the shipper thread.

    The function takes sequence number last + 1 alone, so an offer may be repeated after a lost reply: it is
    then a ``dup``. No reply, however late or lost, makes an event count twice.

    Attributes:
        instance: Who offers; changes when the service moves to another shard.
        stop_by_ms: Monotonic time at which to begin no further batch. May be set from any thread.
    """

    def __init__(
        self,
        *,
        service: str,
        prefix: str,
        connect: Callable[[], Server],
        clock: Clock,
        backlog: Backlog,
        counters: Counters,
        new_instance: Callable[[], str],
    ) -> None:
        self._service = service
        self._prefix = prefix
        self._connect = connect
        self._clock = clock
        self._backlog = backlog
        self._counters = counters
        self._new_instance = new_instance
        self._server: Server | None = None
        self._layout: Layout | None = None
        self._claimed_ms: int | None = None
        self._most_batches = _MOST_BATCHES
        self._heard_ms = clock.monotonic_ms()
        self.stop_by_ms = math.inf
        self.instance = new_instance()

    def ship(self, through_ms: int, liveness: str) -> bool:
        """Ship all that waits, or as much as there is time for.

        Args:
            through_ms: Every event before it has been drained into the backlog (or is none).
            liveness: Statistics as JSON for the heartbeat that is due; "" when none is. The last batch
                carries it; when nothing waits it goes alone.

        Returns:
            Whether nothing waits any more.

        Raises:
            BarographError: The server is gone or refuses. What was not confirmed waits on.
        """
        end_ms = self._clock.monotonic_ms() + _LONGEST_SHIPPING_MS
        detours = 0
        has_beaten = not liveness
        while not has_beaten or self._backlog.head is not None:
            parcel = self._backlog.head
            if parcel is None:
                # It names what was confirmed: a failover that lost some of it is found out here, also when
                # no further batch comes.
                status = self._send("heartbeat", through_ms, liveness, previous=self._backlog.last_seq)
                has_beaten = status == "confirmed"
            elif self._gave_up(parcel):
                continue
            else:
                parcels = self._backlog.oldest(self._most_batches, _MOST_BYTES)
                is_last = len(parcels) == len(self._backlog)
                status = self._offer(parcels, through_ms if is_last else self._claim(), liveness if is_last else "")
                has_beaten = has_beaten or (is_last and status == "confirmed" and self._backlog.head is None)
            detours += status != "confirmed"
            if detours > _MAX_DETOURS:
                raise StreamUnavailableError("refused", "the server's sequence or layout keeps changing")
            if self._backlog.head is not None and self._clock.monotonic_ms() >= min(end_ms, self.stop_by_ms):
                return False
        self._claimed_ms = through_ms
        self._most_batches = _MOST_BATCHES
        self._backlog.forget_old(self._clock.monotonic_ms())
        return True

    @property
    def server(self) -> object:
        """The connection, ``None`` when there is none now."""
        return self._server

    def say_goodbye(self, through_ms: int, liveness: str) -> None:
        """Leave the service's producers, so that this silence is not taken for a death.

        Raises:
            BarographError: The server is gone or refuses.
        """
        for _ in range(_MAX_DETOURS):
            if self._send("goodbye", through_ms, liveness, previous=self._backlog.last_seq) == "confirmed":
                return
            self.ship(through_ms, "")
        raise StreamUnavailableError("refused", "the server's sequence or layout keeps changing")

    def disconnect(self) -> None:
        """Close the connection; the next call makes another and reads the layout again."""
        server, self._server, self._layout = self._server, None, None
        if server is not None:
            server.close()

    def _claim(self) -> int:
        """Return what may be said to be shipped while batches still wait: what was said last."""
        if self._claimed_ms is None:
            self._claimed_ms = self._backlog.oldest_ms or 0
        return self._claimed_ms

    def _gave_up(self, parcel: Parcel) -> bool:
        since_ms = parcel.doubtful_since_ms
        if since_ms is None or self._clock.monotonic_ms() - since_ms <= DOUBT_LIMIT_MS:
            return False
        self._counters.drop("in_doubt", self._backlog.drop_head())
        return True

    def _offer(self, parcels: Sequence[Parcel], through_ms: int, liveness: str) -> str:
        """Offer some batches in one call, of which the server takes all or none."""
        head, last = parcels[0], parcels[-1]
        flat: list[Value] = []
        for parcel in parcels:
            fields = entry_fields(
                parcel.whole_batch,
                service=self._service,
                instance=self.instance,
                seq=parcel.seq,
                through_ms=through_ms if parcel is last else self._claim(),
            )
            for field in fields.items():
                flat += field
        try:
            status = self._send("batch", through_ms, liveness, head.seq, self._backlog.last_seq, (len(parcels), *flat))
        except StreamUnavailableError as error:
            if error.reason in ("timeout", "unreachable"):
                now_ms = self._clock.monotonic_ms()
                for parcel in parcels:
                    if parcel.doubtful_since_ms is None:
                        parcel.doubtful_since_ms = now_ms
            raise
        except CommandRefusedError:
            self._count_refusal(parcels)
            raise
        return status

    def _send(
        self,
        mode: Mode,
        through_ms: int,
        liveness: str,
        seq: int = 0,
        previous: int = 0,
        batches: Sequence[Value] = (0,),
    ) -> str:
        server, layout = self._reach()
        keys = layout.keys
        reply = server.call(
            APPEND,
            (
                keys.events,
                keys.sequence(self.instance),
                keys.producers(self._service),
                keys.epoch,
                keys.producer(self.instance),
            ),
            (layout.epoch, self.instance, seq, previous, self._service, through_ms, mode, liveness, *batches),
        )
        return self._follow(reply, newest=seq + int(batches[0]) - 1 if mode == "batch" else None)

    def _follow(self, reply: Reply, *, newest: int | None) -> str:
        """Act on what the function replied. Returns ``confirmed``, ``gap`` or ``moved``.

        Args:
            reply: Of the function.
            newest: Number of the last batch that was offered, ``None`` when none was.
        """
        status, detail = _read_reply(reply)
        now_ms = self._clock.monotonic_ms()
        was_silent_ms, self._heard_ms = now_ms - self._heard_ms, now_ms
        if status in ("ok", "dup"):
            if newest is not None:
                # Batches that an earlier call brought may be the first of those offered now.
                landed = newest if status == "ok" else min(newest, int(detail))
                self._backlog.confirm(landed, now_ms)
            return "confirmed"
        if status == "gap":
            self._backlog.forget_old(now_ms)
            if int(detail) == 0 and was_silent_ms > DOUBT_LIMIT_MS:
                # No failover lost anything: the server has forgotten us. What it confirmed is there.
                self._begin_anew()
            else:
                self._backlog.rewind(int(detail))
            return "gap"
        self._move()
        return "moved"

    def _reach(self) -> tuple[Server, Layout]:
        if self._server is None:
            self._server = self._connect()
        if self._layout is None:
            self._layout = read_layout(self._server, self._prefix, self._service)
        return self._server, self._layout

    def _move(self) -> None:
        """Follow the service to where the new layout puts it.

        On another shard the sequence begins anew under a new instance: the old name's numbers there, should
        the service ever move back, would make fresh batches look like repeats. A batch in doubt is looked up
        on the old shard first, or it could land on both.
        """
        server, old = self._reach()
        new = read_layout(server, self._prefix, self._service)
        if new == old:
            raise StreamUnavailableError("refused", f"the shard is not in epoch {old.epoch!r} of the layout")
        if new.keys != old.keys:
            head = self._backlog.head
            if head is not None and head.doubtful_since_ms is not None:
                landed = server.command("GET", old.keys.sequence(self.instance))
                if isinstance(landed, bytes):
                    self._backlog.confirm(int(landed), self._clock.monotonic_ms())
            self._begin_anew()
        self._layout = new

    def _begin_anew(self) -> None:
        self._backlog.renumber()
        self.instance = self._new_instance()

    def _count_refusal(self, parcels: Sequence[Parcel]) -> None:
        """Give a batch up that the server keeps refusing while it takes heartbeats, so that it blocks no other.

        Of several it is not known which one: they go one by one then, until nothing waits.
        """
        if len(parcels) > 1:
            self._most_batches = 1
            return
        parcel = parcels[0]
        parcel.refusals += 1
        if parcel.refusals < _MAX_REFUSALS:
            return
        self._send("heartbeat", self._claim(), "")
        self._counters.drop("refused", self._backlog.drop_head())


def _read_reply(reply: Reply) -> tuple[str, str]:
    if isinstance(reply, list) and len(reply) == 2:  # status and detail
        status, detail = reply
        if isinstance(status, bytes) and isinstance(detail, bytes):
            return status.decode(), detail.decode()
    raise CommandRefusedError(f"expected a status and a detail from {APPEND}, got {reply!r}")
