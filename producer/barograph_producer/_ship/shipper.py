"""Ships the backlog in order, with one call in flight, and sends heartbeats."""

import math
import os
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from barograph_core.clock import Clock
from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.events.encode import entry_fields
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.server.link import Reply, Value
from barograph_producer._ship.backlog import Backlog, Parcel
from barograph_producer._ship.process import connecting
from barograph_producer._stats import ProducerCounters

APPEND: Final = "baro_append_1"
# How long a batch may be in doubt. The server remembers the sequence of an instance for 24 h; later it would not
# recognise a repeat.
DOUBT_LIMIT_MS: Final = 23 * 3_600_000
# Longest time in one ``ship``. With a slow server a long backlog takes minutes; the buffers must be drained between.
_LONGEST_SHIPPING_MS: Final = 1_000.0
_MAX_REFUSALS: Final = 3
# Limits of one call. A call costs as much CPU as packing a batch, so it takes several; it blocks the server, so not too
# many.
_MOST_BATCHES: Final = 8
_MOST_BYTES: Final = 256 * 1024
_MAX_DETOURS: Final = 4

Mode = Literal["batch", "heartbeat", "goodbye"]


class AppendServer(Protocol):
    """The methods of a connection that the shipper uses."""

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value], /) -> Reply: ...

    def command(self, *args: Value) -> Reply: ...

    def close(self) -> None: ...


class Shipper:
    """Sends batches to ``baro_append_1`` until the server has them. Only the shipping thread may use it.

    The function accepts only sequence number last + 1. A call may therefore be repeated after a lost reply: the
    server answers ``dup``, and no event is counted twice.

    Attributes:
        instance: The name under which it sends. It changes when the service moves to another shard, and when the
            server knows a number of this name that was never sent from here.
        stop_by_ms: Monotonic time after which no further batch is sent. Any thread may set it.
    """

    def __init__(
        self,
        *,
        service: str,
        prefix: str,
        connect: Callable[[], AppendServer],
        clock: Clock,
        backlog: Backlog,
        counters: ProducerCounters,
        new_instance: Callable[[], str],
    ) -> None:
        self._service = service
        self._prefix = prefix
        self._connect = connect
        self._clock = clock
        self._backlog = backlog
        self._counters = counters
        self._new_instance = new_instance
        self._server: AppendServer | None = None
        self._layout: Layout | None = None
        self._claimed_ms: int | None = None
        self._most_batches = _MOST_BATCHES
        self._replied_ms = clock.monotonic_ms()
        self._pid = os.getpid()
        self._reported = self._carried = ""
        self.stop_by_ms = math.inf
        self.instance = new_instance()

    def ship(self, through_ms: int, liveness: str) -> bool:
        """Ship everything that waits, or as much as time allows.

        Args:
            through_ms: Every earlier event is in the backlog or was shipped.
            liveness: Statistics as JSON for the heartbeat that is due; "" if none is. The last batch carries it; if
                nothing waits, it is sent alone.

        Returns:
            Whether nothing is left to ship.

        Raises:
            BarographError: The server is gone or refuses. Batches that were not confirmed continue to wait.
        """
        end_ms = self._clock.monotonic_ms() + _LONGEST_SHIPPING_MS
        detours = 0
        has_beaten = not liveness
        while not has_beaten or self._backlog.head is not None:
            parcel = self._backlog.head
            if parcel is None:
                # The heartbeat states the last confirmed number, so that a loss in a failover is found even if no
                # further batch is sent.
                status = self._sign("heartbeat", through_ms, liveness)
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
        """The connection; ``None`` if there is none now."""
        return self._server

    def say_goodbye(self, through_ms: int, liveness: str) -> None:
        """Leave the service's producers, so that the coming silence does not look like a crash.

        Raises:
            BarographError: The server is gone or refuses.
        """
        for _ in range(_MAX_DETOURS):
            if self._sign("goodbye", through_ms, liveness) == "confirmed":
                return
            self.ship(through_ms, "")
        raise StreamUnavailableError("refused", "the server's sequence or layout keeps changing")

    def disconnect(self) -> None:
        """Close the connection; the next call opens another and reads the layout again."""
        server, self._server, self._layout = self._server, None, None
        if server is not None:
            server.close()

    def _claim(self) -> int:
        """Return the ``through_ms`` to state while batches still wait: the one stated last."""
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
        """Send several batches in one call; the server accepts all or none of them."""
        head, last = parcels[0], parcels[-1]
        offered_before = self._backlog.offered_seq
        self._backlog.offered_seq = max(offered_before, last.seq)
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
            reply = self._send("batch", through_ms, liveness, head.seq, self._backlog.last_seq, (len(parcels), *flat))
            status = self._follow(reply, newest=last.seq, offered=offered_before, liveness=liveness)
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

    def _sign(self, mode: Literal["heartbeat", "goodbye"], through_ms: int, liveness: str) -> str:
        """Send a sign of life without a batch."""
        reply = self._send(mode, through_ms, liveness, previous=self._backlog.last_seq)
        return self._follow(reply, liveness=liveness)

    def _send(
        self,
        mode: Mode,
        through_ms: int,
        liveness: str,
        seq: int = 0,
        previous: int = 0,
        batches: Sequence[Value] = (0,),
    ) -> Reply:
        server, layout = self._reach()
        keys = layout.keys_of(self._service)
        if liveness and self._carried:
            liveness = f'{liveness[:-1]}, "carried": {self._carried}}}'
        return server.call(
            APPEND,
            (
                keys.events,
                keys.sequence(self.instance),
                keys.producers(self._service),
                keys.epoch,
                keys.producer(self.instance),
                keys.totals(self._service),
                keys.shipped(self._service),
            ),
            # Both by this clock: the server notes its own time less the difference.
            (
                *(layout.epoch, self.instance, seq, previous, self._service),
                f"{through_ms}:{max(through_ms, self._clock.now_ms())}",
                *(mode, liveness, *batches),
            ),
        )

    def _follow(self, reply: Reply, *, newest: int | None = None, offered: int = 0, liveness: str = "") -> str:
        """Act on the reply of the function. Return ``confirmed``, ``gap``, ``moved`` or ``shared``.

        Args:
            reply: The reply.
            newest: The number of the last batch that was sent; ``None`` if none was.
            offered: The highest number that an earlier call sent.
            liveness: The statistics that were sent.
        """
        status, detail = _read_reply(reply)
        now_ms = self._clock.monotonic_ms()
        was_silent_ms, self._replied_ms = now_ms - self._replied_ms, now_ms
        if status == "dup" and newest is not None and int(detail) > offered:
            # Another process sends under this name, because it is a copy of this one. These batches are not there.
            self._counters.note_shared_name(self.instance)
            self._start_over()
            return "shared"
        if status in ("ok", "dup"):
            self._reported = liveness or self._reported
            if newest is not None:
                # The first of these batches may have arrived with an earlier call.
                landed = newest if status == "ok" else min(newest, int(detail))
                self._backlog.confirm(landed, now_ms)
            return "confirmed"
        if status == "gap":
            self._backlog.forget_old(now_ms)
            if int(detail) == 0 and was_silent_ms > DOUBT_LIMIT_MS:
                # There was no failover: after a long silence the server forgot this instance, but has its events.
                self._start_over()
            else:
                self._backlog.rewind(int(detail))
            return "gap"
        self._move()
        return "moved"

    def _reach(self) -> tuple[AppendServer, Layout]:
        if os.getpid() != self._pid:  # a greenlet of gevent lives on in a forked child
            raise StreamUnavailableError("unreachable", "the connection belongs to the parent process")
        if self._server is None or self._layout is None:
            with connecting():
                self._server = self._server or self._connect()
                self._layout = read_layout(self._server, self._prefix)
        return self._server, self._layout

    def _move(self) -> None:
        """Follow the service to its shard in the new layout.

        On another shard the sequence starts over under a new instance name. If the service moved back later, the
        numbers of the old name would make new batches look like repeats. A batch in doubt is looked up on the old
        shard first, because otherwise both shards could have it.
        """
        server, old = self._reach()
        new = read_layout(server, self._prefix)
        old_keys, new_keys = old.keys_of(self._service), new.keys_of(self._service)
        if new.epoch == old.epoch and new_keys == old_keys:
            raise StreamUnavailableError("refused", f"the shard is not in epoch {old.epoch!r} of the layout")
        if new_keys != old_keys:
            head = self._backlog.head
            if head is not None and head.doubtful_since_ms is not None:
                landed = server.command("GET", old_keys.sequence(self.instance))
                if isinstance(landed, bytes):
                    self._backlog.confirm(int(landed), self._clock.monotonic_ms())
            self._start_over()
        self._layout = new

    def _start_over(self) -> None:
        self._backlog.renumber()
        self.instance = self._new_instance()
        # Without this, the service's totals would count again what was reported under the old name.
        self._carried = self._reported

    def _count_refusal(self, parcels: Sequence[Parcel]) -> None:
        """Drop a batch that the server refuses repeatedly while it accepts heartbeats, so that it blocks no other.

        If several batches were refused together, send them one by one from now on, until nothing waits.
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
    """Return the status and the detail of a reply."""
    match reply:
        case [bytes(status), bytes(detail)]:
            return status.decode(), detail.decode()
        case _:
            raise CommandRefusedError(f"expected a status and a detail from {APPEND}, got {reply!r}")
